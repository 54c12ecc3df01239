/*
 * span: the record of a slice, and small blocks of one class in one slice.
 *
 * Every slice has a record, out of line: nothing of ours lies between blocks,
 * so pages can be given back whole and an overflow reaches no metadata.
 *
 * A small span belongs to one heap. Its blocks are in one of these places:
 *   held     by the program, in the heap's detached list, or in a freer's batch
 *   lfree    freed by the owner's thread
 *   remote   freed by others, waiting in the remote word
 *   uncarved never yet handed out
 *
 * I1  lfree holds listed + (armed - count) blocks; `count` falls by one with
 *     each local free, after lfree was stored, and at 0 the slow half runs.
 * I2  carved = held + blocks on lfree + blocks on remote.
 * I3  Who makes the remote word leave 0 pushes the span on its owner's notify
 *     stack, once; only who popped it there may clear the word. So a span with
 *     a remote block is never closed.
 * I4  owner changes only while the span holds no block of the program.
 */
#ifndef WEIR_SPAN_H
#define WEIR_SPAN_H

#include "pools/arena.h"

struct heap;

enum span_kind { SPAN_NONE, SPAN_SMALL, SPAN_MID, SPAN_RUN };

enum span_state {
	SPAN_CURRENT, /* its list is detached in heap.head */
	SPAN_FULL,    /* in no list; count armed for "worth using again" */
	SPAN_PARTIAL, /* in heap.partial; count armed for "empty" */
};

struct span {
	/* The owner's line: written by the owner (small), or under the class lock (mid). */
	struct heap *owner; /* of a small span; NULL in all others */
	void *lfree;
	uint32_t count, armed;
	uint8_t kind, class, state, back; /* back: slices to the span's first record */
	uint16_t listed, carved, capacity, blocks_free;
	uint32_t slices;
	struct span *next, *prev;
	/* The others' line. */
	_Alignas(CACHE_LINE) _Atomic uint64_t remote; /* count:16 | pointer:48 */
	struct span *notify_next;
	void *remote_last; /* of the remote chain; by who pushes the span on the stack, before */
	/* Of a mid span, under the class lock. */
	uint64_t bits;	 /* free blocks */
	uint64_t purged; /* of these, whose pages were given back */
};
_Static_assert(sizeof(struct span) == RECORD_BYTES, "a record is two cache lines");
_Static_assert(offsetof(struct span, remote) == CACHE_LINE, "owner and others apart");

/* Never reached by counting down the frees of one span. */
#define SPAN_NEVER ((uint32_t)1 << 30)

/* A current span for heaps that have none: empty, wholly carved, no block. */
extern struct span span_none;

static always_inline struct span *span_at(size_t index)
{
	return (struct span *)(void *)(arena.records + (index << RECORD_SHIFT));
}

/* The record of the slice that holds p; only if arena_has(p). */
static always_inline struct span *span_of(const void *p)
{
	return span_at(arena_index(p));
}

static inline size_t span_index(const struct span *span)
{
	return (size_t)((const char *)span - arena.records) >> RECORD_SHIFT;
}

static inline char *span_start(const struct span *span)
{
	return arena_address(span_index(span));
}

/* Free blocks are linked through their first word. */
static always_inline void *link_next(void *block)
{
	return *(void **)block;
}

static always_inline void link_set(void *block, void *next)
{
	*(void **)block = next;
}

/* A slice from the arena as an empty small span; NULL when there is none. */
struct span *span_take(enum arena_use use);
/* Makes an empty small span one of `class`, nothing carved. */
void span_open(struct span *span, struct heap *owner, unsigned class);
/* Gives an empty small span's slice to the arena. */
void span_give(struct span *span);
/* Links up to about a page of fresh blocks; NULL when all are carved. */
void *span_carve(struct span *span);
/* Takes the blocks freed by the owner since the last time; sets count to never. */
void *span_detach(struct span *span);
/* Blocks on lfree, now. */
uint32_t span_listed(const struct span *span);
/*
 * Brings listed up to date and arms count by the state. True if the program
 * holds no block of the span any more (never for a current one).
 */
bool span_settle(struct span *span);
/* Whether a full span has enough free blocks to be worth using again. */
bool span_worth(const struct span *span);

/* Blocks in the remote word. */
static inline uint32_t span_remote(const struct span *span)
{
	return (uint32_t)(atomic_load_explicit(&span->remote, memory_order_relaxed) >> 48);
}

/* Any thread: hands a chain of freed blocks to the owner; true: notify it. */
bool span_push_remote(struct span *span, void *first, void *last, unsigned blocks);
/* Who popped the span from the notify stack: moves remote blocks to lfree. */
void span_collect(struct span *span);

/* Doubly linked list of spans. */
void span_link(struct span **list, struct span *span);
void span_unlink(struct span **list, struct span *span);

#endif
