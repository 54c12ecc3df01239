/*
 * mid: blocks of 4 to 32 KiB, shared by all threads.
 * Owns: one list of spans with free blocks per class, and its lock.
 * Calls: arena, span, os. Threads: any. Never: writes into a free block.
 */
#include "pools/mid.h"
#include "pools/os.h"

static struct {
	_Alignas(CACHE_LINE) struct lock lock;
	struct span *list;
} classes[MID_CLASSES];

static uint64_t all_blocks(const struct span *span)
{
	return span->capacity == 64 ? ~(uint64_t)0 : ((uint64_t)1 << span->capacity) - 1;
}

static void publish(struct span *span, unsigned class, unsigned slices)
{
	for (unsigned i = 0; i < slices; i++) {
		span[i].owner = NULL;
		span[i].class = (uint8_t)class;
		span[i].back = (uint8_t)i;
		span[i].slices = slices;
		span[i].kind = SPAN_MID;
	}
	span->capacity = (uint16_t)(slices * SLICE_BYTES / class_mid_bytes[class]);
	span->bits = span->purged = 0; /* not yet in the list (I1) */
}

/* A new span; the lock of the class is not held. */
static struct span *open_span(unsigned class)
{
	unsigned slices = class_mid_slices[class];
	bool dirty;
	size_t index = arena_take(slices, 1, ARENA_SPARSE, &dirty);

	if (index == ARENA_NONE)
		return NULL;
	publish(span_at(index), class, slices);
	return span_at(index);
}

static void close_span(struct span *span)
{
	unsigned slices = span->slices;

	span->bits = 0;
	for (unsigned i = 0; i < slices; i++)
		span[i].kind = SPAN_NONE;
	arena_give(span_index(span), slices, true);
}

/* Pops up to want blocks of one span. Under the lock. */
static unsigned pop_blocks(struct span *span, void **blocks, unsigned want)
{
	size_t bytes = class_mid_bytes[span->class];
	char *start = span_start(span);
	uint64_t bits = span->bits;
	unsigned n = 0;

	for (; n < want && bits; bits &= bits - 1)
		blocks[n++] = start + (size_t)__builtin_ctzll(bits) * bytes;
	span->bits = bits;
	span->purged &= bits;
	if (!bits)
		span_unlink(&classes[span->class].list, span);
	return n;
}

unsigned mid_take(unsigned class, void **blocks, unsigned want)
{
	unsigned n = 0;

	lock_take(&classes[class].lock);
	while (n < want && classes[class].list)
		n += pop_blocks(classes[class].list, blocks + n, want - n);
	if (n == 0) {
		struct span *span;

		lock_drop(&classes[class].lock);
		span = open_span(class);
		if (!span)
			return 0;
		lock_take(&classes[class].lock);
		span->bits = all_blocks(span);
		span_link(&classes[class].list, span);
		n = pop_blocks(span, blocks, 1);
	}
	lock_drop(&classes[class].lock);
	return n;
}

/* Under the lock: true if the span is empty now and another has room. */
static bool push_block(struct span *span, void *block)
{
	size_t bytes = class_mid_bytes[span->class];
	uint64_t bit = (uint64_t)1 << ((size_t)((char *)block - span_start(span)) / bytes);
	struct span **list = &classes[span->class].list;

	if (!span->bits)
		span_link(list, span);
	span->bits |= bit;
	if (span->bits != all_blocks(span) || (*list == span && !span->next))
		return false;
	span_unlink(list, span);
	return true;
}

void mid_give(unsigned class, void *const *blocks, unsigned count)
{
	lock_take(&classes[class].lock);
	for (unsigned i = 0; i < count; i++) {
		struct span *span = mid_span(blocks[i]);

		if (push_block(span, blocks[i]))
			close_span(span);
	}
	lock_drop(&classes[class].lock);
}

/*
 * Gives whole pages inside runs of the free blocks `bits` back, but for runs that
 * had been. Counts what is new, and returns the blocks whose pages are gone.
 */
static uint64_t purge_holes(struct span *span, uint64_t bits, size_t *given)
{
	size_t bytes = class_mid_bytes[span->class];
	uint64_t gone = bits & span->purged;

	while (bits) {
		unsigned at = (unsigned)__builtin_ctzll(bits);
		uint64_t rest = bits >> at;
		unsigned n = ~rest ? (unsigned)__builtin_ctzll(~rest) : 64;
		uint64_t run = (n == 64 ? ~(uint64_t)0 : ((uint64_t)1 << n) - 1) << at;
		uintptr_t from = align_up((uintptr_t)span_start(span) + at * bytes, os_page_bytes);
		uintptr_t to = align_down((uintptr_t)span_start(span) + (at + n) * bytes,
					  os_page_bytes);

		if (from >= to) {
			gone |= run; /* nothing of it can go */
		} else if ((run & ~span->purged) && os_purge((char *)from, to - from)) {
			gone |= run;
			*given += size_min(to - from, bytes * (size_t)__builtin_popcountll(
							       run & ~span->purged));
		}
		bits &= ~run;
	}
	return gone;
}

/*
 * The free blocks of one span are taken out while they are purged: nobody waits
 * for the kernel under the lock, and a child forked meanwhile only misses them.
 */
static size_t purge_span(struct span *span, unsigned class)
{
	struct span **list = &classes[class].list;
	uint64_t bits = 0, gone;
	size_t given = 0;

	lock_take(&classes[class].lock);
	if (span->kind == SPAN_MID && span->class == class && span->back == 0)
		bits = span->bits;
	if (!(bits & ~span->purged)) {
		lock_drop(&classes[class].lock);
		return 0;
	}
	span->bits = 0;
	span_unlink(list, span);
	lock_drop(&classes[class].lock);
	gone = purge_holes(span, bits, &given);
	lock_take(&classes[class].lock);
	if (!span->bits)
		span_link(list, span);
	span->bits |= bits;
	span->purged |= gone;
	if (span->bits == all_blocks(span)) {
		span_unlink(list, span);
		close_span(span);
	}
	lock_drop(&classes[class].lock);
	return given;
}

size_t mid_purge(void)
{
	size_t given = 0;

	for (size_t i = 0; i < arena_slices(); i++) {
		struct span *span = span_at(i);

		if (span->kind == SPAN_MID && span->back == 0 && span->class < MID_CLASSES)
			given += purge_span(span, span->class);
	}
	return given;
}

void mid_child(void)
{
	bool held[MID_CLASSES], any = false;

	for (unsigned class = 0; class < MID_CLASSES; class++) {
		held[class] = lock_orphaned(&classes[class].lock);
		any |= held[class];
		if (held[class])
			classes[class].list = NULL;
	}
	for (size_t i = 0; any && i < arena_slices(); i++) {
		struct span *span = span_at(i);

		if (span->kind == SPAN_MID && span->back == 0 && held[span->class] && span->bits)
			span_link(&classes[span->class].list, span);
	}
}
