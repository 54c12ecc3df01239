/*
 * unit_span: I1 to I4 of span.h: where each block of a span is, and what is armed.
 * Owns: an owner that is no heap. Calls: span, pools. Threads: one owner, four that free.
 */
#include "pools/pools.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { WORTH_SHARE = 8, PUSHERS = 4, CLASS_64 = 3, CLASS_16 = 0, ROUNDS = 20 };

static struct heap nobody;
/* Of the span at hand, in order. */
static void *blocks[SLICE_BYTES / BLOCK_ALIGN];

static void start(void)
{
	ck_assert(pools_start(64 * MiB));
}

static struct span *open_span(unsigned class)
{
	struct span *span = span_take(ARENA_SPARSE);

	ck_assert_ptr_nonnull(span);
	span_open(span, &nobody, class);
	return span;
}

static size_t length(void *list)
{
	size_t n = 0;

	for (; list; list = link_next(list))
		n++;
	return n;
}

/* What fast_give does; true: the slow half is due. */
static bool give(struct span *span, void *block)
{
	link_set(block, span->lfree);
	span->lfree = block;
	return --span->count == 0;
}

/* Carves the whole span into blocks; how many. */
static unsigned carve_all(struct span *span)
{
	unsigned n = 0;

	for (void *list; (list = span_carve(span));)
		for (; list; list = link_next(list))
			blocks[n++] = list;
	return n;
}

START_TEST(open)
{
	struct span *span = open_span((unsigned)_i);

	ck_assert_ptr_eq(span->owner, &nobody);
	ck_assert_ptr_null(span->lfree);
	ck_assert(span->kind == SPAN_SMALL && span->class == _i && span->state == SPAN_CURRENT);
	ck_assert(span->back == 0 && span->slices == 1 && span->carved == 0);
	ck_assert_uint_eq(span->capacity, SLICE_BYTES / class_small_bytes[_i]);
	ck_assert(span_listed(span) == 0 && span_remote(span) == 0);
	ck_assert_ptr_eq(span_at(span_index(span)), span);
	ck_assert_ptr_eq(span_of(span_start(span)), span);
	ck_assert_ptr_eq(span_of(span_start(span) + SLICE_BYTES - 1), span);
}
END_TEST

/* All blocks, once, in order, side by side, a page of them at a time at most. */
START_TEST(carve)
{
	struct span *span = open_span((unsigned)_i);
	char *want = span_start(span);
	size_t carved = 0;

	for (void *list; (list = span_carve(span));) {
		ck_assert_uint_le(length(list), class_small_carve[_i]);
		for (; list; list = link_next(list), carved++, want += class_small_bytes[_i])
			ck_assert_ptr_eq(list, want);
		ck_assert_uint_eq(span->carved, carved);
	}
	ck_assert_uint_eq(carved, SLICE_BYTES / class_small_bytes[_i]);
	ck_assert_ptr_null(span_carve(span));
	ck_assert_uint_eq(span->carved, span->capacity);
}
END_TEST

/* I1: each local free is listed, and detach takes all of them, last first. */
START_TEST(listed_and_detach)
{
	struct span *span = open_span((unsigned)_i);
	unsigned n = carve_all(span);
	void *list;

	for (unsigned k = 0; k < n; k++) {
		ck_assert(!give(span, blocks[k]));
		ck_assert_uint_eq(span_listed(span), k + 1);
	}
	span_settle(span);
	list = span_detach(span);
	for (unsigned k = n; k-- > 0; list = link_next(list))
		ck_assert_ptr_eq(list, blocks[k]);
	ck_assert(!list && !span->lfree);
	ck_assert_ptr_null(span_detach(span));
	ck_assert(span_listed(span) == 0 && span->count == SPAN_NEVER && span->armed == SPAN_NEVER);
}
END_TEST

static unsigned worth_of(unsigned carved)
{
	return carved / WORTH_SHARE ? carved / WORTH_SHARE : 1;
}

/* What settle must say and arm, for so many free blocks of those carved. */
static void check_settled(struct span *span, unsigned state, unsigned listed, bool empty)
{
	unsigned held = span->carved - listed;
	uint32_t want = held ? held : SPAN_NEVER;

	if (state == SPAN_CURRENT)
		want = SPAN_NEVER;
	else if (state == SPAN_FULL && listed < worth_of(span->carved))
		want = worth_of(span->carved) - listed;
	ck_assert_int_eq(empty, state != SPAN_CURRENT && held == 0);
	ck_assert_uint_eq(span->count, want);
	ck_assert_uint_eq(span->armed, want);
	ck_assert_uint_eq(span->listed, listed);
	ck_assert_uint_eq(span_listed(span), listed);
	ck_assert_int_eq(span_worth(span), listed >= worth_of(span->carved));
	ck_assert_uint_eq(length(span->lfree), listed);
}

/* Every count of free blocks in each state, settled before each further free. */
START_TEST(settle_table)
{
	static const uint8_t states[] = {SPAN_CURRENT, SPAN_FULL, SPAN_PARTIAL};
	static const uint8_t classes[] = {40, 31, 20, 15, SMALL_CLASSES - 1};
	struct span *span = open_span(classes[_i]);

	for (unsigned s = 0; s < sizeof states; s++) {
		unsigned n;

		span_open(span, &nobody, classes[_i]);
		n = carve_all(span);
		span->state = states[s];
		for (unsigned k = 0; k <= n; k++) {
			check_settled(span, states[s], k, span_settle(span));
			if (k < n)
				give(span, blocks[k]);
		}
	}
}
END_TEST

/* The slow half is due exactly when a full span is worth using, or a partial one empty. */
START_TEST(countdown)
{
	struct span *span = open_span(CLASS_64);
	unsigned n = carve_all(span), k = 0;

	span->state = SPAN_FULL;
	ck_assert(!span_settle(span));
	while (!give(span, blocks[k++]))
		ck_assert(!span_worth(span));
	ck_assert_uint_eq(k, n / WORTH_SHARE);
	ck_assert(span_worth(span));
	span->state = SPAN_PARTIAL;
	ck_assert(!span_settle(span));
	while (!give(span, blocks[k++]))
		ck_assert_uint_lt(k, n);
	ck_assert_uint_eq(k, n);
	ck_assert(span_settle(span));
}
END_TEST

/* A few blocks carved are enough to be worth it with one free. */
START_TEST(worth_of_few)
{
	struct span *span = open_span(SMALL_CLASSES - 1);
	void *block = span_carve(span);

	span->state = SPAN_FULL;
	ck_assert(!span_worth(span));
	ck_assert(!span_settle(span));
	ck_assert(give(span, block));
	ck_assert(span_worth(span));
}
END_TEST

START_TEST(remote)
{
	struct span *span = open_span(CLASS_64);
	void *list;

	carve_all(span);
	give(span, blocks[0]);
	span_collect(span); /* nothing there */
	ck_assert_uint_eq(span_listed(span), 1);
	ck_assert(span_push_remote(span, blocks[1], blocks[1], 1));
	ck_assert_uint_eq(span_remote(span), 1);
	link_set(blocks[3], blocks[2]);
	ck_assert(!span_push_remote(span, blocks[3], blocks[2], 2));
	ck_assert(!span_push_remote(span, blocks[4], blocks[4], 1));
	ck_assert_uint_eq(span_remote(span), 4);
	ck_assert_uint_eq(span_listed(span), 1);
	span_collect(span);
	ck_assert(span_remote(span) == 0 && span_listed(span) == 5);
	list = span_detach(span);
	for (unsigned k = 5; k-- > 0; list = link_next(list))
		ck_assert_ptr_eq(list, blocks[k]);
	ck_assert_ptr_null(list);
	ck_assert(span_push_remote(span, blocks[0], blocks[0], 1));
}
END_TEST

/* A whole span of the smallest blocks fits the word's count, and its top block its pointer. */
START_TEST(remote_holds_a_whole_span)
{
	struct span *span = open_span(CLASS_16);
	unsigned n = carve_all(span);

	span->state = SPAN_PARTIAL;
	span_settle(span);
	for (unsigned k = 0; k < n; k++) {
		ck_assert_int_eq(span_push_remote(span, blocks[k], blocks[k], 1), k == 0);
		ck_assert_uint_eq(span_remote(span), k + 1);
	}
	ck_assert(!span_settle(span)); /* remote blocks count as held: I3 */
	span_collect(span);
	ck_assert_uint_eq(length(span->lfree), n);
	ck_assert(span_settle(span));
}
END_TEST

static struct {
	struct span *span;
	unsigned n;
	_Atomic unsigned notified, running;
} race;

/* Frees its quarter, in chains of 1 to 5. */
static void *push_quarter(void *number)
{
	unsigned from = race.n * (unsigned)(uintptr_t)number / PUSHERS;
	unsigned to = race.n * ((unsigned)(uintptr_t)number + 1) / PUSHERS;

	for (unsigned k = from, chain = 1; k < to; k += chain) {
		chain = size_min(k % 5 + 1, to - k);
		for (unsigned i = k; i + 1 < k + chain; i++)
			link_set(blocks[i], blocks[i + 1]);
		if (span_push_remote(race.span, blocks[k], blocks[k + chain - 1], chain))
			atomic_fetch_add(&race.notified, 1);
	}
	atomic_fetch_sub(&race.running, 1);
	return NULL;
}

/* Collects once per notification until all have pushed; how often. */
static unsigned collect_all(void)
{
	unsigned collected = 0;
	bool last;

	do {
		last = !atomic_load(&race.running);
		while (collected < atomic_load(&race.notified)) {
			uint32_t before = span_listed(race.span);

			span_collect(race.span);
			ck_assert_uint_gt(span_listed(race.span), before);
			collected++;
		}
	} while (!last);
	return collected;
}

/* I3: one notification each time the word leaves 0, and every block arrives once. */
START_TEST(remote_from_four_threads)
{
	pthread_t pusher[PUSHERS];

	for (unsigned round = 0; round < ROUNDS; round++) {
		char seen[SLICE_BYTES / BLOCK_ALIGN] = {0};

		race.span = open_span(CLASS_16);
		race.n = carve_all(race.span);
		race.notified = 0;
		race.running = PUSHERS;
		for (uintptr_t i = 0; i < PUSHERS; i++)
			pthread_create(&pusher[i], NULL, push_quarter, (void *)i);
		ck_assert_uint_eq(collect_all(), race.notified);
		for (unsigned i = 0; i < PUSHERS; i++)
			pthread_join(pusher[i], NULL);
		ck_assert_uint_eq(span_remote(race.span), 0);
		ck_assert_uint_eq(span_listed(race.span), race.n);
		for (char *block = span_detach(race.span); block; block = link_next(block))
			ck_assert_int_eq(seen[(block - span_start(race.span)) / 16]++, 0);
		ck_assert_ptr_null(memchr(seen, 0, race.n));
		span_give(race.span);
	}
}
END_TEST

/* The slice comes back dirty exactly if anything was carved. */
START_TEST(give_back)
{
	for (int carved = 0; carved < 2; carved++) {
		struct span *span = open_span(CLASS_64);
		size_t index = span_index(span);
		bool dirty;

		if (carved)
			span_carve(span);
		span_give(span);
		ck_assert_ptr_null(span->owner);
		ck_assert_uint_eq(span->kind, SPAN_NONE);
		ck_assert(arena_take_at(index, 1, &dirty));
		ck_assert_int_eq(dirty, carved);
		arena_give(index, 1, false);
	}
}
END_TEST

START_TEST(no_room_no_span)
{
	bool dirty;

	while (arena_take(1, 1, ARENA_SPARSE, &dirty) != ARENA_NONE)
		;
	ck_assert_ptr_null(span_take(ARENA_SPARSE));
	arena_give(17, 1, true);
	ck_assert_ptr_eq(span_take(ARENA_SPARSE), span_at(17));
}
END_TEST

/* Five spans linked, then each order of taking one, another and the rest out. */
START_TEST(lists)
{
	struct span span[5], *list;

	for (unsigned first = 0; first < 5; first++)
		for (unsigned second = 0; second < 5; second++) {
			unsigned left = 0;

			list = NULL;
			for (unsigned i = 0; i < 5; i++)
				span_link(&list, &span[i]);
			span_unlink(&list, &span[first]);
			if (second != first)
				span_unlink(&list, &span[second]);
			for (struct span *at = list, *prev = NULL; at; prev = at, at = at->next) {
				ck_assert_ptr_eq(at->prev, prev);
				left |= 1u << (at - span);
			}
			ck_assert_uint_eq(left, 31u & ~(1u << first) & ~(1u << second));
			while (list)
				span_unlink(&list, list);
		}
}
END_TEST

/* span_none stands for no span: nothing to take, nothing to carve, never due. */
START_TEST(none)
{
	ck_assert_ptr_null(span_detach(&span_none));
	ck_assert_ptr_null(span_carve(&span_none));
	ck_assert(!span_settle(&span_none));
	ck_assert_uint_eq(span_none.count, SPAN_NEVER);
}
END_TEST

int main(void)
{
	const TTest *const once[] = {countdown, worth_of_few, remote, remote_holds_a_whole_span,
		remote_from_four_threads, give_back, no_room_no_span, lists, none};
	Suite *suite = suite_create("span");
	TCase *tc = tcase_create("span");
	SRunner *runner = srunner_create(suite);

	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(tc, start, NULL);
	for (size_t i = 0; i < sizeof once / sizeof once[0]; i++)
		tcase_add_test(tc, once[i]);
	tcase_add_loop_test(tc, open, 0, SMALL_CLASSES);
	tcase_add_loop_test(tc, carve, 0, SMALL_CLASSES);
	tcase_add_loop_test(tc, listed_and_detach, 0, SMALL_CLASSES);
	tcase_add_loop_test(tc, settle_table, 0, 5);
	tcase_set_timeout(tc, 60);
	srunner_run_all(runner, CK_NORMAL);
	return srunner_ntests_failed(runner) ? EXIT_FAILURE : EXIT_SUCCESS;
}
