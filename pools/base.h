/*
 * base: the words every room uses. Owns nothing, calls nothing.
 */
#ifndef WEIR_BASE_H
#define WEIR_BASE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define cold __attribute__((__noinline__, __cold__))
#define noinline __attribute__((__noinline__))
#define always_inline inline __attribute__((__always_inline__))

#define KiB ((size_t)1024)
#define MiB (KiB * 1024)
#define GiB (MiB * 1024)

/* Every block is aligned to this, whatever its size. */
#define BLOCK_ALIGN 16

/* What a thread of the program may touch together with a thread of ours. */
#define CACHE_LINE 64

/* The compiler may not move memory accesses across this; the processor may. */
#define compiler_barrier() __asm__ volatile("" ::: "memory")

/* Relaxed accesses to a plain field that one thread writes and others read. */
#define load_relaxed(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define store_relaxed(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)

static inline size_t align_up(size_t n, size_t align)
{
	return (n + align - 1) & ~(align - 1);
}

static inline size_t align_down(size_t n, size_t align)
{
	return n & ~(align - 1);
}

static inline size_t size_min(size_t a, size_t b)
{
	return a < b ? a : b;
}

static inline size_t size_max(size_t a, size_t b)
{
	return a > b ? a : b;
}

/*
 * Lock ranks, outermost first: a thread that holds a lock takes only locks of
 * a higher rank. No lock is held while anything outside pools/ is called.
 */
enum lock_rank {
	LOCK_REGISTRY = 1, /* list of dead heaps */
	LOCK_HEAP,	   /* one heap: its owner's slow paths, or a taker */
	LOCK_MID,	   /* one mid class: its list of spans */
	LOCK_ARENA,	   /* growth of the opened part */
	LOCK_LARGE,	   /* cache of freed mappings */
	LOCK_BACKEND,	   /* regions handed to the second backend */
};

#endif
