/*
 * arena: one reservation of address space, handed out in slices of 64 KiB.
 *
 * Layout, from low to high: ledger | records | guard | slices. Which slices are
 * free is in the ledger (ledger.h), 32 of them, a chunk of 2 MiB, in a word.
 *
 * I1  Nothing is ever written beside the ledger to say who holds a slice; its
 *     record belongs to the taker alone.
 * I2  base and records never change after arena_start(); open_bytes only grows,
 *     and covers what may be read without a fault.
 */
#ifndef WEIR_ARENA_H
#define WEIR_ARENA_H

#include "pools/ledger.h"

enum {
	RECORD_SHIFT = 7,
	RECORD_BYTES = 1 << RECORD_SHIFT,
	/* What the arena takes of a limited address space; the rest is the program's. */
	ARENA_ADDRESS_SHARE = 2,
};

/* Runs of more slices than this come from mappings of their own. */
#define ARENA_RUN_MAX_SLICES ((size_t)1024)

/* What free() reads; in a cache line that is written only when the arena grows. */
struct arena {
	char *base;	     /* first slice */
	size_t open_bytes;   /* slices that are readable and writable, in bytes */
	char *records;	     /* RECORD_BYTES for each slice */
};
extern struct arena arena;

/* Whether what is taken will soon be touched from end to end: a huge page then costs nothing. */
enum arena_use { ARENA_SPARSE, ARENA_DENSE };

enum arena_huge { ARENA_HUGE_AUTO, ARENA_HUGE_ALWAYS, ARENA_HUGE_NEVER };

struct arena_stats {
	size_t reserved_bytes, open_bytes;
	size_t free_slices, dirty_slices, taken_slices;
	size_t purged_bytes, purge_calls;
};

/* Reserves up to max_bytes, halving until it fits; false: no arena at all. */
bool arena_start(size_t max_bytes);
/* Gives address space back that is not opened yet, down to max_bytes. Any thread. */
void arena_shrink(size_t max_bytes);
void arena_set_huge(enum arena_huge mode);

/*
 * Takes `slices` neighbours whose first index is a multiple of align_slices
 * (a power of two <= CHUNK_SLICES). *dirty says whether a page of them may be
 * not zero. ARENA_NONE when there is no room or no memory. Any thread.
 */
size_t arena_take(size_t slices, size_t align_slices, enum arena_use use, bool *dirty);
/* Takes the slices [index, index + slices) if all of them are free. */
bool arena_take_at(size_t index, size_t slices, bool *dirty);
/* Gives slices back; dirty: their pages may be not zero. Any thread. */
void arena_give(size_t index, size_t slices, bool dirty);
/*
 * Gives pages of free dirty slices back to the kernel, lowest first, until
 * about max_bytes are given. Returns the bytes given back. Any thread.
 */
size_t arena_purge(size_t max_bytes);
/* A page that reads as zero in a fork child, or NULL. */
_Atomic unsigned *arena_fork_mark(void);
/* In a fork child: frees what other threads had claimed and locked. */
void arena_child(void);
/* Copies the figures out, without a lock. */
void arena_read(struct arena_stats *stats);

/* Slices of all chunks ever opened, a bound for walks over the records. */
size_t arena_slices(void);

static always_inline bool arena_has(const void *p)
{
	/* A plain read: a block reached this thread after open_bytes covered it. */
	return (size_t)((const char *)p - arena.base) < arena.open_bytes;
}

static always_inline size_t arena_index(const void *p)
{
	return (size_t)((const char *)p - arena.base) >> SLICE_SHIFT;
}

static always_inline char *arena_address(size_t index)
{
	return arena.base + (index << SLICE_SHIFT);
}

#endif
