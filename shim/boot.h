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
bool boot_process_is_ours(void);
/* The calling thread's heap, born if need be; NULL: it has none and gets none. */
struct heap *boot_heap(void);
/*
 * libc's own of what weir exports, for programs that it leaves alone and for
 * strangers' blocks. Looked up by the constructor; NULL before.
 */
struct boot_libc {
	size_t (*malloc_usable_size)(void *p);
	int (*malloc_trim)(size_t pad);
	int (*mallopt)(int parameter, int value);
	void (*malloc_stats)(void);
	int (*malloc_info)(int options, void *stream);
	void *mallinfo, *mallinfo2; /* return structs of malloc.h */
	void *(*dlopen)(const char *file, int flags);
};
const struct boot_libc *boot_libc(void);
/* The flags to be taken out of a dlopen. */
int boot_dlopen_mask(void);

#endif
