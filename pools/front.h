/*
 * front: a thread's small stack of free mid blocks and runs of one class.
 *
 * The owner pushes and pops without lock or atomic; a taker (the helper) may
 * empty it while the owner sleeps. The protocol:
 *
 * I1  The owner sets busy before it reads n, lo or lim, and clears it together
 *     with its store of n: one 8-byte release store.
 * I2  A taker holds the heap's lock, stores lo = ~0 and lim = 0, executes
 *     membarrier, and then leaves alone each front that shows busy. It writes n
 *     as 4 bytes, never busy.
 * I3  Only the owner's slow half (under the heap's lock) opens lo and lim again.
 * I4  `room` is the owner's own; lim <= room at all times.
 */
#ifndef WEIR_FRONT_H
#define WEIR_FRONT_H

#include "pools/class.h"

enum { FRONT_SLOTS = 12 };

struct front {
	union {
		struct {
			uint32_t n, busy;
		};
		uint64_t both;
	};
	uint32_t lim; /* push while n < lim */
	uint32_t lo;  /* pop while n > lo */
	uint32_t room;
	void *slot[FRONT_SLOTS];
};

/* The closing store of I1: n and busy = 0 at once. */
static always_inline void front_close(struct front *front, uint32_t n)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	uint64_t both = n;
#else
	uint64_t both = (uint64_t)n << 32;
#endif
	__atomic_store_n(&front->both, both, __ATOMIC_RELEASE);
}

static always_inline void front_begin(struct front *front)
{
	__atomic_store_n(&front->busy, 1, __ATOMIC_RELAXED);
	compiler_barrier();
}

/* A free block, or NULL: then ask the slow half. Owner only. */
static always_inline void *front_pop(struct front *front)
{
	void *block = NULL;
	uint32_t n;

	front_begin(front);
	n = load_relaxed(&front->n);
	if (likely(n > load_relaxed(&front->lo)))
		block = front->slot[--n];
	front_close(front, n);
	return block;
}

/* False: full; ask the slow half. Owner only. */
static always_inline bool front_push(struct front *front, void *block)
{
	uint32_t n;
	bool room;

	front_begin(front);
	n = load_relaxed(&front->n);
	room = n < load_relaxed(&front->lim);
	if (likely(room))
		front->slot[n++] = block;
	front_close(front, n);
	return room;
}

#endif
