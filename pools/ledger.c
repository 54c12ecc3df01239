/*
 * ledger: which slices are free, and which of these are dirty.
 * Owns: the chunk words, their summary. Calls: chunk.h. Threads: any, by
 * compare-and-swap, without a lock. Never: touches a slice.
 */
#include "pools/ledger.h"

enum { SUMMARY_BITS = 64 };

static struct {
	_Atomic uint64_t *words;   /* one a chunk */
	_Atomic uint64_t *summary; /* one bit a chunk: may have a free slice */
	_Atomic size_t chunks;
	_Atomic uint32_t hint[CHUNK_SLICES + 1]; /* summary word to begin at, by length */
} ledger;

size_t ledger_bytes(size_t chunks)
{
	return (chunks + chunks / SUMMARY_BITS + 1) * sizeof(uint64_t);
}

void ledger_start(void *memory, size_t chunks)
{
	ledger.words = memory;
	ledger.summary = ledger.words + chunks;
}

size_t ledger_chunks(void)
{
	return atomic_load_explicit(&ledger.chunks, memory_order_acquire);
}

/* Relaxed look first: most gives find the bit set. */
static void summary_set(size_t chunk)
{
	_Atomic uint64_t *word = &ledger.summary[chunk / SUMMARY_BITS];
	uint64_t bit = (uint64_t)1 << (chunk % SUMMARY_BITS);

	if (!(atomic_load_explicit(word, memory_order_seq_cst) & bit))
		atomic_fetch_or(word, bit);
}

/* Cleared, then looked at again: a give in between must not stay unseen. */
static void summary_clear(size_t chunk)
{
	uint64_t bit = (uint64_t)1 << (chunk % SUMMARY_BITS);

	atomic_fetch_and(&ledger.summary[chunk / SUMMARY_BITS], ~bit);
	if (atomic_load(&ledger.words[chunk]) & CHUNK_ALL)
		summary_set(chunk);
}

void ledger_open(size_t chunks)
{
	size_t from = ledger_chunks();

	/* The count first: a child forked in between opens none of them twice. */
	atomic_store_explicit(&ledger.chunks, from + chunks, memory_order_release);
	for (size_t chunk = from; chunk < from + chunks; chunk++) {
		atomic_store_explicit(&ledger.words[chunk], CHUNK_ALL, memory_order_release);
		summary_set(chunk);
	}
}

/* Takes the slices of mask from a chunk in which all of them are free. */
static bool claim(size_t chunk, uint64_t word, uint64_t mask, bool *dirty)
{
	uint64_t next = word & ~(mask | mask << CHUNK_SLICES);

	if (!atomic_compare_exchange_strong_explicit(&ledger.words[chunk], &word, next,
						     memory_order_acquire, memory_order_relaxed))
		return false;
	*dirty = (word >> CHUNK_SLICES) & mask;
	if (!(next & CHUNK_ALL))
		summary_clear(chunk);
	return true;
}

static size_t take_in_chunk(size_t chunk, size_t slices, size_t align, bool *dirty)
{
	for (;;) {
		uint64_t word = atomic_load_explicit(&ledger.words[chunk], memory_order_relaxed);
		int at = chunk_fit(word, slices, align);

		if (at < 0)
			return ARENA_NONE;
		if (claim(chunk, word, chunk_mask(slices) << at, dirty))
			return chunk * CHUNK_SLICES + (size_t)at;
	}
}

static size_t take_from_to(size_t from, size_t to, size_t slices, size_t align, bool *dirty)
{
	for (size_t i = from; i < to; i++) {
		uint64_t candidates = atomic_load_explicit(&ledger.summary[i], memory_order_relaxed);

		for (; candidates; candidates &= candidates - 1) {
			size_t chunk = i * SUMMARY_BITS + (size_t)__builtin_ctzll(candidates);
			size_t index = take_in_chunk(chunk, slices, align, dirty);

			if (index != ARENA_NONE)
				return index;
		}
	}
	return ARENA_NONE;
}

/*
 * First fit, but for runs from where one of that length was found last, or
 * given since: in a large arena full of short holes the walk would be long.
 */
static size_t take_within(size_t slices, size_t align, bool *dirty)
{
	size_t words = (ledger_chunks() + SUMMARY_BITS - 1) / SUMMARY_BITS;
	_Atomic uint32_t *hint = &ledger.hint[slices];
	size_t from = atomic_load_explicit(hint, memory_order_relaxed);
	size_t index = take_from_to(from, words, slices, align, dirty);

	if (index == ARENA_NONE)
		index = take_from_to(0, size_min(from, words), slices, align, dirty);
	if (index != ARENA_NONE && slices > 1)
		atomic_store_explicit(hint, (uint32_t)(index / CHUNK_SLICES / SUMMARY_BITS),
				      memory_order_relaxed);
	return index;
}

bool ledger_take_at(size_t index, size_t slices, bool *dirty)
{
	size_t taken = 0;

	*dirty = false;
	if (index + slices > ledger_chunks() * CHUNK_SLICES)
		return false;
	while (taken < slices) {
		size_t at = index + taken;
		size_t n = size_min(slices - taken, CHUNK_SLICES - at % CHUNK_SLICES);
		uint64_t mask = chunk_mask(n) << (at % CHUNK_SLICES);
		uint64_t word = atomic_load_explicit(&ledger.words[at / CHUNK_SLICES],
						     memory_order_relaxed);
		bool piece_dirty;

		if ((word & mask) != mask) {
			if (taken)
				ledger_give(index, taken, *dirty);
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
static size_t take_across(size_t slices, size_t align, bool *dirty)
{
	size_t chunks = ledger_chunks();
	size_t start = 0, have = 0;

	for (size_t chunk = 0; chunk < chunks; chunk++) {
		uint32_t free = (uint32_t)atomic_load_explicit(&ledger.words[chunk],
							       memory_order_relaxed);
		size_t head = free == CHUNK_ALL ? CHUNK_SLICES : (size_t)__builtin_ctz(~free);

		if (have && have + head >= slices && ledger_take_at(start, slices, dirty))
			return start;
		if (head == CHUNK_SLICES) {
			start = have ? start : chunk * CHUNK_SLICES;
			have += CHUNK_SLICES;
			if (have >= slices && ledger_take_at(start, slices, dirty))
				return start;
			continue;
		}
		have = free ? (size_t)__builtin_clz(~free) : 0;
		have = align_down(have, align);
		start = (chunk + 1) * CHUNK_SLICES - have;
	}
	return ARENA_NONE;
}

size_t ledger_take(size_t slices, size_t align, bool *dirty)
{
	size_t index = ARENA_NONE;

	if (slices <= CHUNK_SLICES)
		index = take_within(slices, align, dirty);
	if (index == ARENA_NONE && slices > 1)
		index = take_across(slices, align, dirty);
	return index;
}

void ledger_give(size_t index, size_t slices, bool dirty)
{
	uint32_t summary = (uint32_t)(index / CHUNK_SLICES / SUMMARY_BITS);

	if (slices <= CHUNK_SLICES &&
	    summary < atomic_load_explicit(&ledger.hint[slices], memory_order_relaxed))
		atomic_store_explicit(&ledger.hint[slices], summary, memory_order_relaxed);
	while (slices) {
		size_t chunk = index / CHUNK_SLICES;
		size_t n = size_min(slices, CHUNK_SLICES - index % CHUNK_SLICES);
		uint64_t mask = chunk_mask(n) << (index % CHUNK_SLICES);

		atomic_fetch_or(&ledger.words[chunk], dirty ? mask | mask << CHUNK_SLICES : mask);
		summary_set(chunk);
		index += n;
		slices -= n;
	}
}

uint64_t ledger_claim(size_t chunk)
{
	uint64_t word = atomic_load_explicit(&ledger.words[chunk], memory_order_relaxed);
	uint64_t claimed;

	do {
		claimed = chunk_free_dirty(word);
		if (!claimed)
			return 0;
	} while (!atomic_compare_exchange_weak_explicit(&ledger.words[chunk], &word,
							word & ~claimed, memory_order_acquire,
							memory_order_relaxed));
	return claimed;
}

void ledger_settle(size_t chunk, uint64_t claimed, uint64_t clean)
{
	uint64_t word = atomic_load_explicit(&ledger.words[chunk], memory_order_relaxed);
	uint64_t next;

	do
		next = (word | claimed) & ~(clean << CHUNK_SLICES);
	while (!atomic_compare_exchange_weak(&ledger.words[chunk], &word, next));
	summary_set(chunk);
}

void ledger_child(bool claims)
{
	for (size_t chunk = 0; chunk < ledger_chunks(); chunk++) {
		uint64_t word = atomic_load_explicit(&ledger.words[chunk], memory_order_relaxed);

		if (claims && chunk_claimed(word))
			word |= atomic_fetch_or(&ledger.words[chunk], chunk_claimed(word));
		/* Somebody may have been about to. */
		if (word & CHUNK_ALL || claims)
			summary_set(chunk);
	}
}

void ledger_read(struct ledger_count *count)
{
	*count = (struct ledger_count){ 0 };
	for (size_t chunk = 0; chunk < ledger_chunks(); chunk++) {
		uint64_t word = atomic_load_explicit(&ledger.words[chunk], memory_order_relaxed);

		count->free_slices += (size_t)__builtin_popcountll(word & CHUNK_ALL);
		count->dirty_slices += (size_t)__builtin_popcountll(chunk_free_dirty(word));
	}
}
