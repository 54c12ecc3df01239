/*
 * run: blocks of whole slices.
 * Owns: the records of slices in runs. Calls: arena, span. Threads: any; a run
 * is touched only by who holds it. Never: caches.
 */
#include "pools/run.h"

/* The class is that of the front that may hold it, RUN_NO_FRONT for none. */
static void set_slices(struct span *span, size_t slices)
{
	span->slices = (uint32_t)slices;
	span->class = slices <= RUN_CLASSES ? (uint8_t)(MID_CLASSES + slices - 1) : RUN_NO_FRONT;
}

void *run_take(size_t slices, size_t align_slices, bool *zero)
{
	bool dirty;
	size_t index = arena_take(slices, align_slices, ARENA_SPARSE, &dirty);
	struct span *span;

	if (index == ARENA_NONE)
		return NULL;
	span = span_at(index);
	span->owner = NULL;
	span->kind = SPAN_RUN;
	span->back = 0;
	set_slices(span, slices);
	*zero = !dirty;
	return arena_address(index);
}

static void give(void *run, bool dirty)
{
	struct span *span = span_of(run);
	uint32_t slices = span->slices;

	span->kind = SPAN_NONE;
	arena_give(arena_index(run), slices, dirty);
}

void run_give(void *run)
{
	give(run, true);
}

void run_give_clean(void *run)
{
	give(run, false);
}

bool run_resize(void *run, size_t slices)
{
	struct span *span = span_of(run);
	size_t have = span->slices;
	bool dirty;

	if (slices < have)
		arena_give(arena_index(run) + slices, have - slices, true);
	else if (slices > have &&
		 !arena_take_at(arena_index(run) + have, slices - have, &dirty))
		return false;
	set_slices(span, slices);
	return true;
}
