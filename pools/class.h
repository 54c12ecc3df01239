/*
 * class: size <-> size class. Pure.
 *
 * Three kinds of class, each block size 8 steps per doubling (at most 1/8 of
 * a block is wasted) but for the smallest, which go in steps of 16 bytes:
 *   small  16 ... 3840 bytes    in spans of one slice, owned by a heap
 *   mid    4 ... 32 KiB         in spans of a few slices, owned by nobody
 *   run    64 KiB ... 1 MiB     whole slices, one block each
 * 1, 4, 16, 64, 256 KiB and 1 MiB are exact sizes.
 */
#ifndef WEIR_CLASS_H
#define WEIR_CLASS_H

#include "pools/base.h"

enum {
	SLICE_SHIFT = 16,
	SMALL_MAX = 3840,
	SMALL_CLASSES = 47,
	MID_MAX = 32 * 1024,
	MID_CLASSES = 25,
	RUN_CLASSES = 16,
	FRONT_CLASSES = MID_CLASSES + RUN_CLASSES,
	MID_STEP_SHIFT = 9,
};

#define SLICE_BYTES ((size_t)1 << SLICE_SHIFT)
#define RUN_MAX (RUN_CLASSES * SLICE_BYTES)

/* Class of a request of up to SMALL_MAX bytes, by 16-byte steps. */
extern const uint8_t class_of_small[SMALL_MAX / BLOCK_ALIGN + 1];
/* Class (0 = 4 KiB) of a request of 3841 bytes to MID_MAX, by 512-byte steps. */
extern const uint8_t class_of_mid[MID_MAX >> MID_STEP_SHIFT];
extern const uint16_t class_small_bytes[SMALL_CLASSES];
extern const uint16_t class_mid_bytes[MID_CLASSES];
/* Slices of a mid span: the fewest that leave at most 1/8 unused at the end. */
extern const uint8_t class_mid_slices[MID_CLASSES];
/* Blocks carved from fresh memory at once: about a page of them. */
extern const uint8_t class_small_carve[SMALL_CLASSES];

static always_inline unsigned class_small(size_t bytes)
{
	return class_of_small[(bytes + BLOCK_ALIGN - 1) / BLOCK_ALIGN];
}

/* Front class of a request of SMALL_MAX < bytes <= RUN_MAX: mid, then run. */
static always_inline unsigned class_front(size_t bytes)
{
	if (bytes <= MID_MAX)
		return class_of_mid[(bytes - 1) >> MID_STEP_SHIFT];
	return MID_CLASSES + (unsigned)((bytes - 1) >> SLICE_SHIFT);
}

static inline size_t class_front_bytes(unsigned front)
{
	if (front < MID_CLASSES)
		return class_mid_bytes[front];
	return (size_t)(front - MID_CLASSES + 1) << SLICE_SHIFT;
}

/*
 * A request size >= bytes whose block is the smallest that is a multiple of align
 * (a power of two <= SLICE_BYTES): spans start at slices, so such blocks are
 * aligned. Above MID_MAX any run is.
 */
size_t class_aligned(size_t bytes, size_t align);

#endif
