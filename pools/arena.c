/*
 * arena: slices out of one reservation.
 * Owns: the reservation, the chunk words. Calls: os. Threads: any, by
 * compare-and-swap; growth under a lock. Never: looks at a slice's content.
 */
#include "pools/arena.h"
#include "pools/os.h"

enum {
	SUMMARY_BITS = 64,
	/* Opened at once at first, then an eighth of what is open. */
	GROW_MIN_CHUNKS = 2,
	GROW_MAX_CHUNKS = 32,
	RESERVE_TRIES = 14,
};

struct arena arena;

/* Written rarely, read by slow paths. */
static struct {
	_Atomic uint64_t *words;   /* one a chunk */
	_Atomic uint64_t *summary; /* one bit a chunk: may have a free slice */
	size_t chunks_max;
	_Atomic size_t chunks;	   /* opened; grows only */
	size_t reserved_bytes;
	_Atomic unsigned *fork_mark;
	enum arena_huge huge;
	struct lock grow, purge;
	_Atomic size_t purged_bytes, purge_calls;
} self;

/* Bytes before the slices for so many chunks: words and their summary, records. */
static size_t words_bytes(size_t chunks)
{
	return align_up(chunks * sizeof(uint64_t), os_page_bytes);
}

static size_t summary_bytes(size_t chunks)
{
	return align_up(chunks / 8 + sizeof(uint64_t), os_page_bytes);
}

static size_t records_bytes(size_t chunks)
{
	return align_up(chunks * CHUNK_SLICES * RECORD_BYTES, os_page_bytes);
}

/*
 * words | summary | fork mark | records | guard | slices; the whole is aligned
 * to a chunk so that huge pages fit.
 */
static bool lay_out(size_t chunks)
{
	size_t head = words_bytes(chunks) + summary_bytes(chunks) + os_page_bytes;
	size_t meta = head + records_bytes(chunks) + os_page_bytes;
	char *start;

	meta = align_up(meta, CHUNK_BYTES);
	start = os_reserve(meta + chunks * CHUNK_BYTES, CHUNK_BYTES);
	if (!start)
		return false;
	if (!os_open(start, head)) {
		os_unmap(start, meta + chunks * CHUNK_BYTES);
		return false;
	}
	self.words = (void *)start;
	self.summary = (void *)(start + words_bytes(chunks));
	self.fork_mark = (void *)(start + head - os_page_bytes);
	arena.records = start + head;
	arena.base = start + meta;
	self.chunks_max = chunks;
	self.reserved_bytes = meta + chunks * CHUNK_BYTES;
	return true;
}

bool arena_start(size_t max_bytes)
{
	size_t limit = os_address_limit();
	size_t bytes = limit == SIZE_MAX ? max_bytes : size_min(max_bytes, limit / ARENA_ADDRESS_SHARE);

	for (int i = 0; i < RESERVE_TRIES && bytes >= 2 * CHUNK_BYTES; i++, bytes /= 2) {
		if (!lay_out(bytes / CHUNK_BYTES))
			continue;
		if (!os_wipe_on_fork(self.fork_mark, os_page_bytes))
			self.fork_mark = NULL;
		return true;
	}
	return false;
}

void arena_set_huge(enum arena_huge mode)
{
	self.huge = mode;
	if (mode == ARENA_HUGE_NEVER && arena.base)
		os_huge(arena.base, self.chunks_max * CHUNK_BYTES, false);
}

_Atomic unsigned *arena_fork_mark(void)
{
	return self.fork_mark;
}

size_t arena_slices(void)
{
	return atomic_load_explicit(&self.chunks, memory_order_acquire) * CHUNK_SLICES;
}

void arena_shrink(size_t max_bytes)
{
	size_t keep;

	lock_take(&self.grow);
	keep = size_max(atomic_load_explicit(&self.chunks, memory_order_relaxed),
			max_bytes / CHUNK_BYTES);
	if (keep < self.chunks_max) {
		os_unmap(arena.base + keep * CHUNK_BYTES, (self.chunks_max - keep) * CHUNK_BYTES);
		self.reserved_bytes -= (self.chunks_max - keep) * CHUNK_BYTES;
		self.chunks_max = keep;
	}
	lock_drop(&self.grow);
}

/* Relaxed look first: most gives find the bit set. */
static void summary_set(size_t chunk)
{
	_Atomic uint64_t *word = &self.summary[chunk / SUMMARY_BITS];
	uint64_t bit = (uint64_t)1 << (chunk % SUMMARY_BITS);

	if (!(atomic_load_explicit(word, memory_order_seq_cst) & bit))
		atomic_fetch_or(word, bit);
}

/* Cleared, then looked at again: a give in between must not stay unseen. */
static void summary_clear(size_t chunk)
{
	uint64_t bit = (uint64_t)1 << (chunk % SUMMARY_BITS);

	atomic_fetch_and(&self.summary[chunk / SUMMARY_BITS], ~bit);
	if (atomic_load(&self.words[chunk]) & CHUNK_ALL)
		summary_set(chunk);
}

/* Takes the slices of mask from a chunk in which all of them are free. */
static bool claim(size_t chunk, uint64_t word, uint64_t mask, bool *dirty)
{
	uint64_t next = word & ~(mask | mask << CHUNK_SLICES);

	if (!atomic_compare_exchange_strong_explicit(&self.words[chunk], &word, next,
						     memory_order_acquire, memory_order_relaxed))
		return false;
	*dirty = (word >> CHUNK_SLICES) & mask;
	if (!(next & CHUNK_ALL))
		summary_clear(chunk);
	return true;
}

static size_t take_in_chunk(size_t chunk, size_t slices, size_t align_slices, bool *dirty)
{
	for (;;) {
		uint64_t word = atomic_load_explicit(&self.words[chunk], memory_order_relaxed);
		int at = chunk_fit(word, slices, align_slices);

		if (at < 0)
			return ARENA_NONE;
		if (claim(chunk, word, chunk_mask(slices) << at, dirty))
			return chunk * CHUNK_SLICES + (size_t)at;
	}
}

static size_t take_within(size_t slices, size_t align_slices, bool *dirty)
{
	size_t chunks = atomic_load_explicit(&self.chunks, memory_order_acquire);

	for (size_t i = 0; i * SUMMARY_BITS < chunks; i++) {
		uint64_t candidates = atomic_load_explicit(&self.summary[i], memory_order_relaxed);

		for (; candidates; candidates &= candidates - 1) {
			size_t chunk = i * SUMMARY_BITS + (size_t)__builtin_ctzll(candidates);
			size_t index = take_in_chunk(chunk, slices, align_slices, dirty);

			if (index != ARENA_NONE)
				return index;
		}
	}
	return ARENA_NONE;
}

bool arena_take_at(size_t index, size_t slices, bool *dirty)
{
	size_t taken = 0;

	*dirty = false;
	if (index + slices > arena_slices())
		return false;
	while (taken < slices) {
		size_t at = index + taken;
		size_t n = size_min(slices - taken, CHUNK_SLICES - at % CHUNK_SLICES);
		uint64_t mask = chunk_mask(n) << (at % CHUNK_SLICES);
		uint64_t word = atomic_load_explicit(&self.words[at / CHUNK_SLICES],
						     memory_order_relaxed);
		bool piece_dirty;

		if ((word & mask) != mask) {
			if (taken)
				arena_give(index, taken, *dirty);
			return false;
		}
		if (claim(at / CHUNK_SLICES, word, mask, &piece_dirty)) {
			*dirty |= piece_dirty;
			taken += n;
		}
	}
	return true;
}

/* First fit across chunk borders: a run may begin in any free tail. */
static size_t take_across(size_t slices, size_t align_slices, bool *dirty)
{
	size_t chunks = atomic_load_explicit(&self.chunks, memory_order_acquire);
	size_t start = 0, have = 0;

	for (size_t chunk = 0; chunk < chunks; chunk++) {
		uint32_t free = (uint32_t)atomic_load_explicit(&self.words[chunk],
							       memory_order_relaxed);
		size_t head = free == CHUNK_ALL ? CHUNK_SLICES : (size_t)__builtin_ctz(~free);

		if (have && have + head >= slices && arena_take_at(start, slices, dirty))
			return start;
		if (head == CHUNK_SLICES) {
			start = have ? start : chunk * CHUNK_SLICES;
			have += CHUNK_SLICES;
			if (have >= slices && arena_take_at(start, slices, dirty))
				return start;
			continue;
		}
		have = free ? (size_t)__builtin_clz(~free) : 0;
		have = align_down(have, align_slices);
		start = (chunk + 1) * CHUNK_SLICES - have;
	}
	return ARENA_NONE;
}

/* Opens the records and slices of chunks [from, from + count). Under grow. */
static bool open_chunks(size_t from, size_t count, enum arena_use use)
{
	size_t record_from = align_down(from * CHUNK_SLICES * RECORD_BYTES, os_page_bytes);
	char *slices = arena.base + from * CHUNK_BYTES;

	if (!os_open(arena.records + record_from, records_bytes(from + count) - record_from) ||
	    !os_open(slices, count * CHUNK_BYTES))
		return false;
	if (self.huge == ARENA_HUGE_ALWAYS ||
	    (self.huge == ARENA_HUGE_AUTO && use == ARENA_DENSE))
		os_huge(slices, count * CHUNK_BYTES, true);
	store_relaxed(&arena.open_bytes, (from + count) * CHUNK_BYTES);
	/* The count first: a child forked in between opens none of them twice. */
	atomic_store_explicit(&self.chunks, from + count, memory_order_release);
	for (size_t chunk = from; chunk < from + count; chunk++) {
		atomic_store_explicit(&self.words[chunk], CHUNK_ALL, memory_order_release);
		summary_set(chunk);
	}
	return true;
}

/* Opens room for `slices` more; `seen` chunks were open when room was sought. */
static bool grow(size_t slices, size_t seen, enum arena_use use)
{
	size_t need = (slices + CHUNK_SLICES - 1) / CHUNK_SLICES;
	bool done = false;
	size_t chunks, count;

	lock_take(&self.grow);
	chunks = atomic_load_explicit(&self.chunks, memory_order_relaxed);
	if (chunks != seen) {
		done = true; /* another thread was faster: look again */
	} else if (chunks + need <= self.chunks_max) {
		count = size_max(GROW_MIN_CHUNKS, size_min(GROW_MAX_CHUNKS, chunks / 8));
		count = size_min(size_max(count, need), self.chunks_max - chunks);
		done = open_chunks(chunks, count, use) ||
		       (count > need && open_chunks(chunks, need, use));
	}
	lock_drop(&self.grow);
	return done;
}

size_t arena_take(size_t slices, size_t align_slices, enum arena_use use, bool *dirty)
{
	for (;;) {
		size_t seen = atomic_load_explicit(&self.chunks, memory_order_acquire);
		size_t index = slices <= CHUNK_SLICES ? take_within(slices, align_slices, dirty) :
							ARENA_NONE;

		if (index == ARENA_NONE && slices > 1)
			index = take_across(slices, align_slices, dirty);
		if (index != ARENA_NONE || !grow(slices, seen, use))
			return index;
	}
}

void arena_give(size_t index, size_t slices, bool dirty)
{
	while (slices) {
		size_t chunk = index / CHUNK_SLICES;
		size_t n = size_min(slices, CHUNK_SLICES - index % CHUNK_SLICES);
		uint64_t mask = chunk_mask(n) << (index % CHUNK_SLICES);

		atomic_fetch_or(&self.words[chunk], dirty ? mask | mask << CHUNK_SLICES : mask);
		summary_set(chunk);
		index += n;
		slices -= n;
	}
}

/* Purges the claimed slices of one chunk, run by run; says which are clean. */
static uint64_t purge_claimed(size_t chunk, uint64_t claimed)
{
	uint64_t clean = 0;

	while (claimed) {
		unsigned at = (unsigned)__builtin_ctzll(claimed);
		unsigned n = (unsigned)__builtin_ctzll(~(claimed >> at));
		uint64_t mask = chunk_mask(n) << at;

		if (os_purge(arena_address(chunk * CHUNK_SLICES + at), n * SLICE_BYTES)) {
			clean |= mask;
			atomic_fetch_add(&self.purged_bytes, n * SLICE_BYTES);
		}
		atomic_fetch_add(&self.purge_calls, 1);
		claimed &= ~mask;
	}
	return clean;
}

static size_t purge_chunk(size_t chunk)
{
	uint64_t word = atomic_load_explicit(&self.words[chunk], memory_order_relaxed);
	uint64_t claimed, clean, next;

	do {
		claimed = chunk_free_dirty(word);
		if (!claimed)
			return 0;
	} while (!atomic_compare_exchange_weak_explicit(&self.words[chunk], &word, word & ~claimed,
							memory_order_acquire,
							memory_order_relaxed));
	clean = purge_claimed(chunk, claimed);
	word = atomic_load_explicit(&self.words[chunk], memory_order_relaxed);
	do
		next = (word | claimed) & ~(clean << CHUNK_SLICES);
	while (!atomic_compare_exchange_weak(&self.words[chunk], &word, next));
	summary_set(chunk);
	return (size_t)__builtin_popcountll(clean) * SLICE_BYTES;
}

size_t arena_purge(size_t max_bytes)
{
	size_t chunks = atomic_load_explicit(&self.chunks, memory_order_acquire);
	size_t given = 0;

	/* One at a time: a fork child must know whether the claims are its own. */
	if (!lock_try(&self.purge))
		return 0;
	for (size_t chunk = 0; chunk < chunks && given < max_bytes; chunk++)
		given += purge_chunk(chunk);
	lock_drop(&self.purge);
	return given;
}

void arena_child(void)
{
	lock_orphaned(&self.grow);
	if (!lock_orphaned(&self.purge))
		return;
	for (size_t chunk = 0; chunk < self.chunks; chunk++) {
		uint64_t word = atomic_load_explicit(&self.words[chunk], memory_order_relaxed);
		uint64_t claimed = chunk_claimed(word);

		if (claimed) {
			atomic_fetch_or(&self.words[chunk], claimed);
			summary_set(chunk);
		}
	}
}

void arena_read(struct arena_stats *stats)
{
	size_t chunks = atomic_load_explicit(&self.chunks, memory_order_acquire);

	*stats = (struct arena_stats){ .reserved_bytes = self.reserved_bytes };
	stats->open_bytes = chunks * CHUNK_BYTES;
	for (size_t chunk = 0; chunk < chunks; chunk++) {
		uint64_t word = atomic_load_explicit(&self.words[chunk], memory_order_relaxed);

		stats->free_slices += (size_t)__builtin_popcountll(word & CHUNK_ALL);
		stats->dirty_slices += (size_t)__builtin_popcountll(chunk_free_dirty(word));
	}
	stats->taken_slices = chunks * CHUNK_SLICES - stats->free_slices;
	stats->purged_bytes = atomic_load(&self.purged_bytes);
	stats->purge_calls = atomic_load(&self.purge_calls);
}
