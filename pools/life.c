/*
 * life: birth, death, locks and fork recovery of heaps (declared in heap.h).
 * Owns: heap_self, the heaps' memory and registry, the late heap. Calls: os,
 * arena, mid, large, backend.
 * Threads: any. Never: touches a heap's slow state without its lock.
 */
#include "pools/heap.h"
#include "pools/backend.h"
#include "pools/large.h"
#include "pools/mid.h"
#include "pools/os.h"

enum {
	ENTER_SPINS = 200,
	/* Address space for heaps: 1/64 of what the process may have, within bounds. */
	HEAPS_MIN_BYTES = 1 << 20,
	HEAPS_MAX_BYTES = 64 << 20,
	HEAPS_ADDRESS_SHARE = 64,
	HEAPS_STEP_BYTES = 64 << 10,
};

__thread struct heap *heap_self = &heap_none;
struct heap heap_none, heap_gone;
/* In heap_birth: a signal handler gets neither a heap nor the late one. */
static __thread bool birthing __attribute__((tls_model("initial-exec")));

static struct {
	_Atomic(struct heap *) all;  /* pushed by compare-and-swap, never popped */
	struct lock lock;	     /* of dead */
	struct heap *dead;	     /* last died, first reborn: its memory is warm */
	struct heap *late;	     /* under late_holder */
	_Atomic uintptr_t late_holder; /* address of the holder's heap_self, or 0 */
	_Atomic unsigned *fork_mark; /* 1; the kernel makes it 0 in a child */
} registry;

/* Memory of the heaps, away from the blocks; opened in steps, never given back. */
static struct {
	struct lock lock;
	char *start;
	size_t bytes, open, used;
} heaps;

/* A page of its own where there is no arena: large blocks have locks, too. */
static _Atomic unsigned *make_mark(void)
{
	_Atomic unsigned *mark = os_map(os_page_bytes, os_page_bytes);

	if (!mark || os_wipe_on_fork(mark, os_page_bytes))
		return mark;
	os_unmap(mark, os_page_bytes);
	return NULL;
}

void heap_start(void)
{
	registry.fork_mark = arena.base ? arena_fork_mark() : make_mark();
	if (registry.fork_mark)
		atomic_store_explicit(registry.fork_mark, 1, memory_order_relaxed);
	if (!arena.base)
		return;
	heaps.bytes = size_min(os_address_limit() / HEAPS_ADDRESS_SHARE, HEAPS_MAX_BYTES);
	heaps.bytes = align_up(size_max(heaps.bytes, HEAPS_MIN_BYTES), HEAPS_STEP_BYTES);
	heaps.start = os_reserve(heaps.bytes, HEAPS_STEP_BYTES);
}

struct heap *heap_first(void)
{
	return atomic_load_explicit(&registry.all, memory_order_acquire);
}

static struct heap *take_memory(void)
{
	struct heap *heap = NULL;
	size_t end;

	lock_take(&heaps.lock);
	end = heaps.used + align_up(sizeof *heap, CACHE_LINE);
	if (end > heaps.open && heaps.start && heaps.open < heaps.bytes &&
	    os_open(heaps.start + heaps.open, HEAPS_STEP_BYTES))
		heaps.open += HEAPS_STEP_BYTES;
	if (end <= heaps.open) {
		heap = (struct heap *)(void *)(heaps.start + heaps.used);
		heaps.used = end;
	}
	lock_drop(&heaps.lock);
	return heap;
}

static struct heap *make_heap(void)
{
	struct heap *heap = take_memory();

	if (!heap)
		return NULL;
	for (unsigned class = 0; class < SMALL_CLASSES; class++)
		heap->current[class] = heap->fresh[class] = &span_none;
	/* The caller's from the first instant on, also in a fork child. */
	atomic_store_explicit(&heap->lock, HEAP_OWNER, memory_order_relaxed);
	heap->next = atomic_load_explicit(&registry.all, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(&registry.all, &heap->next, heap,
						      memory_order_release, memory_order_relaxed))
		;
	return heap;
}

static bool take_from(struct heap *heap, int who)
{
	int expected = HEAP_FREE;

	return atomic_compare_exchange_strong_explicit(&heap->lock, &expected, who,
						       memory_order_acquire, memory_order_relaxed);
}

/* The last to die that no trim of the dead is inside of. */
static struct heap *take_dead(void)
{
	struct heap **at = &registry.dead, *heap;

	while (*at && !take_from(*at, HEAP_OWNER))
		at = &(*at)->next_dead;
	heap = *at;
	if (heap) {
		*at = heap->next_dead;
		heap->listed = false;
	}
	return heap;
}

struct heap *heap_birth(void)
{
	struct heap *heap;

	heap_child();
	if (birthing)
		return NULL;
	birthing = true;
	compiler_barrier();
	lock_take(&registry.lock);
	heap = take_dead();
	lock_drop(&registry.lock);
	if (!heap)
		heap = make_heap();
	if (heap) {
		heap->dead = false;
		heap_self = heap;
		heap_leave(heap);
	}
	compiler_barrier();
	birthing = false;
	return heap;
}

static void list_dead(struct heap *heap)
{
	if (heap->listed)
		return;
	heap->listed = true;
	heap->next_dead = registry.dead;
	registry.dead = heap;
}

void heap_death(struct heap *heap)
{
	heap_self = &heap_gone;
	if (!heap_enter(heap))
		return; /* ended inside a slow half: nobody may use this heap again */
	heap_collect(heap);
	heap_trim(heap);
	heap->dead = true;
	heap_leave(heap);
	lock_take(&registry.lock);
	list_dead(heap);
	lock_drop(&registry.lock);
}

static cold bool enter_slow(struct heap *heap)
{
	for (unsigned spins = 0; !take_from(heap, HEAP_OWNER); spins++) {
		if (atomic_load_explicit(&heap->lock, memory_order_relaxed) == HEAP_OWNER)
			return false;
		if (spins >= ENTER_SPINS)
			os_pause();
	}
	return true;
}

bool heap_enter(struct heap *heap)
{
	heap_child();
	return likely(take_from(heap, HEAP_OWNER)) || enter_slow(heap);
}

bool heap_try(struct heap *heap)
{
	return take_from(heap, HEAP_OTHER);
}

void heap_leave(struct heap *heap)
{
	atomic_store_explicit(&heap->lock, HEAP_FREE, memory_order_release);
}

struct heap *heap_late_enter(void)
{
	uintptr_t me = (uintptr_t)&heap_self, expected = 0;

	heap_child();
	if (birthing)
		return NULL;
	while (!atomic_compare_exchange_strong_explicit(&registry.late_holder, &expected, me,
							memory_order_acquire,
							memory_order_relaxed)) {
		if (expected == me)
			return NULL;
		expected = 0;
		os_pause();
	}
	if (!registry.late) {
		registry.late = make_heap();
		if (registry.late)
			heap_leave(registry.late);
	}
	if (!registry.late)
		heap_late_leave();
	return registry.late;
}

void heap_late_leave(void)
{
	atomic_store_explicit(&registry.late_holder, 0, memory_order_release);
}

/*
 * The other threads are gone. Their heaps are the dead's, but for those that
 * somebody was inside of at that instant: these stay shut for ever.
 */
static void bury_others(void)
{
	struct heap *heap;

	lock_orphaned(&registry.lock);
	if (lock_mine(&registry.lock))
		return;
	registry.dead = NULL; /* made again: a heap that somebody was trimming must not be on it */
	for (heap = heap_first(); heap; heap = heap->next) {
		int held = atomic_load_explicit(&heap->lock, memory_order_relaxed);

		heap->listed = false;
		if (heap == heap_self && held == HEAP_OTHER)
			heap_self = &heap_none;
		if (heap == heap_self || heap == registry.late || held != HEAP_FREE)
			continue;
		heap->dead = true;
		list_dead(heap);
	}
}

static cold void recover(void)
{
	uintptr_t late_holder = atomic_load(&registry.late_holder);

	arena_child();
	mid_child();
	large_child();
	backend_child();
	lock_orphaned(&heaps.lock);
	bury_others();
	if (late_holder && late_holder != (uintptr_t)&heap_self) {
		registry.late = NULL;
		heap_late_leave();
	}
}

void heap_child_sure(void)
{
	if (registry.fork_mark)
		heap_child();
	else
		recover();
}

void heap_child(void)
{
	unsigned wiped = 0;

	if (likely(!registry.fork_mark ||
		   atomic_load_explicit(registry.fork_mark, memory_order_relaxed) != 0))
		return;
	if (atomic_compare_exchange_strong(registry.fork_mark, &wiped, 1))
		recover();
}
