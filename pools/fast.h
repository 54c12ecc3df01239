/*
 * fast: the hit paths of malloc and free, whole.
 *
 * Nothing here is atomic, locked or counted; whatever is rare hangs on "the
 * list is empty" and "the count is zero". The owner's thread only; not to be
 * entered again by a signal handler, as glibc's is not.
 */
#ifndef WEIR_FAST_H
#define WEIR_FAST_H

#include "pools/heap.h"

/* Up to SMALL_MAX bytes; NULL: ask pools_take. */
static always_inline void *fast_take_small(size_t bytes)
{
	struct heap *heap = heap_self;
	unsigned class = class_small(bytes);
	void *block = heap->head[class];

	if (likely(block))
		heap->head[class] = link_next(block);
	return block;
}

/* Above SMALL_MAX, up to RUN_MAX bytes; NULL: ask pools_take. */
static always_inline void *fast_take_front(size_t bytes)
{
	return front_pop(&heap_self->front[class_front(bytes)]);
}

enum fast_given { FAST_DONE, FAST_SETTLE, FAST_OTHER, FAST_FAR };

/*
 * Frees a small block of the caller's own. FAST_SETTLE: done, and heap_settle
 * is due for its span. FAST_OTHER: not done, in the arena. FAST_FAR: not done,
 * elsewhere (NULL, too).
 */
static always_inline enum fast_given fast_give(void *p)
{
	struct span *span;

	if (unlikely(!arena_has(p)))
		return FAST_FAR;
	span = span_of(p);
	if (unlikely(load_relaxed(&span->owner) != heap_self))
		return FAST_OTHER;
	link_set(p, span->lfree);
	span->lfree = p;
	compiler_barrier(); /* the block is listed before it is counted (span.h, I1) */
	if (unlikely(--span->count == 0))
		return FAST_SETTLE;
	return FAST_DONE;
}

/*
 * Frees a block in the arena that is no small block of the caller's: a mid
 * block or a run into a front, another heap's small block into its batch.
 * False: not done; ask pools_give.
 */
static always_inline bool fast_give_other(void *p)
{
	struct span *span = span_of(p);
	struct heap *heap = heap_self;
	struct batch *batch;

	if (span->kind != SPAN_SMALL) {
		if (unlikely(span->kind == SPAN_NONE || span->class >= FRONT_CLASSES))
			return false;
		return front_push(&heap->front[span->class], p);
	}
	batch = heap_batch(heap, span);
	if (unlikely(batch->span != span || batch->blocks + 1 >= batch->blocks_max))
		return false;
	link_set(p, batch->first);
	batch->first = p;
	batch->blocks++;
	return true;
}

#endif
