/*
 * unit_class: every entry of the tables in pools/class against the rules in class.h.
 * Owns: nothing. Calls: class. Threads: one.
 */
#include "pools/class.h"

#include <check.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static size_t block_bytes(size_t bytes)
{
	return bytes <= SMALL_MAX ? class_small_bytes[class_small(bytes)]
				  : class_front_bytes(class_front(bytes));
}

/* 8 steps per doubling, none shorter than 16 bytes. */
static size_t next_size(size_t bytes)
{
	size_t doubling = (size_t)1 << (63 - __builtin_clzl(bytes));

	return bytes + size_max(doubling / 8, BLOCK_ALIGN);
}

START_TEST(sizes_follow_the_rule)
{
	size_t want = BLOCK_ALIGN;

	for (unsigned i = 0; i < SMALL_CLASSES; i++, want = next_size(want))
		ck_assert_uint_eq(class_small_bytes[i], want);
	ck_assert_uint_eq(class_small_bytes[SMALL_CLASSES - 1], SMALL_MAX);
	ck_assert_uint_eq(want, class_mid_bytes[0]);
	for (unsigned i = 0; i < MID_CLASSES; i++, want = next_size(want)) {
		ck_assert_uint_eq(class_mid_bytes[i], want);
		ck_assert_uint_eq(class_front_bytes(i), want);
	}
	ck_assert_uint_eq(class_mid_bytes[MID_CLASSES - 1], MID_MAX);
	for (unsigned i = 0; i < RUN_CLASSES; i++)
		ck_assert_uint_eq(class_front_bytes(MID_CLASSES + i), (i + 1) * SLICE_BYTES);
	ck_assert_uint_eq(class_front_bytes(FRONT_CLASSES - 1), RUN_MAX);
}
END_TEST

/* Each request gets the smallest block that holds it. */
START_TEST(small_requests)
{
	unsigned class = 0;

	ck_assert_uint_eq(class_small(0), 0);
	for (size_t bytes = 1; bytes <= SMALL_MAX; bytes++) {
		if (bytes > class_small_bytes[class])
			class ++;
		ck_assert_uint_eq(class_small(bytes), class);
	}
	ck_assert_uint_eq(class, SMALL_CLASSES - 1);
}
END_TEST

START_TEST(front_requests)
{
	unsigned class = 0;

	for (size_t bytes = SMALL_MAX + 1; bytes <= RUN_MAX; bytes++) {
		if (bytes > class_front_bytes(class))
			class ++;
		if (class_front(bytes) != class)
			ck_abort_msg("%zu bytes are in class %u", bytes, class_front(bytes));
	}
	ck_assert_uint_eq(class, FRONT_CLASSES - 1);
}
END_TEST

START_TEST(an_eighth_is_wasted_at_most)
{
	for (size_t bytes = 113; bytes <= MID_MAX; bytes++)
		if ((block_bytes(bytes) - bytes) * 8 > block_bytes(bytes))
			ck_abort_msg("%zu bytes get %zu", bytes, block_bytes(bytes));
}
END_TEST

START_TEST(buckets_are_exact)
{
	static const size_t bucket[] = {KiB, 4 * KiB, 16 * KiB, 64 * KiB, 256 * KiB, MiB};

	for (size_t i = 0; i < COUNT(bucket); i++) {
		ck_assert_uint_eq(block_bytes(bucket[i]), bucket[i]);
		if (bucket[i] < RUN_MAX)
			ck_assert_uint_gt(block_bytes(bucket[i] + 1), bucket[i]);
	}
}
END_TEST

START_TEST(blocks_are_aligned)
{
	for (size_t bytes = 0; bytes <= MID_MAX; bytes++)
		ck_assert_uint_eq(block_bytes(bytes) % BLOCK_ALIGN, 0);
}
END_TEST

/* The fewest slices that leave at most 1/8 unused, and few enough blocks for one word. */
START_TEST(mid_slices)
{
	for (unsigned i = 0; i < MID_CLASSES; i++) {
		size_t slices = 1;

		while (slices * SLICE_BYTES % class_mid_bytes[i] > slices * SLICE_BYTES / 8)
			slices++;
		ck_assert_uint_eq(class_mid_slices[i], slices);
		ck_assert_uint_le(slices * SLICE_BYTES / class_mid_bytes[i], 64);
	}
}
END_TEST

/* About a page: what of 4 KiB is whole, at least one, as many as a byte can say. */
START_TEST(small_carve)
{
	for (unsigned i = 0; i < SMALL_CLASSES; i++) {
		size_t blocks = 4 * KiB / class_small_bytes[i];

		blocks = size_min(size_max(blocks, 1), UINT8_MAX);
		ck_assert_uint_eq(class_small_carve[i], blocks);
		ck_assert_uint_le(blocks, SLICE_BYTES / class_small_bytes[i]);
	}
}
END_TEST

static const size_t alignments[] = {
	1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, SLICE_BYTES};

/* The smallest block of all classes that is a multiple of align, for each request. */
START_TEST(aligned_requests)
{
	size_t align = alignments[_i], best = 0;

	for (size_t bytes = MID_MAX; bytes > 0; bytes--) {
		size_t got = class_aligned(bytes, align);

		if (block_bytes(bytes) == bytes && bytes % align == 0)
			best = bytes;
		if (got < bytes)
			ck_abort_msg("%zu shrank to %zu", bytes, got);
		if (best ? block_bytes(got) != best : got <= MID_MAX)
			ck_abort_msg("%zu aligned to %zu: %zu, not %zu", bytes, align, got, best);
	}
	ck_assert_uint_eq(class_aligned(0, align), class_aligned(1, align));
}
END_TEST

/* Above the mid classes any run is aligned, so the size stays. */
START_TEST(aligned_runs)
{
	static const size_t sizes[] = {MID_MAX + 1, 40000, SLICE_BYTES, SLICE_BYTES + 1, RUN_MAX};

	for (size_t i = 0; i < COUNT(sizes); i++)
		ck_assert_uint_eq(class_aligned(sizes[i], alignments[_i]), sizes[i]);
}
END_TEST

int main(void)
{
	const TTest *const once[] = {sizes_follow_the_rule, small_requests, front_requests,
		an_eighth_is_wasted_at_most, buckets_are_exact, blocks_are_aligned, mid_slices,
		small_carve};
	Suite *suite = suite_create("class");
	TCase *tc = tcase_create("class");
	SRunner *runner;
	int failed;

	for (size_t i = 0; i < COUNT(once); i++)
		tcase_add_test(tc, once[i]);
	tcase_add_loop_test(tc, aligned_requests, 0, COUNT(alignments));
	tcase_add_loop_test(tc, aligned_runs, 0, COUNT(alignments));
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
