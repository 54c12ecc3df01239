/*
 * malloc: the exported family.
 * Owns: nothing. Calls: fast.h (the one exception to the door rule), pools,
 * boot. Threads: any. Sets errno, and keeps it in free. Never: allocates
 * otherwise, holds a lock.
 */
#include "pools/fast.h"
#include "pools/pools.h"
#include "shim/boot.h"
#include "shim/malloc.h"

#include <errno.h>

#define exported __attribute__((visibility("default")))

/* A block that grows will grow again: every second class will do. */
enum { GROWTH_SHARE = 8 };

/* glibc's own, for programs that weir leaves alone and for blocks of strangers. */
extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_memalign(size_t align, size_t bytes);
extern void *__libc_realloc(void *p, size_t bytes);
extern void __libc_free(void *p);

/*
 * libc's, by a call: of a length that is a multiple of eight compilers know to
 * make "rep movsq", which is slow to start.
 */
extern void *libc_memcpy(void *to, const void *from, size_t bytes) __asm__("memcpy");
extern void *libc_memset(void *to, int byte, size_t bytes) __asm__("memset");

static void *no_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

static void *pass(size_t bytes, size_t align, bool zero)
{
	if (zero)
		return __libc_calloc(1, bytes);
	return align > BLOCK_ALIGN ? __libc_memalign(align, bytes) : __libc_malloc(bytes);
}

/* Without a heap: the thread has ended, or the mode gives it none. */
static void *take_without_heap(size_t bytes, size_t align, bool zero)
{
	switch (boot_mode()) {
	case BOOT_PASS:
		return pass(bytes, align, zero);
	case BOOT_BACKEND:
		if (backend_on())
			return pools_take(NULL, bytes, align, zero);
		break;
	default:
		if (!arena.base && backend_on())
			return pools_take(NULL, bytes, align, zero);
		break;
	}
	return pools_take_late(bytes, align, zero);
}

/* Every allocation that is not a hit. errno is kept on success. */
static cold void *take(size_t bytes, size_t align, bool zero)
{
	struct heap *heap;
	int saved = errno;
	void *block;

	if (unlikely(bytes > PTRDIFF_MAX - CHUNK_BYTES - align))
		return no_memory();
	heap = boot_heap();
	block = likely(heap) ? pools_take(heap, bytes, align, zero) :
			       take_without_heap(bytes, align, zero);
	if (unlikely(!block))
		return no_memory();
	errno = saved;
	return block;
}

static noinline void *take_more(size_t bytes)
{
	void *block;

	if (likely(bytes - SMALL_MAX - 1 < RUN_MAX - SMALL_MAX)) {
		block = fast_take_front(bytes);
		if (likely(block))
			return block;
	}
	return take(bytes, BLOCK_ALIGN, false);
}

exported void *malloc(size_t bytes)
{
	void *block;

	if (unlikely(bytes > SMALL_MAX))
		return take_more(bytes);
	block = fast_take_small(bytes);
	if (likely(block))
		return block;
	return take(bytes, BLOCK_ALIGN, false);
}

/* A stranger's block goes to glibc, whose malloc it most likely came from. */
static cold void give_far(void *p)
{
	int saved = errno;

	if (!p)
		return;
	if (!pools_give_far(p))
		__libc_free(p);
	errno = saved;
}

static cold void give(void *p)
{
	int saved = errno;

	pools_give(boot_heap(), p);
	errno = saved;
}

static cold void settle(void *p)
{
	struct heap *heap = heap_self;
	struct span *span = span_of(p);

	if (heap_enter(heap)) {
		if (load_relaxed(&span->owner) == heap)
			heap_settle(heap, span);
		heap_leave(heap);
	} else {
		span->armed++, span->count++; /* the next free asks again */
	}
}

static noinline void give_other(void *p)
{
	if (unlikely(!fast_give_other(p)))
		give(p);
}

static always_inline void give_any(void *p)
{
	switch (fast_give(p)) {
	case FAST_DONE:
		return;
	case FAST_SETTLE:
		settle(p);
		return;
	case FAST_OTHER:
		give_other(p);
		return;
	case FAST_FAR:
		give_far(p);
	}
}

exported void free(void *p)
{
	give_any(p);
}

exported void *calloc(size_t count, size_t each)
{
	size_t bytes;
	void *block;

	if (unlikely(__builtin_mul_overflow(count, each, &bytes)))
		return no_memory();
	if (likely(bytes <= SMALL_MAX))
		block = fast_take_small(bytes);
	else if (bytes <= RUN_MAX)
		block = fast_take_front(bytes);
	else
		block = NULL;
	if (likely(block))
		return libc_memset(block, 0, bytes);
	return take(bytes, BLOCK_ALIGN, true);
}

/* Allocates elsewhere and copies; the old block stays if there is no memory. */
static noinline void *move(void *p, size_t had, size_t bytes)
{
	int saved = errno;
	void *block = malloc(bytes);

	if (unlikely(!block)) {
		if (bytes > had)
			return NULL;
		errno = saved;
		return p; /* a smaller one is not to be had: it stays as it is */
	}
	libc_memcpy(block, p, size_min(had, bytes));
	free(p);
	return block;
}

/* A block may stay where it is while at least half of it is used. */
static bool fits(size_t had, size_t bytes)
{
	return bytes <= had && bytes >= had / 2;
}

static cold void *resize_far(void *p, size_t bytes)
{
	int saved = errno;
	size_t had = pools_bytes(p);
	void *block;

	if (!had) {
		errno = saved;
		return __libc_realloc(p, bytes);
	}
	if (fits(had, bytes))
		return p;
	block = pools_resize(p, bytes);
	errno = saved;
	return block ? block : move(p, had, bytes);
}

/* From one small class to another, all by hits, in one piece; NULL: not done. */
static always_inline void *resize_small(void *p, size_t had, size_t bytes)
{
	size_t room = bytes > had ? bytes + bytes / GROWTH_SHARE : bytes;
	void *block;

	if (unlikely(room > SMALL_MAX))
		return NULL;
	block = fast_take_small(room);
	if (unlikely(!block))
		return NULL;
	libc_memcpy(block, p, size_min(had, bytes));
	give_any(p);
	return block;
}

exported void *realloc(void *p, size_t bytes)
{
	size_t had;
	void *block;

	/* NULL is outside the arena, and 0 wraps. */
	if (likely(arena_has(p) && bytes - 1 < PTRDIFF_MAX) && span_of(p)->kind == SPAN_SMALL) {
		had = class_small_bytes[span_of(p)->class];
		if (fits(had, bytes))
			return p;
		block = resize_small(p, had, bytes);
		return likely(block) ? block : move(p, had, bytes);
	}
	if (!p)
		return malloc(bytes);
	if (bytes == 0) {
		free(p);
		return NULL;
	}
	if (bytes > PTRDIFF_MAX)
		return no_memory();
	return resize_far(p, bytes);
}

exported void *reallocarray(void *p, size_t count, size_t each)
{
	size_t bytes;

	if (unlikely(__builtin_mul_overflow(count, each, &bytes)))
		return no_memory();
	return realloc(p, bytes);
}

/* Any alignment that is a power of two; errno as malloc's. */
static void *take_aligned(size_t align, size_t bytes)
{
	size_t fitting;
	void *block;

	if (align <= BLOCK_ALIGN)
		return malloc(bytes);
	if (unlikely(bytes > PTRDIFF_MAX || align > PTRDIFF_MAX / 2))
		return no_memory();
	if (align <= SLICE_BYTES && bytes <= MID_MAX) {
		/* A class whose blocks are all aligned so, in spans that begin at slices. */
		fitting = class_aligned(bytes, align);
		block = fitting <= SMALL_MAX ? fast_take_small(fitting) : fast_take_front(fitting);
		if (likely(block))
			return block;
	}
	return take(bytes, align, false);
}

static bool power_of_two(size_t n)
{
	return n && !(n & (n - 1));
}

exported int posix_memalign(void **result, size_t align, size_t bytes)
{
	int saved = errno;
	void *block;

	if (!power_of_two(align) || align % sizeof(void *))
		return EINVAL;
	block = take_aligned(align, bytes);
	errno = saved;
	if (!block)
		return ENOMEM;
	*result = block;
	return 0;
}

/* glibc rounds an odd alignment up to a power of two, and refuses huge ones. */
exported void *memalign(size_t align, size_t bytes)
{
	size_t power = BLOCK_ALIGN;

	if (align > SIZE_MAX / 2 + 1) {
		errno = EINVAL;
		return NULL;
	}
	while (power < align)
		power <<= 1;
	return take_aligned(power, bytes);
}

exported void *aligned_alloc(size_t align, size_t bytes)
{
	return memalign(align, bytes);
}

exported void *valloc(size_t bytes)
{
	boot_mode(); /* the page size is read there */
	return take_aligned(pools_page_bytes(), bytes);
}

exported void *pvalloc(size_t bytes)
{
	boot_mode();
	if (bytes > PTRDIFF_MAX)
		return no_memory();
	return take_aligned(pools_page_bytes(), align_up(bytes, pools_page_bytes()));
}

static cold size_t usable_far(void *p)
{
	size_t bytes;

	if (!p)
		return 0;
	bytes = pools_bytes(p);
	if (likely(bytes))
		return bytes;
	return boot_libc()->malloc_usable_size ? boot_libc()->malloc_usable_size(p) : 0;
}

exported size_t malloc_usable_size(void *p)
{
	if (likely(arena_has(p)) && likely(span_of(p)->kind == SPAN_SMALL))
		return class_small_bytes[span_of(p)->class];
	return usable_far(p);
}

exported void cfree(void *p)
{
	free(p);
}

exported void free_sized(void *p, size_t bytes)
{
	(void)bytes;
	free(p);
}

exported void free_aligned_sized(void *p, size_t align, size_t bytes)
{
	(void)align;
	(void)bytes;
	free(p);
}

exported int malloc_trim(size_t pad)
{
	int saved = errno;
	size_t given;

	if (boot_mode() == BOOT_PASS && boot_libc()->malloc_trim)
		return boot_libc()->malloc_trim(pad);
	given = pools_trim();
	errno = saved;
	return given > 0;
}
