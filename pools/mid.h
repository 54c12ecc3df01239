/*
 * mid: blocks of 4 to 32 KiB in spans of a few slices that belong to nobody.
 *
 * Heaps move them in batches between a span's free bits and their own fronts,
 * under the lock of the class. Nothing is written into a free block.
 *
 * I1  A span is in its class's list exactly if a bit of it is set.
 * I2  Under the lock, `bits` changes by one store: it says the truth also in
 *     a child forked at any instant; the list can be made again from it.
 */
#ifndef WEIR_MID_H
#define WEIR_MID_H

#include "pools/span.h"

/* Takes 1 to `want` free blocks; how many, 0 when there is no memory. Any thread. */
unsigned mid_take(unsigned class, void **blocks, unsigned want);
/* Gives blocks of one class back. Any thread. */
void mid_give(unsigned class, void *const *blocks, unsigned count);
/* Gives pages of free blocks and empty spans back; bytes. Any thread. */
size_t mid_purge(void);
/* In a fork child: makes lists again whose lock another thread held. */
void mid_child(void);

/* The first record of the mid span that holds p. */
static inline struct span *mid_span(const void *p)
{
	struct span *span = span_of(p);

	return span - span->back;
}

#endif
