/*
 * backend: mimalloc, behind a fence; the only file that includes its header.
 * Owns: the handle, the regions lent to it. Calls: os, mimalloc. Threads: any.
 * Never: calls mimalloc with a lock held or with a block that is not its own.
 *
 * Stands in front of 2.0.9's faults: requests that wrap, and alignments that
 * crash its free, never reach it (the caller serves those by mappings).
 */
#include "pools/backend.h"
#include "pools/os.h"

#include <dlfcn.h>
#include <mimalloc.h>

#if MI_MALLOC_VERSION >= 300
#define MI_ONLY_REGIONS mi_option_disallow_os_alloc
#elif MI_MALLOC_VERSION >= 212
#define MI_ONLY_REGIONS mi_option_disallow_os_alloc
#else
#define MI_ONLY_REGIONS mi_option_limit_os_alloc
#endif

enum {
	REGIONS = 64,
	REGION_ALIGN = 32 << 20, /* of segments and arena blocks of all 2.x and 3.x */
	TAKE_MAX = 16 << 20,	 /* above: slow there, mappings are better */
	REFUSED_PASS = 256,
};

static struct {
	__typeof__(mi_malloc) *malloc;
	__typeof__(mi_zalloc) *zalloc;
	__typeof__(mi_malloc_aligned) *malloc_aligned;
	__typeof__(mi_zalloc_aligned) *zalloc_aligned;
	__typeof__(mi_free) *free;
	__typeof__(mi_usable_size) *usable_size;
	__typeof__(mi_collect) *collect;
	__typeof__(mi_manage_os_memory) *manage;
	__typeof__(mi_option_set_enabled) *set_enabled;
	bool on;
} mi;

static struct {
	struct lock lock; /* adding a region */
	_Atomic unsigned refused; /* requests to let pass before asking the kernel again */
	_Atomic size_t count;
	struct region {
		char *start;
		size_t bytes;
	} region[REGIONS]; /* written before count says so; for good */
} regions;

static struct {
	_Alignas(CACHE_LINE) _Atomic size_t blocks, bytes;
} live;

static const struct {
	const char *name;
	size_t offset;
} symbols[] = {
	{ "mi_malloc", offsetof(__typeof__(mi), malloc) },
	{ "mi_zalloc", offsetof(__typeof__(mi), zalloc) },
	{ "mi_malloc_aligned", offsetof(__typeof__(mi), malloc_aligned) },
	{ "mi_zalloc_aligned", offsetof(__typeof__(mi), zalloc_aligned) },
	{ "mi_free", offsetof(__typeof__(mi), free) },
	{ "mi_usable_size", offsetof(__typeof__(mi), usable_size) },
	{ "mi_collect", offsetof(__typeof__(mi), collect) },
	{ "mi_manage_os_memory", offsetof(__typeof__(mi), manage) },
	{ "mi_option_set_enabled", offsetof(__typeof__(mi), set_enabled) },
};

static bool bind_symbols(void *library)
{
	for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++) {
		void *symbol = dlsym(library, symbols[i].name);

		if (!symbol)
			return false;
		*(void **)((char *)&mi + symbols[i].offset) = symbol;
	}
	return true;
}

/*
 * Address space, opened at once: 2.0.9 does not survive a refusal when it opens
 * parts of it by itself. It is told that nothing is open all the same: it gives
 * pages back only of memory that it opened.
 */
static char *map_region(size_t *bytes)
{
	for (; *bytes >= REGION_ALIGN; *bytes = align_down(*bytes / 2, REGION_ALIGN)) {
		char *start = os_reserve(*bytes, REGION_ALIGN);

		if (start && os_open(start, *bytes))
			return start;
		if (start)
			os_unmap(start, *bytes);
	}
	return NULL;
}

/* Lends another region; the next is as large as all so far. */
static bool add_region(size_t seen)
{
	size_t count, bytes = REGION_ALIGN;
	bool done = false;
	char *start = NULL;

	if (atomic_load_explicit(&regions.refused, memory_order_relaxed)) {
		atomic_fetch_sub_explicit(&regions.refused, 1, memory_order_relaxed);
		return false;
	}
	lock_take(&regions.lock);
	count = atomic_load_explicit(&regions.count, memory_order_relaxed);
	for (size_t i = 0; i < count; i++)
		bytes += regions.region[i].bytes;
	if (count == seen && count < REGIONS)
		start = map_region(&bytes);
	if (start) {
		regions.region[count] = (struct region){ start, bytes };
		atomic_store_explicit(&regions.count, count + 1, memory_order_release);
	}
	done = start || count != seen;
	if (!done)
		atomic_store_explicit(&regions.refused, REFUSED_PASS, memory_order_relaxed);
	lock_drop(&regions.lock);
	return start ? mi.manage(start, bytes, false, false, true, -1) : done;
}

bool backend_start(bool everything)
{
	static const char *const names[] = { "libmimalloc.so.2", "libmimalloc.so.2.0",
					     "libmimalloc.so.3", "libmimalloc.so" };
	void *library = NULL;

	for (size_t i = 0; i < sizeof names / sizeof names[0] && !library; i++)
		library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
	if (!library || !bind_symbols(library))
		return false;
	mi.set_enabled(MI_ONLY_REGIONS, true);
	mi.set_enabled(mi_option_show_errors, false);
	/* As a stopgap it gets its first region on its first request. */
	mi.on = !everything || add_region(0);
	return mi.on;
}

bool backend_on(void)
{
	return mi.on;
}

/* Blocks of 2.0.9 whose size is a multiple of the alignment may come unaligned. */
static void *ask(size_t bytes, size_t align, bool zero)
{
	void *block;

	if (align <= BLOCK_ALIGN)
		return zero ? mi.zalloc(bytes) : mi.malloc(bytes);
	if (bytes % align == 0)
		bytes += BLOCK_ALIGN;
	block = zero ? mi.zalloc_aligned(bytes, align) : mi.malloc_aligned(bytes, align);
	if (likely((uintptr_t)block % align == 0))
		return block;
	mi.free(block);
	return NULL;
}

static void count(void *block, int sign)
{
	atomic_fetch_add_explicit(&live.blocks, (size_t)sign, memory_order_relaxed);
	atomic_fetch_add_explicit(&live.bytes, (size_t)sign * mi.usable_size(block),
				  memory_order_relaxed);
}

void *backend_take(size_t bytes, size_t align, bool zero)
{
	if (!mi.on || bytes > TAKE_MAX || align > MiB)
		return NULL;
	bytes = size_max(align_up(bytes, BLOCK_ALIGN), BLOCK_ALIGN);
	for (;;) {
		size_t seen = atomic_load_explicit(&regions.count, memory_order_acquire);
		void *block = ask(bytes, align, zero);

		/* A block from anywhere else could not be told from a stranger's. */
		if (block && backend_has(block)) {
			count(block, 1);
			return block;
		}
		if (block)
			mi.free(block);
		if (!add_region(seen))
			return NULL;
	}
}

bool backend_has(const void *p)
{
	size_t count = atomic_load_explicit(&regions.count, memory_order_acquire);

	for (size_t i = 0; i < count; i++)
		if ((size_t)((const char *)p - regions.region[i].start) < regions.region[i].bytes)
			return true;
	return false;
}

void backend_give(void *p)
{
	count(p, -1);
	mi.free(p);
}

size_t backend_bytes(const void *p)
{
	return mi.usable_size(p);
}

void backend_trim(void)
{
	if (mi.on)
		mi.collect(true);
}

void backend_read(struct backend_stats *stats)
{
	*stats = (struct backend_stats){ .regions = atomic_load(&regions.count),
					 .blocks = atomic_load(&live.blocks),
					 .bytes = atomic_load(&live.bytes) };
	for (size_t i = 0; i < stats->regions; i++)
		stats->region_bytes += regions.region[i].bytes;
}

void backend_child(void)
{
	lock_orphaned(&regions.lock);
}
