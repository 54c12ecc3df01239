/*
 * heap: the slow halves of a thread's malloc and free.
 * Owns: the heaps' slow state. Calls: span, mid, run, arena. Threads: the
 * owner, or who won heap_try(). Never: calls up, sets errno.
 */
#include "pools/heap.h"
#include "pools/mid.h"
#include "pools/os.h"
#include "pools/run.h"

enum { FRONT_BYTES_MAX = 4 << 20 };

static struct heap_policy policy = { .reserve_bytes = 4 * SLICE_BYTES, .cache_bytes = 64 * MiB };
/* What reserves and fronts of all heaps may hold by now. */
static _Atomic size_t cache_claimed;

void heap_set_policy(const struct heap_policy *next)
{
	store_relaxed(&policy.reserve_bytes, next->reserve_bytes);
	store_relaxed(&policy.cache_bytes, next->cache_bytes);
}

/* Claims room for caches out of the total; false: the total is reached. */
static bool claim_cache(size_t bytes)
{
	size_t had = atomic_fetch_add_explicit(&cache_claimed, bytes, memory_order_relaxed);

	if (had + bytes <= load_relaxed(&policy.cache_bytes))
		return true;
	atomic_fetch_sub_explicit(&cache_claimed, bytes, memory_order_relaxed);
	return false;
}

static void unclaim_cache(size_t bytes)
{
	atomic_fetch_sub_explicit(&cache_claimed, bytes, memory_order_relaxed);
}

/* An empty span leaves the heap, or waits in the reserve for any class. */
static void close_span(struct heap *heap, struct span *span)
{
	heap->spans--;
	if (heap->fresh[span->class] == span)
		heap->fresh[span->class] = &span_none;
	if (heap->reserve_spans == heap->reserve_max &&
	    (heap->reserve_max + 1) * SLICE_BYTES <= load_relaxed(&policy.reserve_bytes) &&
	    claim_cache(SLICE_BYTES))
		heap->reserve_max++;
	if (heap->reserve_spans >= heap->reserve_max) {
		span_give(span);
		return;
	}
	span->next = heap->reserve;
	heap->reserve = span;
	heap->reserve_spans++;
}

void heap_settle(struct heap *heap, struct span *span)
{
	bool was_full = span->state == SPAN_FULL;

	if (was_full && span_worth(span))
		span->state = SPAN_PARTIAL;
	if (span_settle(span)) {
		if (!was_full)
			span_unlink(&heap->partial[span->class], span);
		close_span(heap, span);
	} else if (was_full && span->state == SPAN_PARTIAL) {
		span_link(&heap->partial[span->class], span);
	}
}

bool heap_collect(struct heap *heap)
{
	struct span *span, *next;

	if (!atomic_load_explicit(&heap->notify, memory_order_relaxed))
		return false;
	span = atomic_exchange_explicit(&heap->notify, NULL, memory_order_acquire);
	for (; span; span = next) {
		next = span->notify_next; /* before the word is cleared: then it may be pushed again */
		span_collect(span);
		heap_settle(heap, span);
	}
	return true;
}

/* The current span has nothing left: it waits until enough of it is freed. */
static void leave_current(struct heap *heap, unsigned class, struct span *next)
{
	struct span *old = heap->current[class];

	heap->current[class] = next;
	next->state = SPAN_CURRENT;
	if (old == &span_none || old == next)
		return;
	old->state = SPAN_FULL;
	span_settle(old);
}

static struct span *open_fresh(struct heap *heap, unsigned class)
{
	struct span *span = heap->reserve;

	if (span) {
		heap->reserve = span->next;
		heap->reserve_spans--;
	} else {
		span = span_take(heap->spans >= HEAP_DENSE_SPANS ? ARENA_DENSE : ARENA_SPARSE);
		if (!span)
			return NULL;
	}
	heap->spans++;
	span_open(span, heap, class);
	heap->fresh[class] = span;
	return span;
}

/* A list of free blocks of the class, from the cheapest source; NULL: no memory. */
static void *refill(struct heap *heap, unsigned class)
{
	struct span *span = heap->current[class];
	void *list = span_detach(span);

	if (list)
		return list;
	if (heap_collect(heap) && (list = span_detach(heap->current[class])))
		return list;
	span = heap->partial[class];
	if (span) {
		span_unlink(&heap->partial[class], span);
		leave_current(heap, class, span);
		return span_detach(span);
	}
	span = heap->fresh[class];
	list = span == &span_none ? NULL : span_carve(span);
	if (!list) {
		span = open_fresh(heap, class);
		if (!span)
			return NULL;
		list = span_carve(span);
	}
	if (span != heap->current[class]) {
		/* Blocks freed since it was left come with the next refill. */
		leave_current(heap, class, span);
		span_settle(span);
	}
	return list;
}

void *heap_take_small(struct heap *heap, unsigned class)
{
	/* Not empty if a signal handler filled it meanwhile; whole, so that one pops nothing now. */
	void *block = __atomic_exchange_n(&heap->head[class], NULL, __ATOMIC_RELAXED);

	if (!block)
		block = refill(heap, class);
	if (block)
		heap->head[class] = link_next(block);
	return block;
}

void heap_prepare(struct heap *heap, unsigned class, size_t blocks)
{
	while (blocks) {
		void *list = refill(heap, class), *last = list;

		if (!list)
			return;
		for (blocks--; link_next(last) && blocks; blocks--)
			last = link_next(last);
		while (link_next(last))
			last = link_next(last);
		link_set(last, heap->head[class]);
		heap->head[class] = list;
	}
}

/*
 * Shut while a slow half works on it: a push or pop of a signal handler then
 * goes slow too, and finds the heap held.
 */
static void shut_front(struct front *front)
{
	store_relaxed(&front->lim, 0);
	store_relaxed(&front->lo, UINT32_MAX);
	compiler_barrier();
}

static void open_front(struct front *front)
{
	compiler_barrier();
	store_relaxed(&front->lo, 0);
	store_relaxed(&front->lim, front->room);
}

/* Gives the oldest `count` blocks of a front to where they came from. */
static void flush_front(struct heap *heap, unsigned class, uint32_t count)
{
	struct front *front = &heap->front[class];

	if (class < MID_CLASSES)
		mid_give(class, front->slot, count);
	else
		for (uint32_t i = 0; i < count; i++)
			run_give(front->slot[i]);
	for (uint32_t i = count; i < front->n; i++)
		front->slot[i - count] = front->slot[i];
	front->n -= count;
}

/* Takes half of another front's room, the next one in turn that has any. */
static size_t steal_room(struct heap *heap, unsigned class)
{
	for (unsigned i = 0; i < FRONT_CLASSES; i++) {
		unsigned victim = heap->steal_at = (heap->steal_at + 1) % FRONT_CLASSES;
		struct front *front = &heap->front[victim];
		uint32_t room = front->room / 2;
		size_t freed = (front->room - room) * class_front_bytes(victim);

		if (victim == class || front->room == 0)
			continue;
		shut_front(front);
		front->room = room;
		if (front->n > room)
			flush_front(heap, victim, front->n - room);
		open_front(front);
		return freed;
	}
	return 0;
}

/* A front overflowed: lets it hold twice as many while the bounds allow. */
static void grow_front(struct heap *heap, unsigned class)
{
	struct front *front = &heap->front[class];
	uint32_t room = front->room ? front->room * 2 : 1;
	size_t more;

	room = room > FRONT_SLOTS ? FRONT_SLOTS : room;
	more = (room - front->room) * class_front_bytes(class);
	if (room == front->room)
		return;
	if (heap->front_bytes + more > FRONT_BYTES_MAX) {
		size_t freed = steal_room(heap, class);

		heap->front_bytes -= freed;
		unclaim_cache(freed);
		if (heap->front_bytes + more > FRONT_BYTES_MAX)
			return;
	}
	if (!claim_cache(more))
		return;
	heap->front_bytes += more;
	front->room = room;
}

void heap_give_front(struct heap *heap, unsigned class, void *block)
{
	struct front *front = &heap->front[class];

	shut_front(front);
	if (front->n >= front->room) {
		grow_front(heap, class);
		if (front->n >= front->room && front->n)
			flush_front(heap, class, (front->n + 1) / 2);
	}
	if (front->n < front->room)
		front->slot[front->n++] = block;
	else if (class < MID_CLASSES)
		mid_give(class, &block, 1);
	else
		run_give(block);
	open_front(front);
}

void *heap_take_front(struct heap *heap, unsigned class, bool *zero)
{
	struct front *front = &heap->front[class];
	void *blocks[FRONT_SLOTS];
	unsigned n;

	shut_front(front);
	*zero = false;
	blocks[0] = NULL;
	if (front->n) {
		blocks[0] = front->slot[--front->n];
	} else if (class >= MID_CLASSES) {
		blocks[0] = run_take(class - MID_CLASSES + 1, 1, zero);
	} else {
		n = mid_take(class, blocks, front->room / 2 + 1);
		while (n > 1)
			front->slot[front->n++] = blocks[--n];
	}
	open_front(front);
	return blocks[0];
}

/* Hands a chain of blocks to their span's owner. */
static void push_chain(struct span *span, void *first, void *last, unsigned blocks)
{
	struct heap *owner = load_relaxed(&span->owner);
	struct span *top;

	if (!span_push_remote(span, first, last, blocks))
		return;
	top = atomic_load_explicit(&owner->notify, memory_order_relaxed);
	do
		span->notify_next = top;
	while (!atomic_compare_exchange_weak_explicit(&owner->notify, &top, span,
						      memory_order_release, memory_order_relaxed));
}

void heap_push_foreign(struct span *span, void *block)
{
	push_chain(span, block, block, 1);
}

static void flush_batch(struct batch *batch)
{
	if (!batch->span)
		return;
	push_chain(batch->span, batch->first, batch->last, batch->blocks);
	batch->span = NULL;
	batch->blocks = 0;
}

void heap_give_foreign(struct heap *heap, struct span *span, void *block)
{
	struct batch *batch = heap_batch(heap, span);
	size_t bytes = class_small_bytes[span->class];

	if (batch->span == span) {
		link_set(block, batch->first);
		batch->first = block;
		batch->blocks++;
		flush_batch(batch);
		return;
	}
	flush_batch(batch);
	batch->blocks_max = (uint32_t)size_min(BATCH_BLOCKS, BATCH_BYTES / bytes);
	batch->first = batch->last = block;
	batch->blocks = 1;
	batch->span = span;
}

/* The detached list goes back, and the current span may turn out empty. */
static void give_up_current(struct heap *heap, unsigned class)
{
	void *block = __atomic_exchange_n(&heap->head[class], NULL, __ATOMIC_RELAXED);
	struct span *current = heap->current[class];
	void *next;

	for (; block; block = next) {
		struct span *span = span_of(block);

		next = link_next(block);
		link_set(block, span->lfree);
		span->lfree = block;
		if (--span->count == 0)
			heap_settle(heap, span);
	}
	if (current == &span_none)
		return;
	heap->current[class] = &span_none;
	current->state = SPAN_FULL;
	heap_settle(heap, current);
}

void heap_give_up(struct heap *heap)
{
	for (unsigned class = 0; class < SMALL_CLASSES; class++)
		give_up_current(heap, class);
}

void heap_trim(struct heap *heap)
{
	for (unsigned i = 0; i < BATCHES; i++)
		flush_batch(&heap->batch[i]);
	for (unsigned class = 0; class < FRONT_CLASSES; class++) {
		shut_front(&heap->front[class]);
		if (heap->front[class].n)
			flush_front(heap, class, heap->front[class].n);
		heap->front[class].room = 0;
		open_front(&heap->front[class]);
	}
	while (heap->reserve) {
		struct span *span = heap->reserve;

		heap->reserve = span->next;
		span_give(span);
	}
	unclaim_cache(heap->front_bytes + heap->reserve_max * SLICE_BYTES);
	heap->front_bytes = 0;
	heap->reserve_spans = heap->reserve_max = 0;
}
