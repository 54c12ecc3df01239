/*
 * boot: how a process comes to have weir, and a thread its heap.
 *
 *   COLD     nothing done yet; the first call of any kind boots
 *   READY    options read and handed down, by the mode they ask for
 */
#ifndef WEIR_BOOT_H
#define WEIR_BOOT_H

#include "pools/pools.h"

enum boot_mode {
	BOOT_COLD,
	BOOT_POOLS,   /* weir's own pools */
	BOOT_BACKEND, /* mimalloc serves everything (WEIR_POOLS=off) */
	BOOT_PASS,    /* not for this program: glibc's malloc (WEIR_ONLY, WEIR_EXCEPT) */
};

/* The mode, booted if need be. Any thread, any time. */
enum boot_mode boot_mode(void);
/* The calling thread's heap, born if need be; NULL: it has none and gets none. */
struct heap *boot_heap(void);
/* glibc's malloc_usable_size, for strangers' blocks. */
size_t boot_usable_size(void *p);
/* libc's dlopen, and the flags to be taken out before it is called. */
typedef void *boot_dlopen_fn(const char *file, int flags);
boot_dlopen_fn *boot_dlopen(void);
int boot_dlopen_mask(void);

#endif
