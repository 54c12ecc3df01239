/*
 * arena: slices out of one reservation.
 * Owns: the reservation and what of it is open. Calls: os, ledger. Threads: any;
 * growth and purging each under a lock. Never: looks at a slice's content.
 */
#include "pools/arena.h"
#include "pools/os.h"

enum {
	/* Opened at once at first, then an eighth of what is open. */
	GROW_MIN_CHUNKS = 2,
	GROW_MAX_CHUNKS = 32,
	RESERVE_TRIES = 14,
};

struct arena arena;

/* Written rarely, read by slow paths. */
static struct {
	size_t chunks_max; /* what the reservation has room for */
	size_t reserved_bytes;
	_Atomic unsigned *fork_mark;
	enum arena_huge huge;
	struct lock grow, purge;
	_Atomic size_t purged_bytes, purge_calls;
} self;

static size_t records_bytes(size_t chunks)
{
	return align_up(chunks * CHUNK_SLICES * RECORD_BYTES, os_page_bytes);
}

/*
 * ledger | fork mark | records | guard | slices; the whole is aligned to a chunk
 * so that huge pages fit.
 */
static bool lay_out(size_t chunks)
{
	size_t head = align_up(ledger_bytes(chunks), os_page_bytes) + os_page_bytes;
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
	ledger_start(start, chunks);
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
	return ledger_chunks() * CHUNK_SLICES;
}

void arena_shrink(size_t max_bytes)
{
	size_t keep;

	lock_take(&self.grow);
	keep = size_max(ledger_chunks(), max_bytes / CHUNK_BYTES);
	if (keep < self.chunks_max) {
		size_t had = self.chunks_max;
		char *records = arena.records + records_bytes(keep);

		self.chunks_max = keep; /* first: a child forked in between must not open what is gone */
		os_unmap(arena.base + keep * CHUNK_BYTES, (had - keep) * CHUNK_BYTES);
		os_unmap(records, (size_t)(arena.records + records_bytes(had) - records));
		self.reserved_bytes -= (had - keep) * CHUNK_BYTES + records_bytes(had) - records_bytes(keep);
	}
	lock_drop(&self.grow);
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
	ledger_open(count);
	return true;
}

/* Opens room for `slices` more; `seen` chunks were open when room was sought. */
static bool grow(size_t slices, size_t seen, enum arena_use use)
{
	size_t need = (slices + CHUNK_SLICES - 1) / CHUNK_SLICES;
	bool done = false;
	size_t chunks, count;

	lock_take(&self.grow);
	chunks = ledger_chunks();
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
		size_t seen = ledger_chunks();
		size_t index = ledger_take(slices, align_slices, dirty);

		if (index != ARENA_NONE || !grow(slices, seen, use))
			return index;
	}
}

bool arena_take_at(size_t index, size_t slices, bool *dirty)
{
	return ledger_take_at(index, slices, dirty);
}

void arena_give(size_t index, size_t slices, bool dirty)
{
	ledger_give(index, slices, dirty);
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

size_t arena_purge(size_t max_bytes)
{
	size_t given = 0;

	/* One at a time: a fork child must know whether the claims are its own. */
	if (!lock_try(&self.purge))
		return 0;
	for (size_t chunk = 0; chunk < ledger_chunks() && given < max_bytes; chunk++) {
		uint64_t claimed = ledger_claim(chunk);
		uint64_t clean = purge_claimed(chunk, claimed);

		if (claimed)
			ledger_settle(chunk, claimed, clean);
		given += (size_t)__builtin_popcountll(clean) * SLICE_BYTES;
	}
	lock_drop(&self.purge);
	return given;
}

void arena_child(void)
{
	lock_orphaned(&self.grow);
	ledger_child(lock_orphaned(&self.purge));
}

void arena_read(struct arena_stats *stats)
{
	size_t slices = arena_slices();
	struct ledger_count count;

	ledger_read(&count);
	*stats = (struct arena_stats){
		.reserved_bytes = self.reserved_bytes,
		.open_bytes = slices * SLICE_BYTES,
		.free_slices = count.free_slices,
		.dirty_slices = count.dirty_slices,
		.taken_slices = slices - size_min(slices, count.free_slices),
		.purged_bytes = atomic_load(&self.purged_bytes),
		.purge_calls = atomic_load(&self.purge_calls),
	};
}
