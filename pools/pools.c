/*
 * pools: the folder's door; which source serves what.
 * Owns: blocks freed inside signal handlers. Calls: all of pools/. Threads:
 * any. Never: sets errno, calls up.
 */
#include "pools/pools.h"
#include "pools/mid.h"
#include "pools/run.h"

#include <string.h>

/* A reservation below this may be used up by a program of usual size. */
enum { SMALL_RESERVATION_GIB = 16 };
/* From here on moving page tables is cheaper than copying, and needs no second home. */
enum { MOVE_MIN_BYTES = 1 << 20 };

/* Mid blocks and runs freed by a handler that interrupted a slow half. */
static _Atomic(void *) deferred;

bool pools_start(size_t arena_bytes)
{
	bool started;

	os_start();
	started = arena_start(arena_bytes);
	heap_start();
	return started;
}

bool pools_stand_by(bool everything)
{
	struct arena_stats stats;

	arena_read(&stats);
	if (!everything && stats.reserved_bytes >= SMALL_RESERVATION_GIB * GiB)
		return false;
	return backend_start(everything);
}

size_t pools_page_bytes(void)
{
	os_start(); /* pools_start may not have been called */
	return os_page_bytes;
}

size_t pools_ram_bytes(void)
{
	return os_ram_bytes();
}

struct heap *pools_self(bool *ended)
{
	struct heap *heap = heap_self;

	*ended = heap == &heap_gone;
	return heap == &heap_none || heap == &heap_gone ? NULL : heap;
}

struct heap *pools_birth(void)
{
	return arena.base ? heap_birth() : NULL;
}

void pools_death(struct heap *heap)
{
	heap_death(heap);
}

void pools_leave(void)
{
	bool ended;
	struct heap *heap = pools_self(&ended);

	if (heap)
		heap_death(heap);
	if (arena.base)
		arena_shrink(0);
}

void pools_tune(const struct pools_config *config)
{
	heap_set_policy(&(struct heap_policy){ .reserve_bytes = config->reserve_bytes,
					       .cache_bytes = config->cache_bytes });
	large_set_cache(config->large_cache_bytes, config->decay_ms);
	arena_set_huge(config->huge);
}

static void prepare_small(unsigned class, size_t blocks)
{
	if (!heap_enter(heap_self))
		return;
	heap_prepare(heap_self, class, blocks);
	heap_leave(heap_self);
}

void pools_prepare(size_t bytes, size_t blocks)
{
	void *list = NULL;

	if (bytes <= SMALL_MAX) {
		for (unsigned class = 0; class < SMALL_CLASSES; class++)
			if (bytes == 0 || class == class_small(bytes))
				prepare_small(class, blocks);
		return;
	}
	/* Touched and freed: they wait in fronts, spans and dirty slices. */
	while (blocks--) {
		void *block = pools_take(heap_self, bytes, BLOCK_ALIGN, false);

		if (!block)
			break;
		for (size_t at = 0; at < bytes; at += os_page_bytes)
			((volatile char *)block)[at] = 0;
		link_set(block, list);
		list = block;
	}
	while (list) {
		void *block = list;

		list = link_next(block);
		if (arena_has(block))
			pools_give(heap_self, block);
		else
			pools_give_far(block);
	}
}

static void give_deferred(struct heap *heap)
{
	void *block, *next;

	if (likely(!atomic_load_explicit(&deferred, memory_order_relaxed)))
		return;
	block = atomic_exchange_explicit(&deferred, NULL, memory_order_acquire);
	for (; block; block = next) {
		next = link_next(block);
		if (span_of(block)->class < FRONT_CLASSES)
			heap_give_front(heap, span_of(block)->class, block);
		else
			run_give(block);
	}
}

/* Between enter and leave. *zeroed: what comes reads as zero. */
static void *take_inside(struct heap *heap, size_t bytes, size_t align, bool *zeroed)
{
	size_t align_slices = align > SLICE_BYTES ? align >> SLICE_SHIFT : 1;

	*zeroed = false;
	give_deferred(heap);
	if (bytes <= SMALL_MAX)
		return heap_take_small(heap, class_small(bytes));
	if (bytes <= RUN_MAX && align_slices == 1)
		return heap_take_front(heap, class_front(bytes), zeroed);
	return run_take(run_slices(bytes), align_slices, zeroed);
}

/* A large dirty run is cheaper given back than written over, where few pages are used. */
static void make_zero(void *block, size_t bytes)
{
	char *from = block, *end = from + align_up(bytes, SLICE_BYTES);

	if (bytes > RUN_MAX)
		for (; from < end; from += size_min((size_t)(end - from), CHUNK_BYTES))
			if (!os_purge(from, size_min((size_t)(end - from), CHUNK_BYTES)))
				break;
	if (from < end)
		memset(from, 0, bytes - (size_t)(from - (char *)block));
}

static void *take_from_heap(struct heap *heap, size_t bytes, size_t align, bool zero)
{
	bool zeroed;
	void *block;

	if (align > BLOCK_ALIGN && align <= SLICE_BYTES && bytes <= MID_MAX)
		bytes = class_aligned(bytes, align);
	else if (align > SLICE_BYTES)
		bytes = size_max(bytes, MID_MAX + 1);
	if (!heap_enter(heap))
		return large_take_now(bytes, align);
	block = take_inside(heap, bytes, align, &zeroed);
	heap_leave(heap);
	if (block && zero && !zeroed)
		make_zero(block, bytes);
	return block;
}

void *pools_take(struct heap *heap, size_t bytes, size_t align, bool zero)
{
	void *block = NULL;

	heap_child();
	if (heap && bytes <= RUN_LIMIT && align <= CHUNK_BYTES)
		block = take_from_heap(heap, bytes, align, zero);
	if (!block)
		block = backend_take(bytes, align, zero);
	/* A mapping each for small blocks would only move the limit to their number. */
	if (!block && (bytes > MID_MAX || align > MiB || !(arena.base || backend_on())))
		block = large_take(bytes, align, zero);
	return block;
}

void *pools_take_late(size_t bytes, size_t align, bool zero)
{
	struct heap *late = heap_late_enter();
	void *block;

	if (!late)
		return large_take_now(bytes, align);
	block = pools_take(late, bytes, align, zero);
	heap_late_leave();
	return block;
}

static void defer(void *p)
{
	void *top = atomic_load_explicit(&deferred, memory_order_relaxed);

	do
		link_set(p, top);
	while (!atomic_compare_exchange_weak_explicit(&deferred, &top, p, memory_order_release,
						      memory_order_relaxed));
}

/* No heap of the caller's can take it: to its owner, or to the shared places. */
static void give_without_heap(struct span *span, void *p)
{
	if (span->kind == SPAN_SMALL)
		heap_push_foreign(span, p);
	else if (span->kind != SPAN_NONE)
		defer(p);
}

void pools_give(struct heap *heap, void *p)
{
	struct span *span = span_of(p);

	if (!heap || !heap_enter(heap)) {
		give_without_heap(span, p);
		return;
	}
	if (span->kind == SPAN_SMALL)
		heap_give_foreign(heap, span, p);
	else if (span->kind != SPAN_NONE && span->class < FRONT_CLASSES)
		heap_give_front(heap, span->class, p);
	else if (span->kind == SPAN_RUN)
		run_give(p);
	heap_leave(heap);
}

bool pools_give_far(void *p)
{
	heap_child();
	if (backend_has(p)) {
		backend_give(p);
		return true;
	}
	return large_give(p);
}

static size_t span_block_bytes(const struct span *span)
{
	switch (span->kind) {
	case SPAN_SMALL:
		return class_small_bytes[span->class];
	case SPAN_MID:
		return class_mid_bytes[span->class];
	case SPAN_RUN:
		return span->slices * SLICE_BYTES;
	default:
		return 0;
	}
}

size_t pools_bytes(const void *p)
{
	if (arena_has(p))
		return span_block_bytes(span_of(p));
	if (backend_has(p))
		return backend_bytes(p);
	return large_bytes(p);
}

/* In place, or by moving pages into a mapping of its own, which can be remapped further. */
static void *resize_run(void *run, size_t bytes)
{
	size_t had = span_of(run)->slices * SLICE_BYTES;
	void *moved;

	if (bytes <= RUN_LIMIT && run_resize(run, run_slices(bytes)))
		return run;
	if (had < MOVE_MIN_BYTES || bytes < had)
		return NULL;
	moved = large_adopt(run, had, bytes);
	if (moved)
		run_give_clean(run);
	return moved;
}

void *pools_resize(void *p, size_t bytes)
{
	if (!arena_has(p))
		return backend_has(p) ? NULL : large_resize(p, bytes);
	if (span_of(p)->kind != SPAN_RUN || bytes <= MID_MAX)
		return NULL;
	return resize_run(p, bytes);
}

size_t pools_limit(size_t address_bytes)
{
	struct arena_stats before, after;
	size_t more;

	if (!arena.base)
		return address_bytes;
	arena_read(&before);
	if (address_bytes <= before.reserved_bytes) {
		arena_shrink(address_bytes / ARENA_ADDRESS_SHARE);
		return address_bytes;
	}
	more = (address_bytes - before.reserved_bytes) / ARENA_ADDRESS_SHARE;
	arena_shrink(before.open_bytes + more);
	arena_read(&after);
	return address_bytes - (before.reserved_bytes - after.reserved_bytes);
}

static void trim_inside(struct heap *heap)
{
	heap_collect(heap);
	heap_give_up(heap);
	heap_trim(heap);
}

size_t pools_trim(void)
{
	struct heap *heap, *dead;
	bool ended;
	size_t given;

	heap_child();
	heap = pools_self(&ended);
	if (heap && !heap_enter(heap))
		return 0;
	if (heap)
		trim_inside(heap);
	/* Inside its own heap to the end: a signal handler must not meet locks of mid. */
	given = mid_purge();
	for (dead = heap_first(); dead; dead = dead->next) {
		if (!dead->dead || !heap_try(dead))
			continue;
		if (dead->dead)
			trim_inside(dead);
		heap_leave(dead);
	}
	if (heap)
		heap_leave(heap);
	backend_trim();
	given += large_purge(UINT64_MAX);
	return given + arena_purge(SIZE_MAX);
}

/* A look at every record; what moves meanwhile is counted as it was or will be. */
static void count_blocks(struct pools_stats *stats)
{
	size_t slices = arena_slices();

	for (size_t i = 0; i < slices; i++) {
		const struct span *span = span_at(i);
		size_t blocks = 0;

		if (span->kind == SPAN_SMALL)
			blocks = span->carved - span_listed(span) - span_remote(span);
		else if (span->kind == SPAN_MID && span->back == 0)
			blocks = span->capacity - (size_t)__builtin_popcountll(span->bits);
		else if (span->kind == SPAN_RUN)
			blocks = 1;
		stats->arena_blocks += blocks;
		stats->arena_bytes += blocks * span_block_bytes(span);
	}
}

void pools_read(struct pools_stats *stats)
{
	*stats = (struct pools_stats){ 0 };
	count_blocks(stats);
	arena_read(&stats->arena);
	large_read(&stats->large);
	backend_read(&stats->backend);
	for (struct heap *heap = heap_first(); heap; heap = heap->next) {
		stats->heaps++;
		stats->heaps_dead += heap->dead;
	}
}

void pools_child(void)
{
	heap_child_sure();
}
