/*
 * unit_chunk: the 64-bit word of 32 slices against naive loops over its bits.
 * Owns: a random sequence. Calls: chunk. Threads: one.
 */
#include "pools/chunk.h"

#include <check.h>
#include <stdlib.h>

enum { RANDOM_WORDS = 4000 };

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static uint64_t state = 0x9e3779b97f4a7c15u;

static uint64_t random64(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

/* Sparse, dense and long-run words in turn: what is even random has no long fits. */
static uint64_t random_word(unsigned i)
{
	uint64_t word = random64();
	unsigned from = (unsigned)random64() % 32, n = 1 + (unsigned)random64() % 32;

	switch (i % 4) {
	case 0:
		return word;
	case 1:
		return word | random64() | random64();
	case 2:
		return word & random64() & random64();
	default:
		return (word >> 32 << 32) | (uint32_t)(chunk_mask(n) << from);
	}
}

static bool bit(uint64_t word, unsigned i)
{
	return word >> i & 1;
}

static int naive_fit(uint64_t word, unsigned slices, unsigned align)
{
	for (unsigned at = 0; at + slices <= CHUNK_SLICES; at += align) {
		unsigned n = 0;

		while (n < slices && bit(word, at + n))
			n++;
		if (n == slices)
			return (int)at;
	}
	return -1;
}

static void compare(uint64_t word)
{
	for (unsigned align = 1; align <= CHUNK_SLICES; align *= 2)
		for (unsigned slices = 1; slices <= CHUNK_SLICES; slices++) {
			int got = chunk_fit(word, slices, align);
			int want = naive_fit(word, slices, align);

			if (got != want)
				ck_abort_msg("%016llx, %u slices by %u: %d, not %d",
					(unsigned long long)word, slices, align, got, want);
		}
}

START_TEST(fit_random)
{
	for (unsigned i = 0; i < RANDOM_WORDS; i++)
		compare(random_word(i));
}
END_TEST

/* One hole of each place and length, the dirty half against it. */
START_TEST(fit_one_hole)
{
	for (unsigned at = 0; at < CHUNK_SLICES; at++)
		for (unsigned n = 1; at + n <= CHUNK_SLICES; n++) {
			uint64_t hole = chunk_mask(n) << at;

			compare(hole);
			compare(~hole & CHUNK_ALL);
			compare(~hole << CHUNK_SLICES | hole);
		}
}
END_TEST

START_TEST(fit_edges)
{
	compare(0);
	compare(CHUNK_ALL);
	compare(CHUNK_ALL << CHUNK_SLICES);
	compare(~(uint64_t)0);
	ck_assert_int_eq(chunk_fit(CHUNK_ALL, 32, 32), 0);
	ck_assert_int_eq(chunk_fit(CHUNK_ALL << CHUNK_SLICES, 1, 1), -1);
}
END_TEST

START_TEST(mask)
{
	ck_assert_uint_eq(chunk_mask(0), 0);
	for (unsigned n = 0; n <= CHUNK_SLICES + 2; n++)
		for (unsigned i = 0; i < 64; i++)
			ck_assert_int_eq(bit(chunk_mask(n), i), i < n && i < CHUNK_SLICES);
	ck_assert_uint_eq(chunk_mask(1024), CHUNK_ALL);
	ck_assert_uint_eq(CHUNK_BYTES, 2 * MiB);
}
END_TEST

/* free dirty: both bits; claimed: dirty alone; nothing above bit 31. */
START_TEST(states)
{
	for (unsigned i = 0; i < RANDOM_WORDS; i++) {
		uint64_t word = random_word(i);
		uint64_t dirty = chunk_free_dirty(word), claimed = chunk_claimed(word);

		ck_assert_uint_eq(dirty >> CHUNK_SLICES, 0);
		ck_assert_uint_eq(claimed >> CHUNK_SLICES, 0);
		for (unsigned k = 0; k < CHUNK_SLICES; k++) {
			bool d = bit(word, k + CHUNK_SLICES);

			ck_assert_int_eq(bit(dirty, k), d && bit(word, k));
			ck_assert_int_eq(bit(claimed, k), d && !bit(word, k));
		}
	}
}
END_TEST

int main(void)
{
	const TTest *const once[] = {fit_random, fit_one_hole, fit_edges, mask, states};
	Suite *suite = suite_create("chunk");
	TCase *tc = tcase_create("chunk");
	SRunner *runner;
	int failed;

	for (size_t i = 0; i < COUNT(once); i++)
		tcase_add_test(tc, once[i]);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
