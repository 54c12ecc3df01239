/*
 * unit_ledger: slices taken and given, by words alone, against a bitmap.
 * Owns: the ledger's memory, the model. Calls: ledger. Threads: up to four.
 */
#include "pools/ledger.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNKS_MAX = 256, CHUNKS = 40, STEPS = 20000, HOLDS = 80, THREADS = 4 };
enum { SLICES_MAX = CHUNKS_MAX * CHUNK_SLICES };

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Exactly what the ledger asked for, and a guard behind it. */
static struct {
	uint64_t words[CHUNKS_MAX + CHUNKS_MAX / 64 + 1];
	uint64_t guard;
} memory;

static void start(void)
{
	ck_assert_uint_eq(ledger_bytes(CHUNKS_MAX), sizeof memory.words);
	memory.guard = 0x1234;
	ledger_start(memory.words, CHUNKS_MAX);
	ck_assert_uint_eq(ledger_chunks(), 0);
}

static void stop(void)
{
	ck_assert_uint_eq(memory.guard, 0x1234);
	for (size_t i = ledger_chunks(); i < CHUNKS_MAX; i++)
		ck_assert_uint_eq(memory.words[i], 0);
}

static size_t take(size_t slices, size_t align)
{
	bool dirty;

	return ledger_take(slices, align, &dirty);
}

static void must_have(size_t free_slices, size_t dirty_slices)
{
	struct ledger_count count;

	ledger_read(&count);
	ck_assert_uint_eq(count.free_slices, free_slices);
	ck_assert_uint_eq(count.dirty_slices, dirty_slices);
}

START_TEST(singles)
{
	bool dirty = true;

	ck_assert(take(1, 1) == ARENA_NONE && take(40, 1) == ARENA_NONE);
	ledger_open(2);
	ck_assert_uint_eq(ledger_chunks(), 2);
	must_have(2 * CHUNK_SLICES, 0);
	for (size_t i = 0; i < 2 * CHUNK_SLICES; i++, dirty = true)
		ck_assert(ledger_take(1, 1, &dirty) == i && !dirty);
	ck_assert_uint_eq(take(1, 1), ARENA_NONE);
	ledger_give(37, 1, true);
	ledger_give(5, 1, false);
	must_have(2, 1);
	ck_assert(ledger_take(1, 1, &dirty) == 5 && !dirty);
	ck_assert(ledger_take(1, 1, &dirty) == 37 && dirty);
	must_have(0, 0);
	ledger_open(1); /* at the end, and nothing of what is taken */
	ck_assert(ledger_chunks() == 3 && take(1, 1) == 2 * CHUNK_SLICES);
}
END_TEST

START_TEST(alignment)
{
	ledger_open(3);
	ck_assert_uint_eq(take(1, 1), 0);
	for (size_t align = 2; align <= CHUNK_SLICES; align *= 2)
		ck_assert_uint_eq(take(1, align), align);
	ck_assert_uint_eq(take(3, 4), 12);
	ck_assert_uint_eq(take(CHUNK_SLICES, CHUNK_SLICES), 2 * CHUNK_SLICES);
	ck_assert_uint_eq(take(1, CHUNK_SLICES), ARENA_NONE);
	ck_assert_uint_eq(take(1, 16), CHUNK_SLICES + 16);
}
END_TEST

/* Runs begin in a tail as soon as there is one, and end where they should. */
START_TEST(across_chunks)
{
	ledger_open(8);
	ck_assert_uint_eq(take(20, 1), 0);
	for (size_t slices = CHUNK_SLICES + 1; slices <= 7 * CHUNK_SLICES; slices += 13) {
		ck_assert_uint_eq(take(slices, 1), 20);
		ck_assert_uint_eq(take(1, 1), 20 + slices);
		must_have(8 * CHUNK_SLICES - 21 - slices, 0);
		ledger_give(20 + slices, 1, false);
		ledger_give(20, slices, false);
	}
	ck_assert_uint_eq(take(40, 8), 24);
	ledger_give(24, 40, false);
	ck_assert_uint_eq(take(13, 1), 32); /* what fits in a chunk stays in it */
	ledger_give(32, 13, false);
	ck_assert_uint_eq(take(8 * CHUNK_SLICES - 20, 1), 20);
	ck_assert_uint_eq(take(1, 1), ARENA_NONE);
	ledger_give(30, 2, true);
	ledger_give(32, 1, false);
	ck_assert(take(4, 1) == ARENA_NONE && take(3, 4) == ARENA_NONE);
	ck_assert_uint_eq(take(3, 1), 30); /* a short run across a border, as a last resort */
}
END_TEST

START_TEST(take_at)
{
	bool dirty;

	ledger_open(4);
	ck_assert(!ledger_take_at(4 * CHUNK_SLICES - 1, 2, &dirty)); /* beyond the end */
	ck_assert(ledger_take_at(4 * CHUNK_SLICES - 1, 1, &dirty) && !dirty);
	ck_assert(ledger_take_at(70, 1, &dirty) && !ledger_take_at(70, 1, &dirty));
	ledger_give(40, 1, true);
	must_have(4 * CHUNK_SLICES - 2, 1);
	ck_assert(!ledger_take_at(10, 61, &dirty)); /* two pieces, then slice 70 */
	must_have(4 * CHUNK_SLICES - 2, 54); /* what went back, went back as dirty */
	ck_assert(ledger_take_at(10, 60, &dirty) && dirty);
	ck_assert(take(1, 1) == 0 && take(10, 1) == 71);
}
END_TEST

/* A run of a length is looked for where one was found, and before it where one was given. */
START_TEST(hints)
{
	ledger_open(CHUNKS_MAX);
	for (size_t i = 0; i < SLICES_MAX; i += 2)
		ck_assert(take(1, 1) == i && take(1, 1) == i + 1);
	ledger_give(200 * CHUNK_SLICES + 4, 2, false); /* in the last of four summary words */
	ck_assert_uint_eq(take(2, 1), 200 * CHUNK_SLICES + 4);
	ledger_give(140 * CHUNK_SLICES, 3, false); /* before the hint, and of another length */
	ck_assert_uint_eq(take(2, 2), 140 * CHUNK_SLICES);
	ledger_give(10 * CHUNK_SLICES, 2, false);
	ledger_give(201 * CHUNK_SLICES, 2, false);
	ck_assert_uint_eq(take(2, 1), 10 * CHUNK_SLICES); /* the lower one, given since */
	ck_assert_uint_eq(take(2, 1), 201 * CHUNK_SLICES);
	ck_assert_uint_eq(take(2, 1), ARENA_NONE);
	ledger_give(3 * CHUNK_SLICES, 1, false);
	ck_assert_uint_eq(take(1, 1), 3 * CHUNK_SLICES);
}
END_TEST

START_TEST(claim_and_settle)
{
	bool dirty;

	ledger_open(2);
	ck_assert(take(CHUNK_SLICES, 1) == 0 && ledger_claim(0) == 0 && ledger_claim(1) == 0);
	ledger_give(4, 8, true);
	ledger_give(20, 2, false);
	ck_assert_uint_eq(ledger_claim(0), 0xff0);
	ck_assert_uint_eq(ledger_claim(0), 0); /* they are the claimer's */
	must_have(CHUNK_SLICES + 2, 0);
	ck_assert(!ledger_take_at(4, 1, &dirty) && take(3, 1) == CHUNK_SLICES);
	ledger_give(30, 1, true); /* meanwhile */
	ledger_settle(0, 0xff0, 0x0f0);
	must_have(CHUNK_SLICES - 3 + 2 + 8 + 1, 4 + 1);
	ck_assert(ledger_take_at(4, 4, &dirty) && !dirty);
	ck_assert(ledger_take_at(8, 1, &dirty) && dirty);
	/* A chunk that was full but for what was claimed is found again. */
	ck_assert(take(29, 1) == CHUNK_SLICES + 3 && ledger_take_at(9, 3, &dirty) && dirty);
	ck_assert(take(2, 1) == 20 && take(1, 1) == 30 && take(1, 1) == ARENA_NONE);
	ledger_give(6, 1, true);
	ck_assert(ledger_claim(0) == 1 << 6 && take(1, 1) == ARENA_NONE);
	ledger_settle(0, 1 << 6, 1 << 6);
	ck_assert(ledger_take(1, 1, &dirty) == 6 && !dirty);
}
END_TEST

/* Claims of threads that are gone are free and dirty; claims of the forking thread stay. */
START_TEST(child)
{
	bool dirty;
	uint64_t claimed;

	ledger_open(2);
	ck_assert_uint_eq(take(2 * CHUNK_SLICES, 1), 0);
	ledger_give(3, 4, true);
	claimed = ledger_claim(0);
	ledger_child(false);
	must_have(0, 0);
	ck_assert_uint_eq(take(1, 1), ARENA_NONE);
	ledger_settle(0, claimed, claimed);
	must_have(4, 0);
	ck_assert(ledger_take_at(3, 4, &dirty) && !dirty);
	ledger_give(3, 4, true);
	ledger_claim(0);
	ledger_child(true);
	must_have(4, 4);
	ck_assert(ledger_take(4, 1, &dirty) == 3 && dirty);
	ck_assert_uint_eq(take(1, 1), ARENA_NONE);
}
END_TEST

/* Forked between a give's two steps: slices are free, and no summary bit says so. */
START_TEST(child_finds_what_was_being_given)
{
	ledger_open(1);
	ck_assert_uint_eq(take(CHUNK_SLICES, 1), 0);
	__atomic_fetch_or(&memory.words[0], 0x30, __ATOMIC_RELAXED);
	ck_assert_uint_eq(take(1, 1), ARENA_NONE);
	ledger_child(false);
	ck_assert(take(2, 1) == 4 && take(1, 1) == ARENA_NONE);
}
END_TEST

static struct {
	bool taken[SLICES_MAX], dirty[SLICES_MAX];
	struct held {
		size_t index, slices;
	} held[HOLDS];
	unsigned seed;
} model;

static unsigned any(unsigned n)
{
	return (unsigned)rand_r(&model.seed) % n;
}

static void model_set(const struct held *held, bool taken, bool dirty)
{
	for (size_t i = held->index; i < held->index + held->slices; i++) {
		ck_assert_int_ne(model.taken[i], taken);
		model.taken[i] = taken;
		model.dirty[i] = dirty;
	}
}

static bool model_free(size_t index, size_t slices)
{
	for (size_t i = index; i < index + slices; i++)
		if (i >= ledger_chunks() * CHUNK_SLICES || model.taken[i])
			return false;
	return true;
}

/* Where a run could begin, by looking everywhere. */
static bool model_fits(size_t slices, size_t align)
{
	for (size_t i = 0; i + slices <= ledger_chunks() * CHUNK_SLICES; i += align)
		if (model_free(i, slices))
			return true;
	return false;
}

static void model_taken(const struct held *held, bool dirty)
{
	bool want = false;

	for (size_t i = held->index; i < held->index + held->slices; i++)
		want |= model.dirty[i];
	ck_assert_int_eq(dirty, want);
	model_set(held, true, false);
}

static void model_take(struct held *held)
{
	size_t slices = 1 + any(any(4) ? CHUNK_SLICES / 4 : 3 * CHUNK_SLICES);
	size_t align = (size_t)1 << any(4);
	bool dirty;

	held->index = ledger_take(slices, align, &dirty);
	if (held->index == ARENA_NONE) {
		ck_assert(!model_fits(slices, align));
		return;
	}
	held->slices = slices;
	ck_assert_uint_eq(held->index % align, 0);
	model_taken(held, dirty);
}

/* Without a rollback: that leaves what was clean dirty. */
static void model_take_at(struct held *held)
{
	struct held want = {any(SLICES_MAX) % (CHUNKS * CHUNK_SLICES), 1 + any(6)};
	bool fits = model_free(want.index, want.slices), dirty;

	if (want.index / CHUNK_SLICES != (want.index + want.slices - 1) / CHUNK_SLICES && !fits)
		return;
	ck_assert_int_eq(ledger_take_at(want.index, want.slices, &dirty), fits);
	if (!fits)
		return;
	*held = want;
	model_taken(held, dirty);
}

static void model_purge(size_t chunk)
{
	uint64_t claimed = ledger_claim(chunk), clean = claimed & ((uint64_t)any(0x7fffffff) << 1);

	for (size_t i = 0; i < CHUNK_SLICES; i++) {
		size_t slice = chunk * CHUNK_SLICES + i;

		ck_assert_int_eq(claimed >> i & 1, !model.taken[slice] && model.dirty[slice]);
		if (clean >> i & 1)
			model.dirty[slice] = false;
	}
	if (claimed)
		ledger_settle(chunk, claimed, clean);
}

static void model_compare(void)
{
	size_t free_slices = 0, dirty_slices = 0;

	for (size_t i = 0; i < ledger_chunks() * CHUNK_SLICES; i++) {
		free_slices += !model.taken[i];
		dirty_slices += !model.taken[i] && model.dirty[i];
	}
	must_have(free_slices, dirty_slices);
}

START_TEST(random_model)
{
	model.seed = 7 + (unsigned)_i;
	ledger_open(CHUNKS / 2);
	for (unsigned step = 0; step < STEPS; step++) {
		struct held *held = &model.held[any(HOLDS)];
		bool dirty = any(2);

		if (step == STEPS / 4)
			ledger_open(CHUNKS - CHUNKS / 2);
		if (step % 16 == 0)
			model_purge(any((unsigned)ledger_chunks()));
		if (step % 64 == 0)
			model_compare();
		if (held->slices) {
			model_set(held, false, dirty);
			ledger_give(held->index, held->slices, dirty);
			held->slices = 0;
		} else if (step % 5) {
			model_take(held);
		} else {
			model_take_at(held);
		}
	}
}
END_TEST

static _Atomic char owner[SLICES_MAX];

static void mark(size_t index, size_t slices, char taken)
{
	for (size_t i = index; i < index + slices; i++)
		if (atomic_exchange(&owner[i], taken) == taken)
			abort();
}

static void purge_some(unsigned chunk)
{
	uint64_t claimed = ledger_claim(chunk);

	for (unsigned i = 0; i < CHUNK_SLICES; i++)
		if (claimed >> i & 1)
			mark(chunk * CHUNK_SLICES + i, 1, 1);
	for (unsigned i = 0; i < CHUNK_SLICES; i++)
		if (claimed >> i & 1)
			mark(chunk * CHUNK_SLICES + i, 1, 0);
	if (claimed)
		ledger_settle(chunk, claimed, claimed);
}

static void *busy(void *number)
{
	unsigned seed = (unsigned)(uintptr_t)number;

	for (unsigned step = 0; step < STEPS / 2; step++) {
		size_t slices = 1 + (size_t)rand_r(&seed) % (step % 8 ? 12 : 50);
		size_t index = take(slices, (size_t)1 << rand_r(&seed) % 3);

		if (step % 32 == 0)
			purge_some((unsigned)rand_r(&seed) % (unsigned)ledger_chunks());
		if (index == ARENA_NONE)
			continue;
		mark(index, slices, 1);
		mark(index, slices, 0);
		ledger_give(index, slices, step % 2);
	}
	return NULL;
}

START_TEST(four_threads)
{
	pthread_t thread[THREADS];
	size_t slices = 6 * CHUNK_SLICES;
	struct ledger_count count;

	ledger_open(6);
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, busy, (void *)(i + 1));
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	ledger_read(&count);
	ck_assert_uint_eq(count.free_slices, slices);
	for (size_t i = 0; i < slices; i++) /* no summary bit was lost */
		ck_assert_uint_eq(take(1, 1), i);
	ck_assert_uint_eq(take(1, 1), ARENA_NONE);
}
END_TEST

int main(void)
{
	const TTest *const once[] = {singles, alignment, across_chunks, take_at, hints,
		claim_and_settle, child, child_finds_what_was_being_given, four_threads};
	Suite *suite = suite_create("ledger");
	TCase *tc = tcase_create("ledger");
	SRunner *runner = srunner_create(suite);

	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, start, stop);
	for (size_t i = 0; i < COUNT(once); i++)
		tcase_add_test(tc, once[i]);
	tcase_add_loop_test(tc, random_model, 0, 3);
	srunner_run_all(runner, CK_NORMAL);
	return srunner_ntests_failed(runner) ? EXIT_FAILURE : EXIT_SUCCESS;
}
