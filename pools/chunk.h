/*
 * chunk: 32 slices in one 64-bit word. Pure.
 *
 *   bits  0..31  free:  nobody holds the slice
 *   bits 32..63  dirty: the slice may hold pages that are not zero
 *
 *   free dirty
 *    1    0      clean: reads as zero, costs nothing
 *    1    1      dirty: free, its pages still resident
 *    0    0      taken
 *    0    1      claimed for purging; a fork child finds it so and frees it
 */
#ifndef WEIR_CHUNK_H
#define WEIR_CHUNK_H

#include "pools/class.h"

enum { CHUNK_SLICES = 32 };

#define CHUNK_BYTES (CHUNK_SLICES * SLICE_BYTES)
/* All slices free and clean. */
#define CHUNK_ALL ((uint64_t)0xffffffff)

/* The first `slices` slices; shift it to where they are. */
static inline uint64_t chunk_mask(size_t slices)
{
	return slices >= CHUNK_SLICES ? CHUNK_ALL : (((uint64_t)1 << slices) - 1);
}

static inline uint64_t chunk_free_dirty(uint64_t word)
{
	return word & (word >> CHUNK_SLICES) & CHUNK_ALL;
}

static inline uint64_t chunk_claimed(uint64_t word)
{
	return (word >> CHUNK_SLICES) & ~word & CHUNK_ALL;
}

/* First of `slices` (at most 32) free neighbours whose index is a multiple of align (a power of 2), or -1. */
static inline int chunk_fit(uint64_t word, size_t slices, size_t align)
{
	static const uint32_t starts[] = { 0xffffffff, 0x55555555, 0x11111111,
					   0x01010101, 0x00010001, 0x00000001 };
	uint32_t fits = (uint32_t)word;
	size_t have = 1;

	while (have < slices && fits) {
		size_t step = size_min(have, slices - have);

		fits &= fits >> step;
		have += step;
	}
	fits &= starts[__builtin_ctzl(align)];
	return fits ? __builtin_ctz(fits) : -1;
}

#endif
