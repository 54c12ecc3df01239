/*
 * unit_backend: mimalloc behind its fence; without the library only that it is off.
 * Owns: nothing. Calls: backend, os. Threads: up to four; a fork child.
 */
#include "pools/backend.h"
#include "pools/os.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4, STEPS = 4000, HOLDS = 32, BIG = 15 << 20, MANY = 20, REFUSED_PASS = 256 };

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void start(void)
{
	os_start();
	ck_assert(backend_start(true));
	ck_assert(backend_on());
}

static struct backend_stats stats(void)
{
	struct backend_stats now;

	backend_read(&now);
	return now;
}

static char *take(size_t bytes, size_t align)
{
	char *block = backend_take(bytes, align, false);

	ck_assert_ptr_nonnull(block);
	ck_assert(backend_has(block) && backend_has(block + size_max(bytes, 1) - 1));
	ck_assert_uint_ge(backend_bytes(block), size_max(bytes, 1));
	ck_assert_uint_eq((uintptr_t)block % size_max(align, BLOCK_ALIGN), 0);
	return block;
}

START_TEST(off)
{
	int here;

	os_start();
	ck_assert(!backend_on());
	ck_assert_ptr_null(backend_take(16, 16, false));
	ck_assert(!backend_has(NULL) && !backend_has(&here));
	ck_assert(stats().regions == 0 && stats().blocks == 0);
	backend_trim();
	backend_child();
}
END_TEST

/* All sizes up to the bound, by thirds; content apart; counted while they live. */
START_TEST(sizes)
{
	char *block[64];
	size_t bytes[64], n = 0, sum = 0;

	for (size_t size = 0; size <= 16 * MiB; size = size < 3 ? size + 1 : size * 3 / 2, n++) {
		bytes[n] = size;
		block[n] = take(size, BLOCK_ALIGN);
		memset(block[n], (int)n, size);
		sum += backend_bytes(block[n]);
	}
	ck_assert(stats().blocks == n && stats().bytes == sum);
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < bytes[i]; k += 509)
			ck_assert_int_eq(block[i][k], (char)i);
		backend_give(block[i]);
	}
	ck_assert(stats().blocks == 0 && stats().bytes == 0);
	take(16 * MiB, BLOCK_ALIGN);
}
END_TEST

START_TEST(alignments)
{
	for (size_t align = 1; align <= MiB; align *= 2)
		for (size_t bytes = 1; bytes <= 4 * MiB; bytes *= 4) {
			char *block[4];

			for (size_t i = 0; i < COUNT(block); i++)
				memset(block[i] = take(bytes + i / 2, align), 1, bytes);
			for (size_t i = 0; i < COUNT(block); i++)
				backend_give(block[i]);
		}
	ck_assert_uint_eq(stats().blocks, 0);
}
END_TEST

START_TEST(zeroed)
{
	static const size_t sizes[] = {16, 100, 4096, 40000, MiB, 8 * MiB};

	for (unsigned i = 0; i < COUNT(sizes) * 6; i++) {
		size_t bytes = sizes[i / 6], align = i % 2 ? 64 : BLOCK_ALIGN;
		char *block = backend_take(bytes, align, true);

		ck_assert_int_eq(block[0], 0);
		ck_assert_int_eq(memcmp(block, block + 1, bytes - 1), 0);
		memset(block, 0xaa, bytes);
		backend_give(block);
	}
}
END_TEST

/* What mimalloc cannot be trusted with never reaches it. */
START_TEST(refuses)
{
	static const size_t sizes[] = {16 * MiB + 1, GiB, PTRDIFF_MAX, SIZE_MAX - 20, SIZE_MAX};

	for (size_t i = 0; i < COUNT(sizes); i++)
		for (size_t align = 1; align <= 64; align *= 64)
			ck_assert_ptr_null(backend_take(sizes[i], align, i % 2));
	ck_assert_ptr_null(backend_take(16, 2 * MiB, false));
	ck_assert_ptr_null(backend_take(16, GiB, false));
	ck_assert(stats().blocks == 0 && stats().regions == 1);
}
END_TEST

/* Another region as soon as one is full; blocks of all of them are known. */
START_TEST(regions_grow)
{
	struct backend_stats first;
	char *block[MANY];

	backend_give(take(16, BLOCK_ALIGN));
	first = stats();
	ck_assert(first.regions == 1 && first.region_bytes > 0);
	for (size_t i = 0; i < MANY; i++) {
		block[i] = take(BIG, BLOCK_ALIGN);
		for (size_t k = 0; k < i; k++)
			ck_assert(block[i] >= block[k] + BIG || block[k] >= block[i] + BIG);
	}
	ck_assert_uint_gt(stats().regions, 1);
	ck_assert_uint_ge(stats().region_bytes, (size_t)MANY * BIG);
	ck_assert_uint_ge(stats().region_bytes, 2 * first.region_bytes);
	ck_assert(!backend_has(&first) && !backend_has(NULL));
	for (size_t i = 0; i < MANY; i++)
		backend_give(block[i]);
	take(100, BLOCK_ALIGN);
}
END_TEST

/* No address space: NULL, then some requests are let pass before it is tried again. */
START_TEST(no_room)
{
	struct rlimit limit = {MiB, RLIM_INFINITY};
	char *block = take(100, BLOCK_ALIGN);
	size_t before;

	setrlimit(RLIMIT_AS, &limit);
	while (backend_take(BIG, BLOCK_ALIGN, false))
		;
	ck_assert_uint_eq(stats().regions, 1);
	before = stats().blocks;
	limit.rlim_cur = RLIM_INFINITY;
	setrlimit(RLIMIT_AS, &limit);
	for (unsigned i = 0; i < REFUSED_PASS; i++)
		ck_assert_ptr_null(backend_take(BIG, BLOCK_ALIGN, false));
	ck_assert_uint_eq(stats().blocks, before);
	take(BIG, BLOCK_ALIGN);
	ck_assert_uint_eq(stats().regions, 2);
	backend_give(block);
}
END_TEST

static char *_Atomic shared[HOLDS];

/* Blocks change hands through shared places, so most are freed by others. */
static void *busy(void *number)
{
	unsigned seed = (unsigned)(uintptr_t)number;

	for (unsigned step = 0; step < STEPS; step++) {
		size_t bytes = 16 + (size_t)rand_r(&seed) % (rand_r(&seed) % 64 ? 3000 : 300000);
		char *block = backend_take(bytes, rand_r(&seed) % 8 ? 16 : 256, false);

		if (!block || !backend_has(block))
			abort();
		memset(block, (char)bytes, 16);
		block = atomic_exchange(&shared[rand_r(&seed) % HOLDS], block);
		if (block && memcmp(block, block + 1, 15) != 0)
			abort();
		if (block)
			backend_give(block);
	}
	backend_trim();
	return NULL;
}

START_TEST(four_threads)
{
	pthread_t thread[THREADS];

	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, busy, (void *)(i + 1));
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	for (unsigned i = 0; i < HOLDS; i++)
		if (shared[i])
			backend_give(shared[i]);
	ck_assert(stats().blocks == 0 && stats().bytes == 0);
}
END_TEST

START_TEST(trim_keeps_blocks)
{
	char *block[MANY];

	for (unsigned i = 0; i < MANY; i++)
		memset(block[i] = take(20000, BLOCK_ALIGN), (int)i, 20000);
	for (unsigned i = 0; i < MANY; i += 2)
		backend_give(block[i]);
	backend_trim();
	for (unsigned i = 1; i < MANY; i += 2) {
		ck_assert_int_eq(block[i][0], (char)i);
		ck_assert_int_eq(memcmp(block[i], block[i] + 1, 19999), 0);
	}
}
END_TEST

START_TEST(fork_child)
{
	char *block = take(1000, BLOCK_ALIGN);
	int status;

	if (fork() == 0) {
		backend_child();
		backend_give(block);
		block = backend_take(BIG, BLOCK_ALIGN, true);
		_exit(block && backend_has(block) ? 0 : 1);
	}
	wait(&status);
	ck_assert_int_eq(status, 0);
}
END_TEST

/* Whether there is a library to test; asked in a child, as tests start without it. */
static bool is_there(void)
{
	int status;

	if (fork() == 0) {
		os_start();
		_exit(backend_start(true) ? 0 : 1);
	}
	wait(&status);
	return status == 0;
}

int main(void)
{
	const TTest *const once[] = {sizes, alignments, zeroed, refuses, regions_grow, no_room,
		four_threads, trim_keeps_blocks, fork_child};
	Suite *suite = suite_create("backend");
	TCase *without = tcase_create("off"), *with = tcase_create("on");
	SRunner *runner = srunner_create(suite);

	suite_add_tcase(suite, without);
	suite_add_tcase(suite, with);
	tcase_set_timeout(with, 60);
	tcase_add_test(without, off);
	tcase_add_checked_fixture(with, start, NULL);
	for (size_t i = 0; is_there() && i < COUNT(once); i++)
		tcase_add_test(with, once[i]);
	srunner_run_all(runner, CK_NORMAL);
	return srunner_ntests_failed(runner) ? EXIT_FAILURE : EXIT_SUCCESS;
}
