/*
 * unit_mid: blocks of 4 to 32 KiB: no block twice, I1 (the list), holes, the fork child.
 * Owns: the madvise that the library calls. Calls: mid, arena, pools. Threads: up to
 * four; a fork child.
 */
#include "pools/mid.h"
#include "pools/pools.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4, STEPS = 6000, MANY = 128, FORKS = 60 };

#define PAGE ((size_t)4096)

/* What DONTNEED shall do. */
static struct {
	_Atomic bool hold, holding; /* stands still, and has arrived */
	bool refuse;
} hook;

int madvise(void *start, size_t bytes, int advice)
{
	if (advice == MADV_DONTNEED && hook.refuse)
		return -1;
	for (; advice == MADV_DONTNEED && hook.hold; usleep(100))
		hook.holding = true;
	return (int)syscall(SYS_madvise, start, bytes, advice);
}

static void *blocks[MANY];
static unsigned class, per_span;
static size_t bytes;

static void start(void)
{
	ck_assert(pools_start(256 * MiB));
}

static void use_class(int i)
{
	class = (unsigned)i;
	bytes = class_mid_bytes[class];
	per_span = (unsigned)(class_mid_slices[class] * SLICE_BYTES / bytes);
}

static size_t taken_slices(void)
{
	struct arena_stats stats;

	arena_read(&stats);
	return stats.taken_slices;
}

/* The first `count` places of blocks, in batches of at most `batch`. */
static void take(unsigned count, unsigned batch)
{
	for (unsigned n = 0, got; n < count; n += got) {
		unsigned want = (unsigned)size_min(batch, count - n);

		got = mid_take(class, blocks + n, want);
		ck_assert(got >= 1 && got <= want);
	}
}

static void fill(unsigned i, char salt)
{
	memset(blocks[i], (char)(i + salt), bytes);
}

static bool holds(const void *block, char value)
{
	return *(const char *)block == value &&
	       memcmp(block, (const char *)block + 1, bytes - 1) == 0;
}

static int by_address(const void *a, const void *b)
{
	const char *left = *(char *const *)a, *right = *(char *const *)b;

	return (left > right) - (left < right);
}

/* Three spans' blocks: each once, inside its span, and known from any place in it. */
START_TEST(all_blocks)
{
	unsigned count;

	use_class(_i);
	count = 3 * per_span;
	take(count, 5);
	ck_assert_uint_eq(taken_slices(), 3 * class_mid_slices[class]);
	qsort(blocks, count, sizeof blocks[0], by_address);
	for (unsigned i = 0; i < count; i++) {
		struct span *span = mid_span(blocks[i]);
		char *at = blocks[i];

		ck_assert_ptr_eq(mid_span(at + bytes - 1), span);
		ck_assert_ptr_eq(at, span_start(span) + i % per_span * bytes);
		ck_assert(span->kind == SPAN_MID && span->class == class && span->back == 0);
		ck_assert(span_of(at)->class == class && span_of(at)->kind == SPAN_MID);
		ck_assert(!span_of(at)->owner && span->capacity == per_span && !span->bits);
	}
	/* An empty span goes if another has room, wherever it is in the list; a purge takes all. */
	mid_give(class, &blocks[0], 1);
	mid_give(class, &blocks[count - 1], 1);
	mid_give(class, &blocks[1], per_span - 1);
	ck_assert_uint_eq(taken_slices(), 2 * class_mid_slices[class]);
	mid_give(class, &blocks[per_span], count - per_span - 1);
	ck_assert_uint_eq(taken_slices(), class_mid_slices[class]);
	mid_purge();
	ck_assert_uint_eq(taken_slices(), 0);
}
END_TEST

/* I1: a span that was wholly taken is found again as soon as one block is free. */
START_TEST(membership)
{
	void *again[MANY];

	use_class(_i);
	take(2 * per_span, MANY);
	for (unsigned i = 0; i < 2 * per_span; i += per_span / 2) {
		mid_give(class, &blocks[i], 1);
		ck_assert_uint_eq((unsigned)__builtin_popcountll(mid_span(blocks[i])->bits), 1);
		ck_assert_uint_eq(mid_take(class, again, MANY), 1);
		ck_assert_ptr_eq(again[0], blocks[i]);
	}
	mid_give(class, &blocks[1], 1);
	mid_give(class, &blocks[per_span], 1);
	ck_assert_uint_eq(mid_take(class, again, 3), 2); /* out of both, no new span for a third */
	ck_assert_uint_eq(taken_slices(), 2 * class_mid_slices[class]);
	ck_assert_uint_eq(mid_take(class, again, 3), 1); /* a new span hands out one */
	ck_assert_uint_eq(taken_slices(), 3 * class_mid_slices[class]);
}
END_TEST

/* Never: writes into a free block. */
START_TEST(content_stays)
{
	use_class(_i);
	take(per_span, MANY);
	for (unsigned i = 0; i < per_span; i++)
		fill(i, 1);
	mid_give(class, blocks, per_span - 1);
	ck_assert(holds(blocks[per_span - 1], (char)per_span));
	take(per_span - 1, 3);
	qsort(blocks, per_span, sizeof blocks[0], by_address);
	for (unsigned i = 0; i < per_span; i++)
		ck_assert(holds(blocks[i], (char)(i + 1)));
}
END_TEST

/* Whether block i of the span is free in a pattern of holes. */
static bool is_hole(unsigned pattern, unsigned i)
{
	return pattern == 0 ? i % 2 == 0 : pattern == 1 ? i % 2 == 1 : i % 4 != 1;
}

/* Bytes of the whole pages inside the runs of holes. */
static size_t whole_pages(unsigned pattern)
{
	size_t pages = 0;

	for (size_t page = 0; page + PAGE <= per_span * bytes; page += PAGE) {
		bool whole = true;

		for (size_t i = page / bytes; i * bytes < page + PAGE; i++)
			whole &= is_hole(pattern, (unsigned)i);
		pages += whole;
	}
	return pages * PAGE;
}

static void check_holes(unsigned pattern)
{
	unsigned held = 0;
	size_t zero = 0;

	for (unsigned i = 0; i < per_span; i++)
		held += !is_hole(pattern, i);
	if (held == 0 || held == per_span)
		return;
	for (unsigned i = 0; i < per_span; i++)
		fill(i, 1);
	for (unsigned i = 0; i < per_span; i++)
		if (is_hole(pattern, i))
			mid_give(class, &blocks[i], 1);
	ck_assert_uint_eq(mid_purge(), whole_pages(pattern));
	for (unsigned i = 0; i < per_span; i++)
		if (!is_hole(pattern, i))
			ck_assert(holds(blocks[i], (char)(i + 1)));
	for (const char *at = blocks[0]; at < (char *)blocks[0] + per_span * bytes; at += PAGE)
		zero += *at == 0 ? PAGE : 0;
	ck_assert_uint_eq(zero, whole_pages(pattern));
	take(per_span - held, MANY);
	memmove(blocks + held, blocks, (per_span - held) * sizeof blocks[0]);
	for (unsigned i = 0; i < per_span; i++)
		blocks[i] = span_start(mid_span(blocks[held])) + i * bytes;
}

/* Pages inside the holes are given back, the neighbours' not, and none is lost. */
START_TEST(purge_holes)
{
	ck_assert_uint_eq(os_page_bytes, PAGE);
	use_class(_i);
	take(per_span, MANY);
	for (unsigned pattern = 0; pattern < 3; pattern++)
		check_holes(pattern);
	ck_assert_uint_eq(taken_slices(), class_mid_slices[class]);
	if (per_span > 2) {
		hook.refuse = true;
		mid_give(class, blocks, per_span - 1);
		ck_assert_uint_eq(mid_purge(), 0);
	}
}
END_TEST

START_TEST(no_room)
{
	bool dirty;

	use_class(19); /* three slices */
	arena_shrink(0);
	ck_assert_uint_eq(mid_take(class, blocks, 4), 0);
	ck_assert_uint_eq(arena_take(1, 1, ARENA_SPARSE, &dirty), ARENA_NONE);
	use_class(0);
	ck_assert_uint_eq(mid_take(class, blocks, 4), 0);
}
END_TEST

/* Tags its blocks in a word of their own and finds the tags unchanged. */
static void *busy(void *number)
{
	unsigned seed = (unsigned)(uintptr_t)number;
	void *held[8][12];
	unsigned count[8] = {0}, of[8] = {0};

	for (unsigned step = 0; step < STEPS + 8; step++) {
		unsigned at = step < STEPS ? (unsigned)rand_r(&seed) % 8 : step - STEPS;

		for (unsigned i = 0; i < count[at]; i++)
			if (*(uintptr_t *)held[at][i] != (uintptr_t)number * 1000 + at)
				abort();
		if (count[at]) {
			mid_give(of[at], held[at], count[at]);
			count[at] = 0;
		} else if (step < STEPS) {
			of[at] = (unsigned)rand_r(&seed) % 3 * 12;
			count[at] = mid_take(of[at], held[at], 1 + (unsigned)rand_r(&seed) % 12);
		}
		for (unsigned i = 0; i < count[at]; i++)
			*(uintptr_t *)held[at][i] = (uintptr_t)number * 1000 + at;
		if (step % 512 == 0)
			mid_purge();
	}
	return NULL;
}

START_TEST(four_threads)
{
	pthread_t thread[THREADS];

	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, busy, (void *)(i + 1));
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	mid_purge();
	ck_assert_uint_eq(taken_slices(), 0);
}
END_TEST

static void *purge(void *unused)
{
	mid_purge();
	return unused;
}

/* In the child, one span's free blocks were in the hands of a thread that is gone. */
static int child(unsigned free_blocks)
{
	void *got[MANY];
	size_t before = taken_slices();
	unsigned n = 0;

	hook.hold = false;
	mid_child();
	for (; n < free_blocks; n++) {
		if (mid_take(class, &got[n], 1) != 1)
			return 1;
		if (taken_slices() != before)
			break;
		for (unsigned i = 0; i < n; i++)
			if (got[i] == got[n])
				return 2;
	}
	/* The other spans' are all there, and not one of that span's. */
	if (n + per_span <= free_blocks || n == free_blocks)
		return 3;
	return mid_take(0, got, 1) == 1 && mid_purge() > 0 ? 0 : 4;
}

START_TEST(child_misses_what_is_being_purged)
{
	pthread_t thread;
	int status;

	use_class(4);
	take(3 * per_span, MANY);
	for (unsigned i = 0; i < 3 * per_span; i += 2)
		mid_give(class, &blocks[i], 1);
	hook.hold = true;
	pthread_create(&thread, NULL, purge, NULL);
	while (!hook.holding)
		usleep(100);
	if (fork() == 0)
		_exit(child((3 * per_span + 1) / 2));
	wait(&status);
	hook.hold = false;
	pthread_join(thread, NULL);
	ck_assert_int_eq(status, 0);
}
END_TEST

static _Atomic bool stop;

static void *hammer(void *unused)
{
	void *some[12];

	while (!stop)
		mid_give(4, some, mid_take(4, some, 12));
	return unused;
}

/* Forked at any instant of it: the lists say again what the bits say, no more and no less. */
static int child_of_hammer(void *of_full_span)
{
	unsigned n = 0, found = 0;
	size_t before = taken_slices();

	alarm(20);
	mid_child();
	mid_give(class, &of_full_span, 1);
	for (size_t i = 0; i < arena_slices(); i++)
		if (span_at(i)->kind == SPAN_MID && span_at(i)->back == 0)
			n += (unsigned)__builtin_popcountll(span_at(i)->bits);
	for (void *block; found <= n && mid_take(class, &block, 1) == 1; found++)
		if (taken_slices() != before)
			break;
	return found == n ? 0 : 1;
}

START_TEST(child_makes_lists_again)
{
	pthread_t thread;
	int status;

	use_class(4);
	take(4 * per_span, MANY);
	mid_give(class, &blocks[per_span], 2 * per_span - 1);
	pthread_create(&thread, NULL, hammer, NULL);
	for (unsigned i = 0; i < FORKS; i++) {
		if (fork() == 0)
			_exit(child_of_hammer(blocks[0]));
		wait(&status);
		ck_assert_int_eq(status, 0);
	}
	stop = true;
	pthread_join(thread, NULL);
}
END_TEST

int main(void)
{
	const TTest *const once[] = {
		no_room, four_threads, child_misses_what_is_being_purged, child_makes_lists_again};
	const TTest *const each[] = {all_blocks, membership, content_stays, purge_holes};
	Suite *suite = suite_create("mid");
	TCase *tc = tcase_create("mid");
	SRunner *runner = srunner_create(suite);

	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, start, NULL);
	for (size_t i = 0; i < sizeof once / sizeof once[0]; i++)
		tcase_add_test(tc, once[i]);
	for (size_t i = 0; i < sizeof each / sizeof each[0]; i++)
		tcase_add_loop_test(tc, each[i], 0, MID_CLASSES);
	srunner_run_all(runner, CK_NORMAL);
	return srunner_ntests_failed(runner) ? EXIT_FAILURE : EXIT_SUCCESS;
}
