/*
 * unit_arena: slices taken and given against a plain array of who holds what.
 * Owns: the model; the madvise and mprotect that the library calls. Calls: arena,
 * pools. Threads: up to four; fork children.
 */
#include "pools/pools.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4, STEPS = 8000, HOLDS = 64, MODEL_SLICES = 512 * CHUNK_SLICES };

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* What the library's calls shall do. */
static struct {
	_Atomic bool hold, holding; /* MADV_DONTNEED stands still, and has arrived */
	bool refuse_purge;
	size_t open_max; /* larger mprotects are refused */
	unsigned huge;   /* MADV_HUGEPAGE calls */
} hook = {.open_max = SIZE_MAX};

int madvise(void *start, size_t bytes, int advice)
{
	hook.huge += advice == MADV_HUGEPAGE;
	if (advice == MADV_DONTNEED && hook.refuse_purge)
		return -1;
	for (; advice == MADV_DONTNEED && hook.hold; usleep(100))
		hook.holding = true;
	return (int)syscall(SYS_madvise, start, bytes, advice);
}

int mprotect(void *start, size_t bytes, int protection)
{
	return bytes > hook.open_max ? -1 : (int)syscall(SYS_mprotect, start, bytes, protection);
}

static void start(void)
{
	os_start();
	ck_assert(arena_start(1 * GiB));
}

static size_t take(size_t slices, size_t align)
{
	bool dirty;

	return arena_take(slices, align, ARENA_SPARSE, &dirty);
}

static struct arena_stats read_stats(void)
{
	struct arena_stats stats;

	arena_read(&stats);
	ck_assert_uint_eq(stats.free_slices + stats.taken_slices, arena_slices());
	return stats;
}

static const char zeros[61 * SLICE_BYTES];

START_TEST(singles)
{
	bool dirty = true;

	ck_assert_uint_eq((uintptr_t)arena.base % CHUNK_BYTES, 0);
	ck_assert(arena.records + (GiB >> SLICE_SHIFT) * RECORD_BYTES < arena.base);
	ck_assert(!arena_has(arena.base) && !arena_has(NULL));
	ck_assert(arena_slices() == 0 && read_stats().reserved_bytes >= GiB);
	ck_assert(arena_take(1, 1, ARENA_SPARSE, &dirty) == 0 && !dirty);
	for (size_t want = 1; want < 3 * CHUNK_SLICES; want++)
		ck_assert_uint_eq(take(1, 1), want);
	for (size_t i = 0; i < 3 * CHUNK_SLICES; i++) {
		ck_assert_mem_eq(arena_address(i), zeros, SLICE_BYTES);
		ck_assert_uint_eq(arena_index(arena_address(i) + SLICE_BYTES - 1), i);
		arena.records[i << RECORD_SHIFT] = 1;
	}
	arena_give(7, 1, true);
	ck_assert(arena_take(1, 1, ARENA_SPARSE, &dirty) == 7 && dirty);
	arena_give(40, 1, false);
	ck_assert(arena_take(1, 1, ARENA_SPARSE, &dirty) == 40 && !dirty);
	ck_assert(arena_has(arena.base) && arena_has(arena.base + arena.open_bytes - 1));
	ck_assert(!arena_has(arena.base - 1) && !arena_has(arena.base + arena.open_bytes));
}
END_TEST

/* Runs begin in the tail of the chunk before, as soon as there is one. */
START_TEST(across_chunks)
{
	static const size_t sizes[] = {33, 63, 64, 65, 100, 511, 512, 1023, 1024};
	size_t tail = take(20, 1);

	for (size_t i = 0; i < COUNT(sizes); i++) {
		size_t index = take(sizes[i], 1), second = take(sizes[i], CHUNK_SLICES);

		ck_assert_uint_eq(index, tail + 20);
		ck_assert(second % CHUNK_SLICES == 0 && second >= index + sizes[i]);
		arena_address(index + sizes[i])[-1] = 1;
		arena_give(index, sizes[i], true);
		arena_give(second, sizes[i], true);
	}
	ck_assert_uint_eq(read_stats().taken_slices, 20);
}
END_TEST

/* A hole before the place where one of its length was found last is not overlooked. */
START_TEST(hole_before_the_last)
{
	for (size_t i = 0; i < 3; i++)
		ck_assert_uint_eq(take(1024, 1), i * 1024);
	arena_give(2100, 4, false);
	ck_assert_uint_eq(take(4, 1), 2100);
	for (size_t i = 10; i < 14; i++)
		arena_give(i, 1, false);
	ck_assert_uint_eq(take(4, 1), 10);
}
END_TEST

START_TEST(take_at_and_rollback)
{
	bool dirty;

	arena_give(take(4 * CHUNK_SLICES, CHUNK_SLICES), 4 * CHUNK_SLICES, false);
	ck_assert(arena_take_at(70, 1, &dirty) && !dirty);
	ck_assert(!arena_take_at(70, 1, &dirty));
	ck_assert(!arena_take_at(10, 61, &dirty)); /* two whole pieces, then slice 70 */
	ck_assert(!arena_take_at(arena_slices() - 1, 2, &dirty));
	ck_assert(read_stats().taken_slices == 1 && read_stats().dirty_slices == 0);
	ck_assert(arena_take_at(10, 60, &dirty));
	arena_give(10, 60, false);
	arena_give(31, 1, true);
	ck_assert(!arena_take_at(10, 61, &dirty));
	ck_assert(arena_take_at(10, 60, &dirty) && dirty); /* the rollback kept what was dirty */
}
END_TEST

static struct {
	bool taken[MODEL_SLICES], dirty[MODEL_SLICES];
	struct held {
		size_t index, slices;
	} held[HOLDS];
	size_t slices; /* taken */
	unsigned seed;
} model;

static void model_set(struct held *held, bool taken, bool dirty)
{
	model.slices += taken ? held->slices : -held->slices;
	for (size_t i = held->index; i < held->index + held->slices; i++) {
		if (model.taken[i] == taken)
			ck_abort_msg("slice %zu twice", i);
		model.taken[i] = taken;
		model.dirty[i] = dirty;
	}
}

static void model_take(struct held *held)
{
	size_t align = (size_t)1 << rand_r(&model.seed) % 6;
	bool dirty, want = false;

	held->slices = 1 + (size_t)rand_r(&model.seed) % CHUNK_SLICES;
	if (rand_r(&model.seed) % 8 == 0)
		held->slices = 1 + (size_t)rand_r(&model.seed) % 1000;
	held->index = arena_take(held->slices, align, ARENA_SPARSE, &dirty);
	ck_assert_uint_eq(held->index % align, 0);
	ck_assert_uint_le(held->index + held->slices, arena_slices());
	for (size_t i = held->index; i < held->index + held->slices; i++)
		want |= model.dirty[i];
	ck_assert_int_eq(dirty, want);
	model_set(held, true, false);
}

/* Random sequences: no overlap, exact dirty flags, nothing lost. */
START_TEST(random_sequence)
{
	model.seed = 11 + (unsigned)_i;
	for (unsigned step = 0; step < STEPS; step++) {
		struct held *held = &model.held[rand_r(&model.seed) % HOLDS];
		bool dirty = rand_r(&model.seed) & 8;

		if (held->slices) {
			model_set(held, false, dirty);
			arena_give(held->index, held->slices, dirty);
			held->slices = 0;
		} else {
			model_take(held);
		}
		if (step % 64 == 0)
			ck_assert_uint_eq(read_stats().taken_slices, model.slices);
	}
}
END_TEST

static _Atomic char owner[MODEL_SLICES];

static void mark(const struct held *at, char taken)
{
	for (size_t i = at->index; i < at->index + at->slices; i++)
		if (atomic_exchange(&owner[i], taken) == taken)
			abort();
}

static void *busy(void *number)
{
	unsigned seed = (unsigned)(uintptr_t)number;

	for (unsigned step = 0; step < STEPS; step++) {
		struct held held[4];

		for (unsigned i = 0; i < COUNT(held); i++) {
			held[i].slices = 1 + (size_t)rand_r(&seed) % 40;
			held[i].index = take(held[i].slices, (size_t)1 << rand_r(&seed) % 3);
			mark(&held[i], 1);
		}
		for (unsigned i = 0; i < COUNT(held); i++) {
			mark(&held[i], 0);
			arena_give(held[i].index, held[i].slices, rand_r(&seed) & 4);
		}
		if (step % 256 == 0)
			arena_purge(MiB);
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
	arena_purge(SIZE_MAX);
	ck_assert(read_stats().taken_slices == 0 && read_stats().dirty_slices == 0);
	/* Nothing was lost from the summary: all of it can be taken without growth. */
	for (size_t n = arena_slices(), i = 0; i < n; i++)
		ck_assert_uint_eq(take(1, 1), i);
}
END_TEST

/* 64 dirty slices with something in them, from index 0. */
static void soil(void)
{
	size_t index = take(64, CHUNK_SLICES);

	memset(arena_address(index), 0xaa, 64 * SLICE_BYTES);
	arena_give(index, 64, true);
}

START_TEST(purge)
{
	bool dirty;

	ck_assert_uint_eq(arena_purge(SIZE_MAX), 0);
	soil();
	hook.refuse_purge = true; /* stays free and dirty */
	ck_assert(arena_purge(SIZE_MAX) == 0 && read_stats().dirty_slices == 64);
	hook.refuse_purge = false;
	ck_assert_uint_eq(take(3, 1), 0);
	ck_assert_uint_eq(arena_purge(1), 29 * SLICE_BYTES); /* one chunk is the least */
	ck_assert_uint_eq(arena_purge(SIZE_MAX), 32 * SLICE_BYTES);
	ck_assert_int_eq(*arena_address(2), (char)0xaa);
	ck_assert(arena_take_at(3, 61, &dirty) && !dirty);
	ck_assert_mem_eq(arena_address(3), zeros, sizeof zeros);
}
END_TEST

static void *purge_all(void *unused)
{
	arena_purge(SIZE_MAX);
	return unused;
}

/* Forked while another thread stands in madvise with 32 slices claimed. */
START_TEST(child_gets_what_was_claimed)
{
	pthread_t thread;
	int status;

	soil();
	*arena_fork_mark() = 1;
	hook.hold = true;
	pthread_create(&thread, NULL, purge_all, NULL);
	while (!hook.holding)
		usleep(100);
	ck_assert_uint_eq(read_stats().taken_slices, 32);
	ck_assert_uint_eq(arena_purge(SIZE_MAX), 0); /* one at a time */
	if (fork() == 0) {
		hook.hold = false;
		arena_child();
		if (*arena_fork_mark() || read_stats().dirty_slices != 64)
			_exit(1);
		_exit(arena_purge(SIZE_MAX) == 64 * SLICE_BYTES && take(64, 32) == 0 ? 0 : 2);
	}
	wait(&status);
	ck_assert_int_eq(status, 0);
	hook.hold = false;
	pthread_join(thread, NULL);
	ck_assert(read_stats().free_slices == 64 && read_stats().dirty_slices == 0);
}
END_TEST

START_TEST(shrink)
{
	size_t reserved = read_stats().reserved_bytes;

	take(1, 1);
	arena_shrink(512 * MiB);
	arena_shrink(2 * GiB); /* never grows */
	ck_assert_uint_eq(read_stats().reserved_bytes,
		reserved - 512 * MiB - 512 * MiB / SLICE_BYTES * RECORD_BYTES);
	arena_shrink(0);
	ck_assert_uint_eq(reserved - read_stats().reserved_bytes,
		(GiB - arena.open_bytes) / SLICE_BYTES * (SLICE_BYTES + RECORD_BYTES));
	for (size_t i = 1; i < arena_slices(); i++)
		ck_assert_uint_eq(take(1, 1), i);
	arena_address(arena_slices())[-1] = 1;
	arena_give(31, 2, true);
	ck_assert(take(3, 1) == ARENA_NONE && take(2, 2) == ARENA_NONE);
	ck_assert_uint_eq(take(2, 1), 31); /* across a border */
}
END_TEST

/* Refused altogether: none. Refused in large steps: opened in small ones. */
START_TEST(refused_growth)
{
	hook.open_max = 0;
	ck_assert(take(1, 1) == ARENA_NONE && arena_slices() == 0);
	hook.open_max = CHUNK_BYTES;
	ck_assert(take(1, 1) == 0 && arena_slices() == CHUNK_SLICES);
	ck_assert_uint_eq(take(65, 1), ARENA_NONE);
}
END_TEST

/* Asked for by the mode, or by a dense use; each step opens two chunks. */
START_TEST(huge_pages)
{
	static const enum arena_huge modes[] = {
		ARENA_HUGE_AUTO, ARENA_HUGE_ALWAYS, ARENA_HUGE_NEVER};
	bool dirty;

	for (unsigned i = 0; i < 6; i++) {
		hook.huge = 0;
		arena_set_huge(modes[i / 2]);
		arena_take(64, 1, i % 2 ? ARENA_DENSE : ARENA_SPARSE, &dirty);
		ck_assert_uint_eq(hook.huge, i >= 1 && i <= 3);
		ck_assert_uint_eq(arena_slices(), 64 * (i + 1));
	}
}
END_TEST

/* A limited address space: at most half of it, and it works; too little: no arena. */
START_TEST(limited)
{
	struct rlimit limit = {20 * GiB, 20 * GiB};

	setrlimit(RLIMIT_AS, &limit);
	ck_assert(arena_start(12 * GiB));
	ck_assert_uint_le(read_stats().reserved_bytes - 10 * GiB, 32 * MiB);
	arena_address(take(1024, 1) + 1024)[-1] = 1;
	limit.rlim_cur = MiB;
	setrlimit(RLIMIT_AS, &limit);
	ck_assert(!arena_start(256 * GiB));
}
END_TEST

int main(void)
{
	const TTest *const once[] = {singles, across_chunks, hole_before_the_last,
		take_at_and_rollback, limited, four_threads, purge, child_gets_what_was_claimed,
		shrink, refused_growth, huge_pages};
	Suite *suite = suite_create("arena");
	TCase *tc = tcase_create("arena");
	SRunner *runner = srunner_create(suite);

	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, start, NULL);
	for (size_t i = 0; i < COUNT(once); i++)
		tcase_add_test(tc, once[i]);
	tcase_add_loop_test(tc, random_sequence, 0, 3);
	srunner_run_all(runner, CK_NORMAL);
	return srunner_ntests_failed(runner) ? EXIT_FAILURE : EXIT_SUCCESS;
}
