/*
 * large: blocks with a mapping of their own, and a cache of freed ones.
 *
 * Blocks above RUN_LIMIT, alignments above a chunk, whatever finds no arena,
 * and what is asked for by a signal handler that interrupted us.
 *
 * I1  A slot of the table is taken by compare-and-swap of its address from 0
 *     and given by storing 0: lookups take no lock and work in signal handlers
 *     and in fork children.
 */
#ifndef WEIR_LARGE_H
#define WEIR_LARGE_H

#include "pools/base.h"

struct large_stats {
	size_t blocks, bytes;
	size_t cache_entries, cache_bytes, cache_hits, cache_misses, cache_evictions;
};

/* NULL: no memory. zero: the caller needs it to read as zero. Any thread. */
void *large_take(size_t bytes, size_t align, bool zero);
/* As large_take, but takes no lock: for callers that interrupted us. */
void *large_take_now(size_t bytes, size_t align);
/* False: p is not the start of a large block. */
bool large_give(void *p);
/* Usable bytes of a large block; 0: it is none. */
size_t large_bytes(const void *p);
/* Moves or resizes; NULL: left as it was. Content kept, the rest zero. */
void *large_resize(void *p, size_t bytes);
/*
 * Makes a large block of pages moved out of [start, start + bytes); NULL: nothing
 * changed. The range stays mapped, and reads as zero.
 */
void *large_adopt(void *start, size_t bytes, size_t new_bytes);
/* Unmaps cached mappings idle since before_ms (UINT64_MAX: all); bytes. */
size_t large_purge(uint64_t before_ms);
void large_set_cache(size_t bytes, unsigned decay_ms);
void large_read(struct large_stats *stats);
/* In a fork child. */
void large_child(void);

#endif
