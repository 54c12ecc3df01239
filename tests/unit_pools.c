/*
 * unit_pools: the door: which source serves what, resizing, trim, limits, the
 * late heap and the fork child.
 * Owns: nothing. Calls: pools, fast. Threads: one beside main; a fork child.
 */
#include "pools/fast.h"
#include "pools/pools.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MANY = 4096 };

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define RUN_LIMIT    (ARENA_RUN_MAX_SLICES * SLICE_BYTES)

static const size_t sizes[] = {0, 1, 16, 17, 100, 1000, SMALL_MAX, SMALL_MAX + 1, 4096, 5000, 20000,
	MID_MAX, MID_MAX + 1, SLICE_BYTES, SLICE_BYTES + 1, 500 * KiB, RUN_MAX, RUN_MAX + 1,
	3 * MiB, RUN_LIMIT, RUN_LIMIT + 1, 100 * MiB};

static void start(void)
{
	bool ended = true;

	ck_assert(pools_start(8 * GiB));
	ck_assert(!pools_self(&ended) && !ended);
	ck_assert_ptr_nonnull(pools_birth());
	ck_assert(pools_self(&ended) == heap_self && !ended);
}

static struct pools_stats stats(void)
{
	struct pools_stats now;

	pools_read(&now);
	return now;
}

static void *take(size_t bytes, size_t align, bool zero)
{
	void *block = pools_take(heap_self, bytes, align, zero);

	ck_assert_ptr_nonnull(block);
	ck_assert_uint_eq((uintptr_t)block % size_max(align, BLOCK_ALIGN), 0);
	ck_assert_uint_ge(pools_bytes(block), size_max(bytes, 1));
	return block;
}

/* As free does. */
static void give(void *p)
{
	if (!arena_has(p))
		ck_assert(pools_give_far(p));
	else if (span_of(p)->owner != heap_self)
		pools_give(heap_self, p);
	else if (fast_give(p) == FAST_SETTLE && heap_enter(heap_self)) {
		heap_settle(heap_self, span_of(p));
		heap_leave(heap_self);
	}
}

/* The first and last 64 KiB: the largest would take long. */
static void fill(char *p, int with, size_t bytes)
{
	memset(p, with, size_min(bytes, SLICE_BYTES));
	memset(p + bytes - size_min(bytes, SLICE_BYTES), with, size_min(bytes, SLICE_BYTES));
}

static bool is_filled(const char *p, int with, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += i < SLICE_BYTES || bytes - i < SLICE_BYTES ? 1 : KiB)
		if ((i < SLICE_BYTES || bytes - i <= SLICE_BYTES || with == 0) &&
			p[i] != (char)with)
			return false;
	return true;
}

/* Every range at once, in the place for it, apart from the others; counted while it lives. */
START_TEST(all_sizes)
{
	char *block[COUNT(sizes)];

	for (int round = 0; round < 2; round++) {
		size_t bytes = 0;

		for (size_t i = 0; i < COUNT(sizes); i++) {
			block[i] = take(sizes[i], BLOCK_ALIGN, false);
			ck_assert_int_eq(arena_has(block[i]), sizes[i] <= RUN_LIMIT);
			fill(block[i], (int)i + 1, pools_bytes(block[i]));
			bytes += pools_bytes(block[i]);
		}
		pools_trim(); /* what is listed does not count as held */
		ck_assert(stats().large.blocks == 2 && stats().arena_blocks == COUNT(sizes) - 2);
		ck_assert_uint_eq(stats().arena_bytes + stats().large.bytes, bytes);
		for (size_t i = 0; i < COUNT(sizes); i++) {
			ck_assert(is_filled(block[i], (int)i + 1, pools_bytes(block[i])));
			give(block[i]);
		}
		pools_trim();
		ck_assert(stats().arena_blocks == 0 && stats().arena.taken_slices == 0);
	}
}
END_TEST

/* Zero when asked for, whatever lay there before: fresh, from a list or front, from the arena. */
START_TEST(zero)
{
	char *block[3], *again;

	for (size_t i = 0; i < COUNT(sizes) - 3; i++)
		for (int trimmed = 0; trimmed < 2; trimmed++) {
			for (size_t k = 0; k < COUNT(block); k++) {
				block[k] = take(sizes[i], BLOCK_ALIGN, true);
				ck_assert(is_filled(block[k], 0, sizes[i]));
				memset(block[k], 0xaa, pools_bytes(block[k]));
			}
			for (size_t k = 0; k < COUNT(block); k++)
				give(block[k]);
			if (trimmed && heap_enter(heap_self)) {
				heap_trim(heap_self);
				heap_leave(heap_self);
			}
			again = take(sizes[i], 64, true);
			ck_assert(is_filled(again, 0, sizes[i]));
			memset(again, 0xaa, sizes[i]);
			give(again);
		}
}
END_TEST

START_TEST(alignments)
{
	for (size_t align = 16; align <= 64 * MiB; align *= 2)
		for (size_t i = 0; i < COUNT(sizes); i++) {
			char *block[2] = {
				take(sizes[i], align, false), take(sizes[i], align, i % 2)};

			fill(block[0], 1, sizes[i]);
			fill(block[1], 2, sizes[i]);
			ck_assert(is_filled(block[0], 1, sizes[i]));
			give(block[0]);
			give(block[1]);
		}
}
END_TEST

/* From, to: in place, moved, or left to the caller (NULL); content stays. */
START_TEST(resize)
{
	static const struct {
		size_t from, to;
		enum { NO, SAME, MOVED } want;
	} row[] = {{100, 5000, NO}, {5000, 6000, NO}, {40 * KiB, 60 * KiB, SAME},
		{100 * KiB, 10 * KiB, NO}, {100 * KiB, 40 * KiB, SAME}, {MiB, 20 * MiB, SAME},
		{100 * KiB, RUN_LIMIT + 1, NO}, {2 * MiB, RUN_LIMIT + 1, MOVED},
		{20 * MiB, 33 * KiB, SAME}, {100 * MiB, 70 * MiB, SAME}};

	char *room = take(RUN_LIMIT, 16, false);

	give(take(RUN_LIMIT, 16, false)); /* slices to grow into, more than a run may have */
	give(room);
	for (size_t i = 0; i < COUNT(row); i++) {
		char *block = take(row[i].from, BLOCK_ALIGN, false), *now;
		size_t had = pools_bytes(block);

		fill(block, 0x33, size_min(had, row[i].to));
		now = pools_resize(block, row[i].to);
		ck_assert_int_eq(!now, row[i].want == NO);
		ck_assert(!now || (now == block) == (row[i].want == SAME));
		now = now ? now : block;
		ck_assert_uint_ge(pools_bytes(now), row[i].want == NO ? had : row[i].to);
		ck_assert(is_filled(now, 0x33, size_min(had, row[i].to)));
		give(now);
	}
	pools_trim();
	ck_assert(stats().arena.taken_slices == 0 && stats().large.blocks == 0);
}
END_TEST

/* A neighbour in the way: small runs are left to the caller, large ones move. */
START_TEST(resize_blocked)
{
	char *small = take(100 * KiB, 16, false), *next = take(MiB, 16, false), *last, *moved;

	last = take(MiB / 2, 16, false);
	ck_assert(next == small + 128 * KiB && last == next + MiB);
	fill(next, 0x44, MiB);
	ck_assert_ptr_null(pools_resize(small, 200 * KiB));
	moved = pools_resize(next, 2 * MiB);
	ck_assert(moved && moved != next && is_filled(moved, 0x44, MiB));
	ck_assert_uint_eq(stats().arena.dirty_slices, 0);        /* the pages went with it */
	ck_assert_ptr_eq(pools_resize(small, 200 * KiB), small); /* there is room now */
}
END_TEST

static size_t resident(void)
{
	char text[128] = "";
	FILE *file = fopen("/proc/self/statm", "r");
	unsigned long pages;

	if (!fgets(text, sizeof text, file) || sscanf(text, "%*u %lu", &pages) != 1)
		abort();
	fclose(file);
	return pages * pools_page_bytes();
}

static void *touch_and_free(void *unused)
{
	static void *block[MANY];
	bool ended;

	if (unused)
		pools_birth();
	for (size_t bytes = 256; bytes <= 8192; bytes *= 32)
		for (unsigned round = 0; round < 2; round++)
			for (unsigned i = 0; i < MANY; i++)
				if (round)
					give(block[i]);
				else
					memset(block[i] = take(bytes, 16, false), 1, bytes);
	give(memset(take(20 * MiB, 16, false), 1, 20 * MiB));
	if (unused)
		pools_death(heap_self);
	ck_assert(!unused || (!pools_self(&ended) && ended));
	return unused;
}

/* What was freed leaves, here and in the heaps of the dead. */
START_TEST(trim_lowers_rss)
{
	pthread_t thread;
	size_t before = resident();

	touch_and_free(NULL);
	pthread_create(&thread, NULL, touch_and_free, &before);
	pthread_join(thread, NULL);
	ck_assert(stats().heaps == 2 && stats().heaps_dead == 1);
	ck_assert_uint_ge(resident(), before + 20 * MiB);
	ck_assert_uint_ge(pools_trim(), 20 * MiB);
	ck_assert(resident() <= before + 2 * MiB && stats().arena.taken_slices == 0);
}
END_TEST

/* The reservation makes way, and a limit meant with it is returned without it. */
START_TEST(limit)
{
	size_t reserved = stats().arena.reserved_bytes, cut;

	take(100, 16, false);
	ck_assert_uint_eq(pools_limit(reserved), reserved);
	ck_assert_uint_le(stats().arena.reserved_bytes, reserved / 2 + 64 * MiB);
	reserved = stats().arena.reserved_bytes;
	cut = pools_limit(reserved + 2 * GiB);
	ck_assert_uint_eq(cut, reserved + 2 * GiB - (reserved - stats().arena.reserved_bytes));
	ck_assert_uint_le(stats().arena.reserved_bytes, GiB + 64 * MiB + stats().arena.open_bytes);
	ck_assert(pools_limit(MiB) == MiB && take(MiB, 16, false)); /* what is open stays */
}
END_TEST

/* What was made ready is there: no further slice, no further mapping. */
START_TEST(prepare)
{
	static const size_t want[] = {48, 2000, 8000, 100 * KiB, 2 * MiB};
	size_t open, taken;

	for (size_t i = 0; i < COUNT(want); i++) {
		pools_prepare(want[i], 10);
		taken = stats().arena.taken_slices;
		open = stats().arena.open_bytes;
		for (unsigned k = 0; k < 10; k++)
			take(want[i], 16, false);
		ck_assert(want[i] > MID_MAX || stats().arena.taken_slices == taken);
		ck_assert_uint_eq(stats().arena.open_bytes, open);
	}
	pools_prepare(0, 3);
	for (unsigned class = 0; class < SMALL_CLASSES; class++)
		for (unsigned k = 0; k < 3; k++)
			ck_assert_ptr_nonnull(fast_take_small(class_small_bytes[class]));
}
END_TEST

/* As from a handler that interrupted a slow half: nothing of the heap is touched, nothing lost. */
START_TEST(inside_a_slow_half)
{
	char *block,
		*held[] = {take(100, 16, false), take(5000, 16, false), take(2 * MiB, 16, false)};

	ck_assert(heap_enter(heap_self));
	block = pools_take(heap_self, 100, 16, true);
	ck_assert(block && !arena_has(block) && is_filled(block, 0, 100));
	for (unsigned i = 0; i < COUNT(held); i++)
		pools_give(heap_self, held[i]);
	ck_assert_uint_eq(span_remote(span_of(held[0])), 1);
	heap_leave(heap_self);
	ck_assert(pools_give_far(block));
	give(take(60000, 16, false)); /* its slow half takes the deferred ones in */
	ck_assert(pools_trim() && stats().arena.taken_slices == 0);
}
END_TEST

START_TEST(late_heap)
{
	struct heap *late = heap_late_enter();
	char *block;

	ck_assert(late && late != heap_self);
	block = pools_take_late(100, 16, true); /* it is held, by this thread: a mapping */
	ck_assert(block && !arena_has(block) && pools_give_far(block));
	heap_late_leave();
	block = pools_take_late(100, 16, true);
	ck_assert_ptr_eq(span_of(block)->owner, late);
}
END_TEST

/* Without a heap: what is too small for a mapping has only the second backend; and strangers. */
START_TEST(without_a_heap)
{
	char *block = pools_take(NULL, MID_MAX + 1, 16, true), *theirs = calloc(1, 100);

	ck_assert(pools_bytes(theirs) == 0 && !pools_give_far(theirs));
	free(theirs);
	ck_assert(block && !arena_has(block) && pools_give_far(block));
	ck_assert_ptr_null(pools_take(NULL, MID_MAX, 16, false));
	if (!pools_stand_by(true))
		return;
	block = pools_take(NULL, 100, 64, true);
	ck_assert(backend_has(block) && is_filled(block, 0, 100) && (uintptr_t)block % 64 == 0);
	ck_assert(pools_bytes(block) >= 100 && pools_resize(block, 200) == NULL);
	ck_assert(stats().backend.blocks == 1 && pools_give_far(block));
}
END_TEST

static struct heap *seen[2];
static _Atomic int stage;

static void *wait_inside(void *inside)
{
	struct heap *heap = seen[inside != NULL] = pools_birth();

	take(100, 16, false);
	if (inside)
		heap_enter(heap);
	for (stage++;;)
		pause();
	return NULL;
}

static int child(struct heap *mine)
{
	pools_child();
	if (heap_self != mine || !seen[0]->dead || seen[1]->dead || mine->dead)
		return 1;
	heap_self = &heap_none;
	if (pools_birth() != seen[0]) /* of a thread that is gone: free to take */
		return 2;
	heap_self = &heap_none;
	return pools_birth() == seen[1] ? 3 : 0; /* not that whose slow half was cut off */
}

START_TEST(fork_buries_the_others)
{
	pthread_t thread[2];
	int status;

	pthread_create(&thread[0], NULL, wait_inside, NULL);
	pthread_create(&thread[1], NULL, wait_inside, &stage);
	while (stage != 2)
		sched_yield();
	if (fork() == 0)
		_exit(child(heap_self));
	wait(&status);
	ck_assert(status == 0 && !seen[0]->dead);
}
END_TEST

int main(void)
{
	const TTest *const once[] = {all_sizes, zero, alignments, resize, resize_blocked,
		trim_lowers_rss, limit, prepare, inside_a_slow_half, late_heap, without_a_heap,
		fork_buries_the_others};
	Suite *suite = suite_create("pools");
	TCase *tc = tcase_create("pools");
	SRunner *runner = srunner_create(suite);

	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, start, NULL);
	for (size_t i = 0; i < COUNT(once); i++)
		tcase_add_test(tc, once[i]);
	srunner_run_all(runner, CK_NORMAL);
	return srunner_ntests_failed(runner) ? EXIT_FAILURE : EXIT_SUCCESS;
}
