/*
 * unit_heap: lives of heaps, refills of small blocks, batches of foreign ones.
 * Owns: nothing. Calls: heap, fast, mid, arena, pools. Threads: a few, one after
 * another or in turn.
 */
#include "pools/fast.h"
#include "pools/pools.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BYTES_64 = 64, CLASS_64 = 3, PER_SPAN = 1024, MANY = 40000, FRONT_CAP = 2 << 20 };

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void *blocks[MANY];

static void start(void)
{
	ck_assert(pools_start(1 * GiB));
	ck_assert_ptr_eq(heap_self, &heap_none);
	ck_assert_ptr_nonnull(heap_birth());
}

static size_t taken_slices(void)
{
	struct arena_stats stats;

	arena_read(&stats);
	return stats.taken_slices;
}

static void enter(void)
{
	ck_assert(heap_enter(heap_self));
}

static void leave(void)
{
	heap_leave(heap_self);
}

static void *take_small(unsigned class)
{
	void *block = fast_take_small(class_small_bytes[class]);

	if (block)
		return block;
	enter();
	block = heap_take_small(heap_self, class);
	leave();
	ck_assert_ptr_nonnull(block);
	return block;
}

/* As free does. */
static void give(void *p)
{
	switch (fast_give(p)) {
	case FAST_SETTLE:
		enter();
		heap_settle(heap_self, span_of(p));
		leave();
		return;
	case FAST_OTHER:
		if (!fast_give_other(p))
			pools_give(heap_self, p);
		return;
	default:
		return;
	}
}

static void take_many(unsigned n, unsigned class)
{
	for (unsigned i = 0; i < n; i++)
		blocks[i] = take_small(class);
}

static void collect(bool want)
{
	enter();
	ck_assert_int_eq(heap_collect(heap_self), want);
	leave();
}

static void trim(void)
{
	enter();
	heap_collect(heap_self);
	heap_give_up(heap_self);
	heap_trim(heap_self);
	leave();
}

/* A thread that has a heap while it runs a function. */
static struct {
	void (*run)(void);
	struct heap *heap;
} other;

static void *live(void *unused)
{
	other.heap = heap_birth();
	other.run();
	heap_death(other.heap);
	return unused;
}

static void in_thread(void (*run)(void))
{
	pthread_t thread;

	other.run = run;
	pthread_create(&thread, NULL, live, NULL);
	pthread_join(thread, NULL);
}

static void nothing(void) {}

static struct heap *seen[2];

static void nested(void)
{
	seen[0] = heap_self;
	in_thread(nothing);
	seen[1] = other.heap;
	other.heap = heap_self;
}

/* Who lives has a heap alone; who died last is born again first. */
START_TEST(births_and_deaths)
{
	struct heap *mine = heap_self;

	ck_assert(heap_first() == mine && !mine->dead);
	in_thread(nested);
	ck_assert(seen[0] != mine && seen[1] != mine && seen[0] != seen[1]);
	ck_assert(seen[0]->dead && seen[1]->dead && !mine->dead);
	ck_assert(heap_first() == seen[1] && seen[1]->next == seen[0] && seen[0]->next == mine);
	in_thread(nothing);
	ck_assert_ptr_eq(other.heap, seen[0]);
	heap_death(mine);
	ck_assert_ptr_eq(heap_self, &heap_gone);
	ck_assert(heap_birth() == mine && heap_self == mine);
}
END_TEST

static void take_hundred(void)
{
	take_many(100, CLASS_64);
	memset(blocks[0], 0x77, BYTES_64);
}

/* A dead heap's blocks stay; reborn, it goes on in the same span, and takes them back. */
START_TEST(reborn_with_its_spans)
{
	struct heap *mine = heap_self, *dead;
	struct span *span;
	size_t taken;

	in_thread(take_hundred);
	dead = other.heap;
	span = span_of(blocks[0]);
	taken = taken_slices();
	ck_assert(span->owner == dead && dead->spans == 1);
	ck_assert_int_eq(*(char *)blocks[0], 0x77);
	heap_death(mine);
	ck_assert_ptr_eq(heap_birth(), mine); /* last died, first reborn */
	heap_self = &heap_none;
	ck_assert_ptr_eq(heap_birth(), dead);
	ck_assert_ptr_eq(span_of(take_small(CLASS_64)), span);
	ck_assert_uint_eq(taken_slices(), taken);
	for (unsigned i = 0; i < 100; i++)
		ck_assert_int_ne(fast_give(blocks[i]), FAST_OTHER);
	ck_assert_uint_eq(span_listed(span), 100);
}
END_TEST

static _Atomic bool entered;

/* A heap, or the late one. */
static void *enter_from_outside(void *heap)
{
	entered = heap ? heap_enter(heap) : heap_late_enter() != NULL;
	if (heap)
		heap_leave(heap);
	else
		heap_late_leave();
	return NULL;
}

START_TEST(locks_exclude)
{
	struct heap *heap = heap_self, *late;
	pthread_t thread;

	ck_assert(heap_enter(heap));
	ck_assert(!heap_enter(heap)); /* held by itself: a signal handler */
	ck_assert(!heap_try(heap));
	heap_leave(heap);
	ck_assert(heap_try(heap));
	ck_assert(!heap_try(heap));
	pthread_create(&thread, NULL, enter_from_outside, heap);
	usleep(20000);
	ck_assert(!entered); /* the owner waits for a taker */
	heap_leave(heap);
	pthread_join(thread, NULL);
	ck_assert(entered && heap_enter(heap));
	late = heap_late_enter();
	ck_assert(late && late != heap && !heap_late_enter());
	entered = false;
	pthread_create(&thread, NULL, enter_from_outside, NULL);
	usleep(20000);
	ck_assert(!entered);
	heap_late_leave();
	pthread_join(thread, NULL);
	ck_assert(entered && heap_late_enter() == late);
}
END_TEST

/* Own frees first, then others' frees, partial spans, fresh blocks, the reserve, the arena. */
START_TEST(refill_order)
{
	struct span *first, *second;
	size_t taken;

	take_many(PER_SPAN + 64, CLASS_64); /* a full span, a page of the second */
	first = span_of(blocks[0]);
	second = span_of(blocks[PER_SPAN]);
	ck_assert(first != second && heap_self->head[CLASS_64] == NULL);
	ck_assert(first->state == SPAN_FULL && heap_self->current[CLASS_64] == second);
	for (unsigned i = 0; i < 2 * PER_SPAN / 8; i += 2)
		give(blocks[i]);
	ck_assert_uint_eq(first->state, SPAN_PARTIAL);
	heap_push_foreign(second, blocks[PER_SPAN]);
	give(blocks[PER_SPAN + 1]);
	taken = taken_slices();
	ck_assert_ptr_eq(take_small(CLASS_64), blocks[PER_SPAN + 1]);
	ck_assert_ptr_eq(take_small(CLASS_64), blocks[PER_SPAN]);
	for (unsigned i = 0; i < PER_SPAN / 8; i++)
		ck_assert_ptr_eq(span_of(take_small(CLASS_64)), first);
	ck_assert_ptr_eq(heap_self->current[CLASS_64], first);
	for (unsigned i = 64; i < PER_SPAN; i++)
		ck_assert_ptr_eq(span_of(take_small(CLASS_64)), second);
	ck_assert_uint_eq(taken_slices(), taken);
	take_small(CLASS_64);
	ck_assert_uint_eq(taken_slices(), taken + 1);
}
END_TEST

/* Every class: all blocks apart, and all spans gone when they are freed and given up. */
START_TEST(give_up_closes_what_is_empty)
{
	void *kept;

	for (unsigned class = 0; class < SMALL_CLASSES; class++) {
		unsigned n = (unsigned)size_min(3 * SLICE_BYTES / class_small_bytes[class], 3000);

		take_many(n, class);
		for (unsigned i = 0; i < n; i++)
			memset(blocks[i], (char)i, class_small_bytes[class]);
		for (unsigned i = 0; i < n; i++) {
			ck_assert_int_eq(*(char *)blocks[i], (char)i);
			give(blocks[i]);
		}
	}
	kept = take_small(CLASS_64);
	trim();
	ck_assert(heap_self->spans == 1 && taken_slices() == 1);
	ck_assert_uint_eq(span_listed(span_of(kept)), span_of(kept)->carved - 1);
	give(kept);
	ck_assert_uint_eq(heap_self->spans, 0);
	trim();
	ck_assert_uint_eq(taken_slices(), 0);
	for (unsigned class = 0; class < SMALL_CLASSES; class++)
		ck_assert(heap_self->current[class] == &span_none && !heap_self->head[class] &&
			  heap_self->fresh[class] == &span_none && !heap_self->partial[class]);
	take_small(CLASS_64);
	ck_assert(heap_self->spans == 1 && taken_slices() == 1);
}
END_TEST

START_TEST(prepare)
{
	size_t taken;

	for (unsigned class = 0; class < SMALL_CLASSES; class += 5) {
		enter();
		heap_prepare(heap_self, class, 1500);
		leave();
		taken = taken_slices();
		for (unsigned i = 0; i < 1500; i++)
			ck_assert_ptr_nonnull(
				blocks[i] = fast_take_small(class_small_bytes[class]));
		for (unsigned i = 0; i < 1500; i++)
			give(blocks[i]);
		ck_assert_uint_le(taken_slices(), taken);
	}
	trim();
	ck_assert_uint_eq(taken_slices(), 0);
}
END_TEST

static struct {
	unsigned from, to, class;
} foreign;

static void free_foreign(void)
{
	struct span *span = span_of(blocks[foreign.from]);
	unsigned batch =
		(unsigned)size_min(BATCH_BLOCKS, BATCH_BYTES / class_small_bytes[foreign.class]);

	for (unsigned i = foreign.from; i < foreign.to; i++) {
		unsigned done = i + 1 - foreign.from;

		give(blocks[i]);
		if (span_remote(span) != done / batch * batch)
			abort(); /* handed over by whole batches */
	}
}

/* Batches arrive full, the rest at the thread's death; then the owner has them all. */
START_TEST(foreign_frees_reach_the_owner)
{
	unsigned class = (unsigned)_i, n;
	struct span *span;
	void *list;

	n = (unsigned)(SLICE_BYTES / class_small_bytes[class]);
	take_many(n, class);
	span = span_of(blocks[0]);
	foreign.from = 1;
	foreign.to = n;
	foreign.class = class;
	in_thread(free_foreign);
	ck_assert_uint_eq(span_remote(span), n - 1);
	ck_assert_ptr_eq(heap_self->notify, span);
	collect(true);
	ck_assert_ptr_null(heap_self->notify);
	ck_assert_uint_eq(span_listed(span), n - 1);
	collect(false);
	for (list = span->lfree; list; list = link_next(list), n--)
		ck_assert(span_of(list) == span && list != blocks[0]);
	give(blocks[0]);
	trim();
	ck_assert(n == 1 && taken_slices() == 0);
}
END_TEST

/* Spans of one batch place push each other out. */
static void free_of_two_spans(void)
{
	struct span *first = span_of(blocks[0]), *second = first + BATCHES;
	void *stranger = arena_address(span_index(second));

	give(blocks[0]);
	give(blocks[1]);
	if (span_remote(first) || heap_batch(heap_self, first) != heap_batch(heap_self, second))
		abort();
	give(stranger);
	if (span_remote(first) != 2 || span_remote(second))
		abort();
}

START_TEST(batch_places)
{
	take_many((BATCHES + 1) * PER_SPAN, CLASS_64);
	ck_assert_uint_eq(span_of(blocks[0])->slices, 1);
	in_thread(free_of_two_spans);
	ck_assert_uint_eq(span_remote(span_of(blocks[0]) + BATCHES), 1);
	collect(true);
	heap_push_foreign(span_of(blocks[9]), blocks[9]);
	ck_assert_uint_eq(span_remote(span_of(blocks[9])), 1);
}
END_TEST

int main(void)
{
	const TTest *const once[] = {births_and_deaths, reborn_with_its_spans, locks_exclude,
		refill_order, give_up_closes_what_is_empty, prepare, batch_places};
	Suite *suite = suite_create("heap");
	TCase *tc = tcase_create("heap");
	SRunner *runner = srunner_create(suite);

	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, start, NULL);
	for (size_t i = 0; i < COUNT(once); i++)
		tcase_add_test(tc, once[i]);
	tcase_add_loop_test(tc, foreign_frees_reach_the_owner, 0, SMALL_CLASSES);
	srunner_run_all(runner, CK_NORMAL);
	return srunner_ntests_failed(runner) ? EXIT_FAILURE : EXIT_SUCCESS;
}
