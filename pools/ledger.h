/*
 * ledger: which slices are free, and which of these are dirty.
 *
 * I1  A chunk's word changes only by one compare-and-swap or one atomic OR, so
 *     it is consistent at every instant: also in a child forked at that instant.
 * I2  A chunk with a free slice has its summary bit set, or whoever freed the
 *     slice is about to set it.
 */
#ifndef WEIR_LEDGER_H
#define WEIR_LEDGER_H

#include "pools/chunk.h"

#define ARENA_NONE ((size_t)-1)

struct ledger_count {
	size_t free_slices, dirty_slices;
};

/* Zeroed memory for the words and the summary of so many chunks. */
size_t ledger_bytes(size_t chunks);
void ledger_start(void *memory, size_t chunks);
/* Chunks in the ledger; the number only grows. */
size_t ledger_chunks(void);
/* Adds chunks at the end, all slices free and clean. One thread at a time. */
void ledger_open(size_t chunks);

/*
 * Slices [index, index + slices) that were free, none of them now; index is a
 * multiple of align (a power of two <= CHUNK_SLICES). *dirty: a page of them
 * may be not zero. ARENA_NONE: no room.
 */
size_t ledger_take(size_t slices, size_t align, bool *dirty);
bool ledger_take_at(size_t index, size_t slices, bool *dirty);
void ledger_give(size_t index, size_t slices, bool dirty);

/* Claims a chunk's free dirty slices for purging. */
uint64_t ledger_claim(size_t chunk);
/* Frees what was claimed, of it those in `clean` as clean. */
void ledger_settle(size_t chunk, uint64_t claimed, uint64_t clean);

/* In a fork child; claims: those there are, are of threads that are gone. */
void ledger_child(bool claims);
void ledger_read(struct ledger_count *count);

#endif
