/*
 * unit_front: the stack of front.h within its bounds, and what its closing store writes;
 * then how heaps let fronts and reserves grow, and the caps over all of them.
 * Owns: one front between two guards. Calls: front, fast, mid, pools. Threads: a few.
 */
#include "pools/fast.h"
#include "pools/mid.h"
#include "pools/pools.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { SMALL_BYTES = 1024, SMALL_CLASS = 31 };

/* Bytes that the fronts of one heap may hold. */
#define HEAP_FRONTS_MAX (4 * MiB)
#define COUNT(array)    (sizeof(array) / sizeof(array)[0])
#define SHUT            ((uint32_t)~0)

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
	ck_assert(!front_push(front, &blocks[9]) && front->n == 8);
	ck_assert_ptr_eq(front_pop(front), &blocks[7]);
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
	for (unsigned i = 0; i < 20000; i++) {
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

/* ---- how a heap lets its fronts and its reserve grow */

static void start(void)
{
	ck_assert(pools_start(1 * GiB));
	ck_assert_ptr_nonnull(heap_birth());
}

static size_t taken_slices(void)
{
	struct arena_stats stats;

	arena_read(&stats);
	return stats.taken_slices;
}

static void trim(void)
{
	ck_assert(heap_enter(heap_self));
	heap_give_up(heap_self);
	heap_trim(heap_self);
	heap_leave(heap_self);
	mid_purge();
	ck_assert_uint_eq(heap_self->front_bytes, 0);
}

static void *take(unsigned class)
{
	void *block = front_pop(&heap_self->front[class]);
	bool zero;

	if (block)
		return block;
	ck_assert(heap_enter(heap_self));
	block = heap_take_front(heap_self, class, &zero);
	heap_leave(heap_self);
	ck_assert_ptr_nonnull(block);
	return block;
}

static void give(unsigned class, void *block)
{
	if (front_push(&heap_self->front[class], block))
		return;
	ck_assert(heap_enter(heap_self));
	heap_give_front(heap_self, class, block);
	heap_leave(heap_self);
}

/* What the fronts of a heap may hold, which must be what it says and within its bound. */
static size_t room_bytes(const struct heap *heap)
{
	size_t sum = 0;

	for (unsigned i = 0; i < FRONT_CLASSES; i++) {
		const struct front *at = &heap->front[i];

		sum += at->room * class_front_bytes(i);
		ck_assert(at->lim <= at->room && at->n <= at->room && at->room <= FRONT_SLOTS);
	}
	ck_assert_uint_eq(heap->front_bytes, sum);
	ck_assert_uint_le(sum, HEAP_FRONTS_MAX);
	return sum;
}

/* So many blocks of a class at once, then all of them back. */
static void exercise(unsigned class, unsigned n)
{
	void *held[32];

	for (unsigned i = 0; i < n; i++)
		memset(held[i] = take(class), (int)i, BLOCK_ALIGN);
	for (unsigned i = 0; i < n; i++) {
		ck_assert_int_eq(*(char *)held[i], (char)i);
		give(class, held[i]);
	}
}

/* 1, 2, 4, 8, 12: one step an overflow; then halves are flushed, and nothing is lost. */
START_TEST(front_doubles)
{
	static const uint32_t want[] = {0, 1, 2, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12, 12};
	unsigned class = (unsigned)_i;
	struct front *at = &heap_self->front[class];
	void *held[COUNT(want)];

	for (unsigned i = 0; i < COUNT(want); i++)
		held[i] = take(class);
	ck_assert_uint_eq(at->room, 0);
	for (unsigned i = 1; i < COUNT(want); i++) {
		give(class, held[i]);
		ck_assert_uint_eq(at->room, want[i]);
		ck_assert_uint_eq(at->n, i <= 12 ? i : 12 - 6 + 1);
	}
	ck_assert_uint_eq(room_bytes(heap_self), 12 * class_front_bytes(class));
	give(class, held[0]);
	trim();
	ck_assert(taken_slices() == 0 && at->room == 0 && at->lim == 0 && at->n == 0);
}
END_TEST

/* All classes at once: room moves to who needs it, and stays below the heap's bound. */
START_TEST(heap_bound_and_stealing)
{
	unsigned last = FRONT_CLASSES - 1;

	for (unsigned round = 0; round < 5; round++)
		for (unsigned class = 0; class < FRONT_CLASSES; class++) {
			exercise(class, 14);
			room_bytes(heap_self);
		}
	ck_assert_uint_gt(room_bytes(heap_self), HEAP_FRONTS_MAX / 2);
	ck_assert_uint_le(heap_self->front[last].room * RUN_MAX, HEAP_FRONTS_MAX);
	for (unsigned round = 0; round < 200; round++)
		exercise(0, 14);
	ck_assert_uint_eq(heap_self->front[0].room, FRONT_SLOTS);
	trim();
	ck_assert_uint_eq(taken_slices(), 0);
}
END_TEST

static void *fill_up(void *unused)
{
	static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

	if (!heap_birth())
		abort();
	pthread_mutex_lock(&one_at_a_time);
	for (unsigned class = 0; class < FRONT_CLASSES; class += 3)
		exercise(class, 14);
	pthread_mutex_unlock(&one_at_a_time);
	return unused;
}

/* Reserves and fronts of all heaps together stay below cache_bytes, and come back. */
START_TEST(total_over_heaps)
{
	static const size_t caps[] = {0, 100 * KiB, 3 * MiB, 5 * MiB};
	size_t sum = 0, cap = caps[_i];
	pthread_t thread[8];

	heap_set_policy(&(struct heap_policy){.cache_bytes = cap});
	for (unsigned i = 0; i < 8; i++)
		pthread_create(&thread[i], NULL, fill_up, NULL);
	for (unsigned i = 0; i < 8; i++)
		pthread_join(thread[i], NULL);
	for (struct heap *heap = heap_first(); heap; heap = heap->next)
		sum += room_bytes(heap);
	ck_assert_uint_le(sum, cap);
	ck_assert_uint_ge(sum, cap / 4 * 3);
	for (struct heap *heap = heap_first(); heap; heap = heap->next)
		heap_trim(heap);
	fill_up(NULL); /* what they had claimed is free again */
	ck_assert_uint_ge(room_bytes(heap_self), size_min(cap, HEAP_FRONTS_MAX) / 2);
}
END_TEST

/* A taker's shut stays until the owner's slow half, which opens lo and lim as they were. */
START_TEST(slow_half_opens)
{
	struct front *at = &heap_self->front[0];
	void *block;

	exercise(0, 12);
	ck_assert(at->n == 12 && at->lim == 12);
	at->lo = SHUT;
	at->lim = 0;
	ck_assert_ptr_null(front_pop(at));
	block = take(0);
	ck_assert(block && at->lo == 0 && at->lim == 12 && at->n == 11);
	at->lo = SHUT;
	at->lim = 0;
	give(0, block);
	ck_assert(at->lo == 0 && at->lim == 12 && at->n == 12);
}
END_TEST

/* Opens n spans, then empties them all. */
static void open_and_empty(unsigned n)
{
	struct heap *heap = heap_self;
	size_t blocks = n * SLICE_BYTES / SMALL_BYTES;
	void *list = NULL, *next;

	ck_assert(heap_enter(heap));
	for (size_t i = 0; i < blocks; i++) {
		void *block = heap_take_small(heap, SMALL_CLASS);

		link_set(block, list);
		list = block;
	}
	ck_assert_uint_eq(heap->spans, n);
	for (; list; list = next) {
		next = link_next(list);
		if (fast_give(list) == FAST_SETTLE)
			heap_settle(heap, span_of(list));
	}
	heap_give_up(heap);
	ck_assert_uint_eq(heap->spans, 0);
	heap_leave(heap);
}

/* Reserves: of one heap within reserve_bytes, of all together within cache_bytes. */
START_TEST(reserve_bounds)
{
	static const struct {
		size_t reserve, cache, want;
	} row[] = {{4, 64, 4}, {0, 64, 0}, {9, 64, 9}, {9, 3, 3}, {9, 0, 0}, {2, 64, 2}};

	for (size_t i = 0; i < COUNT(row); i++) {
		heap_set_policy(&(struct heap_policy){.reserve_bytes = row[i].reserve * SLICE_BYTES,
			.cache_bytes = row[i].cache * SLICE_BYTES});
		open_and_empty(12);
		ck_assert_uint_eq(heap_self->reserve_spans, row[i].want);
		ck_assert_uint_eq(taken_slices(), row[i].want);
		if (row[i].want) { /* it serves any class */
			void *block = pools_take(heap_self, 3000, BLOCK_ALIGN, false);

			ck_assert_uint_eq(taken_slices(), row[i].want);
			fast_give(block);
		}
		trim(); /* and what was claimed of the total is free again */
		ck_assert_uint_eq(taken_slices(), 0);
	}
}
END_TEST

int main(void)
{
	const TTest *const once[] = {push_up_to_lim, pop_down_to_lo, lim_below_n,
		shut_front_gives_and_takes_nothing, begin_and_close, walk, heap_bound_and_stealing,
		slow_half_opens, reserve_bounds};
	Suite *suite = suite_create("front");
	TCase *tc = tcase_create("front");
	SRunner *runner = srunner_create(suite);

	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, start, NULL);
	for (size_t i = 0; i < COUNT(once); i++)
		tcase_add_test(tc, once[i]);
	tcase_add_loop_test(tc, front_doubles, 0, MID_CLASSES + 2);
	tcase_add_loop_test(tc, total_over_heaps, 0, 4);
	srunner_run_all(runner, CK_NORMAL);
	return srunner_ntests_failed(runner) ? EXIT_FAILURE : EXIT_SUCCESS;
}
