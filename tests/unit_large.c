/*
 * unit_large: the table of mappings, and the cache of freed ones.
 * Owns: the mmap and mremap that the library calls. Calls: large, os. Threads: up to
 * four; fork children.
 */
#include "pools/large.h"
#include "pools/os.h"

#include <check.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4, STEPS = 3000, MANY = 6000, CACHE_ENTRIES = 32, FORKS = 60, SHARED = 1000 };

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
/* Only what is larger than this is kept. */
#define CACHED (32 * MiB)
#define PAGE   ((size_t)4096)

/* So many mmaps are refused; the mremap of this number is. */
static struct {
	unsigned maps, remap;
} refuse;

void *mmap(void *start, size_t bytes, int protection, int flags, int fd, off_t offset)
{
	if (refuse.maps && refuse.maps--)
		return MAP_FAILED;
	return (void *)syscall(SYS_mmap, start, bytes, protection, flags, fd, offset);
}

void *mremap(void *start, size_t old_bytes, size_t new_bytes, int flags, ...)
{
	va_list rest;
	void *to;

	va_start(rest, flags);
	to = flags & MREMAP_MAYMOVE && flags != MREMAP_MAYMOVE ? va_arg(rest, void *) : NULL;
	va_end(rest);
	if (refuse.remap && --refuse.remap == 0)
		return MAP_FAILED;
	return (void *)syscall(SYS_mremap, start, old_bytes, new_bytes, flags, to);
}

static void start(void)
{
	os_start();
	ck_assert_uint_eq(os_page_bytes, PAGE);
	large_set_cache(GiB, 3600 * 1000);
}

static struct large_stats stats(void)
{
	struct large_stats now;

	large_read(&now);
	return now;
}

static char *take(size_t bytes)
{
	char *block = large_take(bytes, BLOCK_ALIGN, false);

	ck_assert_ptr_nonnull(block);
	return block;
}

static bool is_filled(const char *p, char with, size_t bytes)
{
	return p[0] == with && memcmp(p, p + 1, bytes - 1) == 0;
}

START_TEST(take_and_give)
{
	static const size_t sizes[] = {0, 1, PAGE - 1, PAGE, PAGE + 1, MiB, 3 * MiB + 5};

	for (size_t i = 0; i < COUNT(sizes); i++) {
		size_t bytes = align_up(size_max(sizes[i], 1), PAGE);
		char *block = large_take(sizes[i], BLOCK_ALIGN, i % 2);

		ck_assert(is_filled(block, 0, bytes));
		memset(block, 0xaa, bytes);
		ck_assert_uint_eq(large_bytes(block), bytes);
		ck_assert(stats().blocks == 1 && stats().bytes == bytes);
		ck_assert(!large_give(block + 16) && !large_give(block + PAGE));
		ck_assert(large_bytes(block + 16) == 0 && large_bytes(block - PAGE) == 0);
		ck_assert(large_give(block));
		ck_assert(!large_give(block) && large_bytes(block) == 0);
	}
	ck_assert(stats().blocks == 0 && stats().bytes == 0);
}
END_TEST

/* Nobody's blocks; 0 and 1 stand for other things in the table (I1). */
START_TEST(strangers)
{
	static void *const stranger[] = {NULL, (void *)1, &refuse, (void *)-1};

	ck_assert(large_give(take(PAGE)));
	for (size_t i = 0; i < COUNT(stranger); i++) {
		ck_assert_uint_eq(large_bytes(stranger[i]), 0);
		ck_assert(!large_give(stranger[i]));
	}
}
END_TEST

START_TEST(alignments)
{
	for (size_t align = 1; align <= GiB; align *= 2)
		for (size_t bytes = 100; bytes < 100 * MiB; bytes = bytes * 1000 + 1) {
			char *block = large_take(bytes, align, false);

			ck_assert_uint_eq((uintptr_t)block % size_max(align, PAGE), 0);
			ck_assert_uint_eq(large_bytes(block), align_up(bytes, PAGE));
			block[0] = block[bytes - 1] = 1;
			ck_assert(large_give(block));
		}
}
END_TEST

START_TEST(too_large)
{
	static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - PAGE, PTRDIFF_MAX, PTRDIFF_MAX - PAGE};

	for (size_t i = 0; i < COUNT(sizes); i++)
		ck_assert(!large_take(sizes[i], GiB, true) && !large_take_now(sizes[i], 16));
	ck_assert(!large_take(MiB, (size_t)1 << 62, false) && stats().blocks == 0);
}
END_TEST

/* More blocks than the first tables' windows hold: each is found, and only it is given. */
START_TEST(thousands)
{
	static char *block[MANY];

	for (unsigned i = 0; i < MANY; i++)
		*(block[i] = take(PAGE * (1 + i % 3))) = (char)i;
	ck_assert(stats().blocks == MANY && stats().bytes == MANY * 2 * PAGE);
	for (unsigned i = 0; i < MANY; i += 2)
		ck_assert(large_give(block[i]));
	for (unsigned i = 0; i < MANY; i++)
		ck_assert_uint_eq(large_bytes(block[i]), i % 2 ? PAGE * (1 + i % 3) : 0);
	for (unsigned i = 1; i < MANY; i += 2)
		ck_assert_int_eq(*block[i], (char)i);
}
END_TEST

START_TEST(cache_hit)
{
	char *block = take(CACHED + PAGE), *other;

	memset(block, 0xaa, PAGE);
	ck_assert(large_give(block));
	ck_assert(stats().cache_entries == 1 && stats().cache_bytes == CACHED + PAGE);
	ck_assert(stats().cache_hits == 0 && stats().cache_misses == 1);
	ck_assert_ptr_eq(take(CACHED + 1), block);
	ck_assert_uint_eq(large_bytes(block), CACHED + PAGE);
	ck_assert(stats().cache_hits == 1 && stats().cache_misses == 1);
	ck_assert(large_give(block));
	/* Zero, an alignment above a page, and take_now come from the kernel. */
	other = large_take(CACHED + PAGE, 16, true);
	ck_assert(other != block && is_filled(other, 0, PAGE));
	ck_assert_ptr_ne(large_take(CACHED + PAGE, 2 * PAGE, false), block);
	ck_assert_ptr_ne(large_take_now(CACHED + PAGE, 16), block);
	ck_assert(stats().cache_entries == 1 && stats().cache_misses == 1);
	ck_assert(large_give(take(CACHED)));
	ck_assert_uint_eq(stats().cache_entries, 1); /* small ones are not kept */
}
END_TEST

/* The smallest that holds it, and none that is more than a quarter too large. */
START_TEST(cache_best_fit)
{
	static const size_t sizes[] = {50 * MiB, 40 * MiB, 44 * MiB, 60 * MiB};
	char *block[COUNT(sizes)];

	for (size_t i = 0; i < COUNT(sizes); i++)
		block[i] = take(sizes[i]);
	for (size_t i = 0; i < COUNT(sizes); i++)
		ck_assert(large_give(block[i]));
	take(61 * MiB);
	take(33 * MiB / 5 * 4);
	ck_assert(stats().cache_entries == 4 && stats().cache_hits == 0);
	ck_assert_ptr_eq(take(42 * MiB), block[2]);
	ck_assert_ptr_eq(take(40 * MiB), block[1]);
	ck_assert_ptr_eq(take(40 * MiB), block[0]); /* 50 is just 5/4 */
	take(48 * MiB - PAGE);
	ck_assert_uint_eq(stats().cache_entries, 1);
	ck_assert_ptr_eq(take(48 * MiB), block[3]);
	ck_assert(stats().cache_entries == 0 && stats().cache_bytes == 0);
}
END_TEST

/* The oldest leave when bytes or entries are too many; what is larger than all is not kept. */
START_TEST(cache_bounds)
{
	char *block[CACHE_ENTRIES + 1];

	large_set_cache(200 * MiB, 3600 * 1000);
	for (size_t i = 0; i < 7; i++)
		block[i] = take(50 * MiB);
	for (size_t i = 0; i < 6; i++)
		ck_assert(large_give(block[i]));
	ck_assert(stats().cache_bytes == 200 * MiB && stats().cache_evictions == 2);
	for (size_t i = 2; i < 6; i++)
		ck_assert_ptr_eq(take(50 * MiB), block[i]);
	large_set_cache(40 * MiB, 3600 * 1000);
	ck_assert(large_give(block[6]) && stats().cache_entries == 0);
	large_set_cache(4 * GiB, 3600 * 1000);
	for (size_t i = 0; i <= CACHE_ENTRIES; i++)
		block[i] = take(CACHED + PAGE);
	for (size_t i = 0; i <= CACHE_ENTRIES; i++)
		ck_assert(large_give(block[i]));
	ck_assert(stats().cache_entries == CACHE_ENTRIES && stats().cache_evictions == 3);
	ck_assert_ptr_eq(take(CACHED + PAGE), block[1]);
	large_set_cache(0, 3600 * 1000);
	ck_assert(large_give(block[1]));
	ck_assert_uint_eq(stats().cache_entries, 0);
}
END_TEST

START_TEST(decay)
{
	char *old = take(CACHED + PAGE), *young = take(2 * CACHED), *last = take(3 * CACHED);
	uint64_t before = os_now_ms(), between;

	ck_assert(large_give(old));
	usleep(30000);
	between = os_now_ms();
	ck_assert(large_give(young));
	ck_assert_uint_eq(large_purge(before), 0);
	ck_assert_uint_eq(large_purge(between), CACHED + PAGE);
	ck_assert(stats().cache_entries == 1 && large_purge(between) == 0);
	large_set_cache(GiB, 20);
	usleep(50000);
	ck_assert(large_give(last)); /* a give lets go what is due */
	ck_assert(stats().cache_bytes == 3 * CACHED && stats().cache_evictions == 2);
	ck_assert_uint_eq(large_purge(UINT64_MAX), 3 * CACHED);
	ck_assert(stats().cache_entries == 0 && stats().cache_bytes == 0);
}
END_TEST

/* Grows in steps among neighbours, shrinks again; content stays, what is new is zero. */
START_TEST(resize)
{
	static const size_t sizes[] = {
		1, PAGE, 40000, MiB, 10 * MiB, 10 * MiB, MiB, 3 * PAGE, 2, MiB};
	char *block = take(sizes[0]);
	size_t had = PAGE;

	memset(block, 0x55, had);
	for (size_t i = 1; i < COUNT(sizes); i++) {
		size_t bytes = align_up(sizes[i], PAGE);
		char *before = block;

		take(PAGE); /* in the way, perhaps */
		block = large_resize(block, sizes[i]);
		ck_assert_ptr_nonnull(block);
		ck_assert_uint_eq(large_bytes(block), bytes);
		ck_assert(block == before || large_bytes(before) == 0);
		ck_assert(is_filled(block, 0x55, size_min(had, bytes)));
		ck_assert(bytes <= had || is_filled(block + had, 0, bytes - had));
		ck_assert_uint_eq(stats().blocks, i + 1);
		memset(block, 0x55, bytes);
		had = bytes;
	}
	refuse.remap = 1;
	ck_assert_ptr_null(large_resize(block, 5 * MiB));
	ck_assert(large_bytes(block) == had && is_filled(block, 0x55, had));
	ck_assert(!large_resize(block, SIZE_MAX) && large_bytes(block) == had);
	ck_assert(large_give(block) && !large_give(block));
}
END_TEST

/* Pages leave a range that stays; refused at the first or second step, they are back. */
START_TEST(adopt)
{
	char *range = os_map(4 * MiB, 1), *block;

	memset(range, 0x66, 4 * MiB);
	for (refuse.remap = 1; refuse.remap <= 2; refuse.remap++) {
		unsigned nth = refuse.remap;

		ck_assert_ptr_null(large_adopt(range + MiB, 2 * MiB, 5 * MiB));
		ck_assert(is_filled(range, 0x66, 4 * MiB) && stats().blocks == 0);
		refuse.remap = nth;
	}
	refuse.remap = 0;
	block = large_adopt(range + MiB, 2 * MiB, 40 * MiB - 1);
	ck_assert_uint_eq(large_bytes(block), 40 * MiB);
	ck_assert(is_filled(block, 0x66, 2 * MiB) && is_filled(block + 2 * MiB, 0, 38 * MiB));
	ck_assert(is_filled(range, 0x66, MiB) && is_filled(range + 3 * MiB, 0x66, MiB));
	ck_assert(is_filled(range + MiB, 0, 2 * MiB));
	ck_assert(large_give(block));
	ck_assert_uint_eq(stats().cache_entries, 0); /* nobody asked for that size */
}
END_TEST

/* A refusal empties the cache and asks again; two are no memory, and nothing is written down. */
START_TEST(refused)
{
	ck_assert(large_give(take(2 * CACHED)));
	refuse.maps = 2; /* each map is tried twice: with room to align, and without */
	take(PAGE);
	ck_assert_uint_eq(stats().cache_entries, 0);
	refuse.maps = 4;
	ck_assert(!large_take(PAGE, 16, false) && stats().blocks == 1);
}
END_TEST

static char *contested[SHARED];
static _Atomic unsigned given, arrived;

static void *busy(void *number)
{
	for (unsigned step = 0; step < STEPS / 4; step++) {
		char *held[4];

		for (unsigned i = 0; i < 4; i++)
			*(held[i] = take(i ? i * PAGE : CACHED + PAGE)) = (char)(uintptr_t)number;
		for (unsigned i = 0; i < 4; i++)
			if (*held[i] != (char)(uintptr_t)number || !large_give(held[i]))
				abort();
	}
	/* Then two of them free the same blocks, each as soon as both are there. */
	for (unsigned i = 0; (uintptr_t)number <= 2 && i < SHARED; i++) {
		arrived++;
		for (unsigned spins = 0; arrived < 2 * (i + 1); spins++)
			if (spins > 1000)
				sched_yield();
		given += large_give(contested[i]);
	}
	return NULL;
}

START_TEST(four_threads)
{
	pthread_t thread[THREADS];

	for (unsigned i = 0; i < SHARED; i++)
		contested[i] = take(PAGE);
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, busy, (void *)(i + 1));
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	ck_assert(given == SHARED && stats().blocks == 0);
}
END_TEST

/* Hits: no call to the kernel, so the lock is held most of the time. */
static void *hammer(void *unused)
{
	while (large_give(large_take(CACHED + PAGE, 16, false)))
		;
	return unused;
}

START_TEST(fork_children)
{
	pthread_t thread;
	int status;

	pthread_create(&thread, NULL, hammer, NULL);
	for (unsigned i = 0; i < FORKS; i++) {
		if (fork() == 0) {
			alarm(20);
			large_child();
			_exit(large_give(take(CACHED + PAGE)) && stats().cache_entries ? 0 : 1);
		}
		wait(&status);
		ck_assert_int_eq(status, 0);
	}
}
END_TEST

int main(void)
{
	const TTest *const once[] = {take_and_give, strangers, alignments, too_large, thousands,
		cache_hit, cache_best_fit, cache_bounds, decay, resize, adopt, refused,
		four_threads, fork_children};
	Suite *suite = suite_create("large");
	TCase *tc = tcase_create("large");
	SRunner *runner = srunner_create(suite);

	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, start, NULL);
	for (size_t i = 0; i < COUNT(once); i++)
		tcase_add_test(tc, once[i]);
	srunner_run_all(runner, CK_NORMAL);
	return srunner_ntests_failed(runner) ? EXIT_FAILURE : EXIT_SUCCESS;
}
