/*
 * span: small blocks of one class in one slice.
 * Owns: records of small slices. Calls: arena, class. Threads: the owner, but
 * for span_push_remote (any). Never: decides which span is used next.
 */
#include "pools/span.h"

/* A full span is used again when this share of its blocks is free. */
enum { WORTH_SHARE = 8, POINTER_BITS = 48 };

#define POINTER_MASK (((uint64_t)1 << POINTER_BITS) - 1)

struct span span_none = { .count = SPAN_NEVER, .armed = SPAN_NEVER, .state = SPAN_CURRENT };

struct span *span_take(enum arena_use use)
{
	bool dirty;
	size_t index = arena_take(1, 1, use, &dirty);

	return index == ARENA_NONE ? NULL : span_at(index);
}

void span_open(struct span *span, struct heap *owner, unsigned class)
{
	span->lfree = NULL;
	span->count = span->armed = SPAN_NEVER;
	span->kind = SPAN_SMALL;
	span->class = (uint8_t)class;
	span->state = SPAN_CURRENT;
	span->back = 0;
	span->listed = span->carved = 0;
	span->capacity = (uint16_t)(SLICE_BYTES / class_small_bytes[class]);
	span->slices = 1;
	store_relaxed(&span->owner, owner);
}

void span_give(struct span *span)
{
	store_relaxed(&span->owner, NULL);
	span->kind = SPAN_NONE;
	arena_give(span_index(span), 1, span->carved > 0);
}

void *span_carve(struct span *span)
{
	size_t bytes = class_small_bytes[span->class];
	unsigned blocks = (unsigned)size_min(class_small_carve[span->class],
					     (size_t)(span->capacity - span->carved));
	char *first = span_start(span) + span->carved * bytes;
	char *block = first;

	if (blocks == 0)
		return NULL;
	for (unsigned i = 1; i < blocks; i++, block += bytes)
		link_set(block, block + bytes);
	link_set(block, NULL);
	span->carved = (uint16_t)(span->carved + blocks);
	return first;
}

uint32_t span_listed(const struct span *span)
{
	return span->listed + (span->armed - span->count);
}

void *span_detach(struct span *span)
{
	void *list = span->lfree;

	span->lfree = NULL;
	span->listed = 0;
	span->count = span->armed = SPAN_NEVER;
	return list;
}

static uint32_t worth(const struct span *span)
{
	uint32_t share = span->carved / WORTH_SHARE;

	return share ? share : 1;
}

bool span_worth(const struct span *span)
{
	return span_listed(span) >= worth(span);
}

bool span_settle(struct span *span)
{
	uint32_t listed = span_listed(span);
	uint32_t held = span->carved - listed;

	span->listed = (uint16_t)listed;
	if (span->state == SPAN_CURRENT)
		span->armed = SPAN_NEVER;
	else if (span->state == SPAN_FULL && listed < worth(span))
		span->armed = worth(span) - listed;
	else
		span->armed = held ? held : SPAN_NEVER;
	span->count = span->armed;
	return held == 0 && span->state != SPAN_CURRENT;
}

bool span_push_remote(struct span *span, void *first, void *last, unsigned blocks)
{
	uint64_t old = atomic_load_explicit(&span->remote, memory_order_relaxed);
	uint64_t new;

	do {
		link_set(last, (void *)(uintptr_t)(old & POINTER_MASK));
		new = (uint64_t)(uintptr_t)first |
		      ((old >> POINTER_BITS) + blocks) << POINTER_BITS;
	} while (!atomic_compare_exchange_weak_explicit(&span->remote, &old, new,
							memory_order_release,
							memory_order_relaxed));
	if (old == 0)
		span->remote_last = last; /* this thread's to write until the span is notified */
	return old == 0;
}

void span_collect(struct span *span)
{
	/* Before the word is cleared: then the next freer writes its own. */
	void *last = span->remote_last;
	uint64_t word = atomic_exchange_explicit(&span->remote, 0, memory_order_acquire);
	void *first = (void *)(uintptr_t)(word & POINTER_MASK);

	if (!first)
		return;
	link_set(last, span->lfree);
	span->listed = (uint16_t)(span->listed + (word >> POINTER_BITS));
	span->lfree = first;
}

void span_link(struct span **list, struct span *span)
{
	span->prev = NULL;
	span->next = *list;
	if (span->next)
		span->next->prev = span;
	*list = span;
}

void span_unlink(struct span **list, struct span *span)
{
	if (span->prev)
		span->prev->next = span->next;
	else
		*list = span->next;
	if (span->next)
		span->next->prev = span->prev;
}
