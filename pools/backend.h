/*
 * backend: mimalloc, behind a fence.
 *
 * It is opened at run time and only on need: WEIR_POOLS=off, or a reservation
 * too small to live on. It gets its memory in regions of ours and nowhere else,
 * so that a range test says whether a block is its own.
 */
#ifndef WEIR_BACKEND_H
#define WEIR_BACKEND_H

#include "pools/base.h"

struct backend_stats {
	size_t regions, region_bytes;
	size_t blocks, bytes; /* handed out */
};

/*
 * Opens the library. Calls dlopen, so: from a constructor, never inside malloc.
 * everything: all blocks will come from it. False: there is no usable one.
 */
bool backend_start(bool everything);
/* Whether it is open and may be asked. */
bool backend_on(void);

/* As malloc, aligned_alloc, calloc; NULL: no memory. Never from a signal handler. */
void *backend_take(size_t bytes, size_t align, bool zero);
bool backend_has(const void *p);
void backend_give(void *p);
size_t backend_bytes(const void *p);
/* Gives back what the calling thread's heap retains. */
void backend_trim(void);
void backend_read(struct backend_stats *stats);
void backend_child(void);

#endif
