/*
 * heap: a thread's blocks. Heaps are never freed: a thread's death leaves its
 * heap, spans and all, to the next thread born.
 *
 * Fast paths (fast.h) are the owner's alone and take no lock; every slow half
 * runs between heap_enter() and heap_leave(), so that who holds the lock from
 * outside finds the slow state consistent.
 *
 * I1  head[c] is a list of blocks of class c that its spans count as held.
 * I2  current[c] is the span whose blocks were detached last; span_none at first.
 * I3  fresh[c] is the span that may have uncarved blocks, or span_none.
 * I4  Between a heap's birth and death exactly one thread has it in heap_self.
 */
#ifndef WEIR_HEAP_H
#define WEIR_HEAP_H

#include "pools/front.h"
#include "pools/span.h"

enum {
	/* A heap of so many spans is dense: earlier, huge pages only make programs big. */
	HEAP_DENSE_SPANS = 128,
	BATCHES = 32,
	BATCH_BLOCKS = 32,
	/* Bytes that one batch may hold back from their owner. */
	BATCH_BYTES = 8 * 1024,
};

/* Foreign blocks of one span, freed here and not yet handed to their owner. */
struct batch {
	struct span *span;
	void *first, *last;
	uint32_t blocks, blocks_max;
};

enum { HEAP_FREE, HEAP_OWNER, HEAP_OTHER };

struct heap {
	/* Fast paths. */
	void *head[SMALL_CLASSES];
	struct batch batch[BATCHES];
	struct front front[FRONT_CLASSES];
	/* Slow halves, under the lock. */
	struct span *current[SMALL_CLASSES];
	struct span *fresh[SMALL_CLASSES];
	struct span *partial[SMALL_CLASSES];
	struct span *reserve; /* empty spans, linked by next */
	unsigned reserve_spans, reserve_max;
	size_t spans; /* small spans, those in reserve not counted */
	size_t front_bytes; /* what the fronts' room may hold */
	unsigned steal_at;  /* front whose room is taken next */
	bool dead;		/* its thread has ended */
	bool listed;		/* among the dead; this and next_dead under the registry's lock */
	struct heap *next_dead;
	struct heap *next;	/* all heaps; written before it is published */
	/* Others' line. */
	_Alignas(CACHE_LINE) _Atomic int lock; /* HEAP_FREE, _OWNER, _OTHER */
	_Atomic(struct span *) notify;	       /* spans with remote blocks */
};

/* The calling thread's heap; never NULL. */
extern __thread struct heap *heap_self __attribute__((tls_model("initial-exec")));
/* No heap yet; no heap any more. Empty, shared, never owned. */
extern struct heap heap_none, heap_gone;

/* What policy lets heaps keep; set by pools_start and live options. */
struct heap_policy {
	size_t reserve_bytes; /* empty spans, each heap */
	size_t cache_bytes;   /* reserves and fronts of all heaps together */
};
void heap_set_policy(const struct heap_policy *policy);

/* Gives the calling thread a heap; NULL when there is no memory. Sets heap_self. */
struct heap *heap_birth(void);
/* The calling thread is about to end: its heap goes to the dead, heap_self = &heap_gone. */
void heap_death(struct heap *heap);

/*
 * Begins a slow half of the caller's own heap. False: this thread is inside
 * one already, so this is a signal handler; nothing of the heap may be touched.
 */
bool heap_enter(struct heap *heap);
void heap_leave(struct heap *heap);
/* From outside: true if the heap was free and is the caller's until heap_leave. */
bool heap_try(struct heap *heap);

/* Between enter and leave: */
void *heap_take_small(struct heap *heap, unsigned class); /* NULL: no memory */
void *heap_take_front(struct heap *heap, unsigned front, bool *zero);
void heap_give_front(struct heap *heap, unsigned front, void *block);
/* count reached 0 in a local free. */
void heap_settle(struct heap *heap, struct span *span);
/* A block of another heap's span goes into the batches. */
void heap_give_foreign(struct heap *heap, struct span *span, void *block);
/* Takes in what others freed. True if there was anything. */
bool heap_collect(struct heap *heap);
/* Gives up caches: batches, fronts, reserve. */
void heap_trim(struct heap *heap);
/* Gives up the detached lists, and with them current spans that are empty. */
void heap_give_up(struct heap *heap);
/* Links `blocks` fresh blocks of a class into head: made ready at start. */
void heap_prepare(struct heap *heap, unsigned class, size_t blocks);

static always_inline struct batch *heap_batch(struct heap *heap, const struct span *span)
{
	return &heap->batch[((uintptr_t)span >> RECORD_SHIFT) % BATCHES];
}

/* Without a heap, lock-free: hands a foreign block to its owner at once. */
void heap_push_foreign(struct span *span, void *block);

/*
 * The heap of threads that have none any more, and of last resort: shared, held
 * by one at a time. NULL: no memory, or this thread holds it already.
 */
struct heap *heap_late_enter(void);
void heap_late_leave(void);

/* All heaps ever made, newest first; the list only grows. */
struct heap *heap_first(void);
/* Recovery in a fork child, before it does anything else here; further calls do nothing. */
void heap_child(void);
/* As above, called in a fork child for certain: works without a mark, too. */
void heap_child_sure(void);
/* Once at start, after arena_start(). */
void heap_start(void);

#endif
