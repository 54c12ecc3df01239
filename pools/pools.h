/*
 * pools: the folder's door. Everything but the hit paths of fast.h.
 *
 * Nothing here sets errno or calls up. NULL means: no memory.
 */
#ifndef WEIR_POOLS_H
#define WEIR_POOLS_H

#include "pools/arena.h"
#include "pools/backend.h"
#include "pools/heap.h"
#include "pools/large.h"
#include "pools/os.h"

struct pools_config {
	size_t arena_bytes;	/* address space to reserve; 0: no arena */
	size_t reserve_bytes;	/* empty spans that a heap keeps */
	size_t cache_bytes;	/* reserves and fronts of all heaps together */
	size_t large_cache_bytes;
	unsigned decay_ms;	/* of the large cache */
	enum arena_huge huge;
};

struct pools_stats {
	struct arena_stats arena;
	struct large_stats large;
	struct backend_stats backend;
	size_t heaps, heaps_dead;
	/* Blocks of the arena that the program holds, or a thread's list or front. */
	size_t arena_blocks, arena_bytes;
};

/* Once, before all else; false: no arena, everything is served by mappings. */
bool pools_start(size_t arena_bytes);
/*
 * Opens the second backend if everything shall come from it, or if the
 * reservation is too small to live on; false: it is not open. Calls dlopen: from
 * a constructor only.
 */
bool pools_stand_by(bool everything);
/* The process is not ours after all: gives the caller's heap and free address space up. */
void pools_leave(void);
/* Bytes of a page, of physical memory. */
size_t pools_page_bytes(void);
size_t pools_ram_bytes(void);
/* What may change while running. */
void pools_tune(const struct pools_config *config);

/* The calling thread's heap; NULL: none yet, or none any more (*ended). */
struct heap *pools_self(bool *ended);
/* Gives the calling thread a heap; NULL: no memory. */
struct heap *pools_birth(void);
/* The calling thread is about to end. */
void pools_death(struct heap *heap);
/* Makes `blocks` blocks of a size (0: of each small class) ready for the caller's heap. */
void pools_prepare(size_t bytes, size_t blocks);

/*
 * The slow half of every allocation: from `heap` (the caller's own, the late
 * one, or NULL: none), or wherever there is memory. align: a power of two.
 */
void *pools_take(struct heap *heap, size_t bytes, size_t align, bool zero);
/* Without a lock or a heap: for signal handlers that interrupted us. */
void *pools_take_late(size_t bytes, size_t align, bool zero);

/* The slow half of free for a block in the arena. heap as above. */
void pools_give(struct heap *heap, void *p);
/* A block outside the arena; false: a stranger's. */
bool pools_give_far(void *p);
/* Usable bytes of a block of ours; 0: a stranger's. */
size_t pools_bytes(const void *p);
/* Resizes without copying if that can be done; NULL: do it by hand. */
void *pools_resize(void *p, size_t bytes);

/*
 * The address space is about to be limited: the reservation must fit. Returns
 * the limit, less what was cut if it can only have been meant with that.
 */
size_t pools_limit(size_t address_bytes);

/* Gives back all that can be spared now, bytes. */
size_t pools_trim(void);
void pools_read(struct pools_stats *stats);
/* In a fork child, before anything else. */
void pools_child(void);

#endif
