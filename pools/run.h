/*
 * run: blocks of whole slices, 32 KiB (exclusive) to 64 MiB.
 *
 * A run that the program holds has SPAN_RUN in its first record, SPAN_NONE in
 * the others. Once free it belongs to nobody: any thread may put it in its own
 * front, or give it to the arena.
 */
#ifndef WEIR_RUN_H
#define WEIR_RUN_H

#include "pools/span.h"

/* In place of the class in the record of a run that no front takes. */
#define RUN_NO_FRONT 0xff
#define RUN_LIMIT (ARENA_RUN_MAX_SLICES * SLICE_BYTES)

/* *zero: the memory reads as zero. align_slices as in arena_take. Any thread. */
void *run_take(size_t slices, size_t align_slices, bool *zero);
void run_give(void *run);
/* Resizes in place; false: nothing changed. Never fails when it shrinks. */
bool run_resize(void *run, size_t slices);

/* Gives a run whose pages were moved away: it reads as zero. */
void run_give_clean(void *run);

static inline size_t run_slices(size_t bytes)
{
	return (bytes + SLICE_BYTES - 1) >> SLICE_SHIFT;
}

#endif
