// flags: -lc
/*
 * unit_front: the stack of front.h within its bounds, and what its closing store writes.
 * Owns: one front between two guards. Calls: front. Threads: one.
 */
#include "pools/front.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define SHUT         ((uint32_t)~0)

static struct {
	uint64_t before;
	struct front front;
	uint64_t after;
} box;
static struct front *const front = &box.front;
static char blocks[FRONT_SLOTS + 4];

static void reset(uint32_t n, uint32_t lo, uint32_t lim)
{
	memset(&box, 0, sizeof box);
	box.before = box.after = 0x5a5a5a5a5a5a5a5a;
	for (unsigned i = 0; i < FRONT_SLOTS; i++)
		front->slot[i] = i < n ? &blocks[i] : NULL;
	front->n = n;
	front->lo = lo;
	front->lim = front->room = lim;
}

/* After each call: not busy, n as wanted in the same word, and nothing beside it written. */
static void closed(uint32_t n)
{
	ck_assert_uint_eq(front->n, n);
	ck_assert_uint_eq(front->busy, 0);
	ck_assert_uint_eq(box.before, 0x5a5a5a5a5a5a5a5a);
	ck_assert_uint_eq(box.after, 0x5a5a5a5a5a5a5a5a);
}

START_TEST(empty_has_nothing)
{
	reset(0, 0, 0);
	ck_assert_ptr_null(front_pop(front));
	closed(0);
	ck_assert(!front_push(front, &blocks[0]));
	closed(0);
	ck_assert_ptr_null(front->slot[0]);
}
END_TEST

START_TEST(push_up_to_lim)
{
	for (uint32_t lim = 0; lim <= FRONT_SLOTS; lim++) {
		reset(0, 0, lim);
		for (uint32_t n = 0; n < lim; n++) {
			ck_assert(front_push(front, &blocks[n]));
			closed(n + 1);
			ck_assert_ptr_eq(front->slot[n], &blocks[n]);
		}
		ck_assert(!front_push(front, &blocks[lim]));
		closed(lim);
		ck_assert_uint_eq(front->lim, lim);
		ck_assert_uint_eq(front->room, lim);
	}
}
END_TEST

START_TEST(pop_down_to_lo)
{
	for (uint32_t n = 0; n <= FRONT_SLOTS; n++)
		for (uint32_t lo = 0; lo <= FRONT_SLOTS; lo++) {
			uint32_t left = n;

			reset(n, lo, FRONT_SLOTS);
			while (left > lo) {
				ck_assert_ptr_eq(front_pop(front), &blocks[--left]);
				closed(left);
			}
			ck_assert_ptr_null(front_pop(front));
			closed(left);
		}
}
END_TEST

/* A lim below n (a stolen room) shuts pushes, not pops. */
START_TEST(lim_below_n)
{
	reset(8, 0, 3);
	ck_assert(!front_push(front, &blocks[9]));
	closed(8);
	ck_assert_ptr_eq(front_pop(front), &blocks[7]);
	closed(7);
}
END_TEST

START_TEST(shut_front_gives_and_takes_nothing)
{
	for (uint32_t n = 0; n <= FRONT_SLOTS; n++) {
		reset(n, SHUT, 0);
		ck_assert_ptr_null(front_pop(front));
		closed(n);
		ck_assert(!front_push(front, &blocks[n]));
		closed(n);
		for (uint32_t i = 0; i < FRONT_SLOTS; i++)
			ck_assert_ptr_eq(front->slot[i], i < n ? &blocks[i] : NULL);
		front->lo = 0;
		front->lim = FRONT_SLOTS;
		ck_assert_ptr_eq(front_pop(front), n ? &blocks[n - 1] : NULL);
	}
}
END_TEST

START_TEST(begin_and_close)
{
	for (uint32_t n = 0; n <= FRONT_SLOTS; n++) {
		reset(5, 0, FRONT_SLOTS);
		front_begin(front);
		ck_assert_uint_eq(front->busy, 1);
		ck_assert_uint_eq(front->n, 5);
		front_close(front, n);
		closed(n);
	}
	/* One word, so that one store says both. */
	ck_assert_uint_eq(offsetof(struct front, busy) / sizeof(uint64_t),
		offsetof(struct front, n) / sizeof(uint64_t));
	ck_assert_uint_eq(offsetof(struct front, both) % sizeof(uint64_t), 0);
}
END_TEST

/* A random walk beside a plain array. */
START_TEST(walk)
{
	void *model[FRONT_SLOTS];
	uint32_t n = 0, lim = 4;
	unsigned seed = 7;

	reset(0, 0, lim);
	for (unsigned i = 0; i < 100000; i++) {
		void *block = &blocks[rand_r(&seed) % COUNT(blocks)];

		if (i % 64 == 0) {
			lim = n + (uint32_t)rand_r(&seed) % (FRONT_SLOTS + 1 - n);
			front->lim = lim;
		}
		if (rand_r(&seed) & 16) {
			ck_assert_int_eq(front_push(front, block), n < lim);
			if (n < lim)
				model[n++] = block;
		} else {
			ck_assert_ptr_eq(front_pop(front), n ? model[n - 1] : NULL);
			n -= n > 0;
		}
		closed(n);
	}
}
END_TEST

int main(void)
{
	const TTest *const once[] = {empty_has_nothing, push_up_to_lim, pop_down_to_lo, lim_below_n,
		shut_front_gives_and_takes_nothing, begin_and_close, walk};
	Suite *suite = suite_create("front");
	TCase *tc = tcase_create("front");
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
