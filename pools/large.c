/*
 * large: blocks with a mapping of their own.
 * Owns: the table of large blocks, the cache of freed mappings. Calls: os.
 * Threads: any; the table is lock-free, the cache has a lock. Never: keeps a
 * cached mapping that nobody asked for during the decay time, once called.
 */
#include "pools/large.h"
#include "pools/os.h"

enum {
	TABLE_FIRST_SLOTS = 1024, /* each further table is eight times larger */
	TABLES = 6,
	WINDOW = 16, /* slots that an address may be in, each table */
	CACHE_ENTRIES = 32,
	CACHE_MIN_BYTES = 32 << 20, /* below: a stopgap where there is no arena */
	CACHE_SLACK_SHARE = 4, /* a cached mapping may be 1/4 larger than asked for */
};

struct slot {
	_Atomic uintptr_t address; /* 0 free; 1 being written */
	size_t bytes;		   /* of the mapping */
	bool asked;		   /* taken at this size, so it may be asked for again */
};
static struct slot table_first[TABLE_FIRST_SLOTS];
static _Atomic(struct slot *) tables[TABLES] = { table_first };

static struct {
	struct lock lock;
	struct cached {
		char *start;
		size_t bytes;
		uint64_t since_ms;
	} entry[CACHE_ENTRIES]; /* oldest first */
	unsigned entries;
	size_t bytes, bytes_max;
	uint64_t decay_ms;
	size_t hits, misses, evictions;
} cache = { .bytes_max = 64 * MiB, .decay_ms = 1000 };

/* This thread is inside the cache: a signal handler goes round it. */
static __thread bool inside __attribute__((tls_model("initial-exec")));

static bool cache_enter(void)
{
	if (inside)
		return false;
	inside = true;
	compiler_barrier();
	lock_take(&cache.lock);
	return true;
}

static void cache_leave(void)
{
	lock_drop(&cache.lock);
	compiler_barrier();
	inside = false;
}

static size_t table_slots(unsigned i)
{
	return (size_t)TABLE_FIRST_SLOTS << 3 * i;
}

static struct slot *window(unsigned i, struct slot *table, uintptr_t address)
{
	uint64_t hash = (address >> 12) * 0x9e3779b97f4a7c15u;

	return &table[align_down((size_t)(hash >> 32) % table_slots(i), WINDOW)];
}

static struct slot *find(uintptr_t address)
{
	if (address % os_page_bytes || !address)
		return NULL; /* 0 and 1 stand for other things */
	for (unsigned i = 0; i < TABLES; i++) {
		struct slot *slot = atomic_load_explicit(&tables[i], memory_order_acquire);

		if (!slot)
			return NULL;
		slot = window(i, slot, address);
		for (unsigned k = 0; k < WINDOW; k++)
			if (atomic_load_explicit(&slot[k].address, memory_order_acquire) == address)
				return &slot[k];
	}
	return NULL;
}

static struct slot *open_table(unsigned i)
{
	size_t bytes = table_slots(i) * sizeof(struct slot);
	struct slot *none = NULL, *table = os_map(bytes, 1);

	if (table && !atomic_compare_exchange_strong(&tables[i], &none, table)) {
		os_unmap(table, bytes);
		return none;
	}
	return table;
}

/* Writes a block down; false: no room for the table. */
static bool add(uintptr_t address, size_t bytes, bool asked)
{
	for (unsigned i = 0; i < TABLES; i++) {
		struct slot *slot = atomic_load_explicit(&tables[i], memory_order_acquire);

		if (!slot && !(slot = open_table(i)))
			return false;
		slot = window(i, slot, address);
		for (unsigned k = 0; k < WINDOW; k++) {
			uintptr_t none = 0;

			if (!atomic_compare_exchange_strong(&slot[k].address, &none, 1))
				continue;
			slot[k].bytes = bytes;
			slot[k].asked = asked;
			atomic_store_explicit(&slot[k].address, address, memory_order_release);
			return true;
		}
	}
	return false;
}

static void *map_block(size_t bytes, size_t align)
{
	char *start;

	if (bytes > PTRDIFF_MAX - align - os_page_bytes)
		return NULL;
	bytes = align_up(bytes ? bytes : 1, os_page_bytes);
	start = os_map(bytes, align);
	if (start && !add((uintptr_t)start, bytes, true)) {
		os_unmap(start, bytes);
		return NULL;
	}
	return start;
}

void *large_take_now(size_t bytes, size_t align)
{
	return map_block(bytes, align);
}

static void drop_entry(unsigned i)
{
	cache.bytes -= cache.entry[i].bytes;
	cache.entries--;
	for (; i < cache.entries; i++)
		cache.entry[i] = cache.entry[i + 1];
}

/* The best fit, or NULL. */
static char *from_cache(size_t bytes, size_t *got)
{
	unsigned best = CACHE_ENTRIES;
	char *start = NULL;

	if (!cache_enter())
		return NULL;
	for (unsigned i = 0; i < cache.entries; i++)
		if (cache.entry[i].bytes >= bytes &&
		    cache.entry[i].bytes - bytes <= bytes / CACHE_SLACK_SHARE &&
		    (best == CACHE_ENTRIES || cache.entry[i].bytes < cache.entry[best].bytes))
			best = i;
	if (best < CACHE_ENTRIES) {
		start = cache.entry[best].start;
		*got = cache.entry[best].bytes;
		drop_entry(best);
		cache.hits++;
	} else {
		cache.misses++;
	}
	cache_leave();
	return start;
}

void *large_take(size_t bytes, size_t align, bool zero)
{
	size_t got;
	char *start;

	/* Fresh pages are zero already, and a cached mapping is not. */
	if (!zero && align <= os_page_bytes && bytes <= load_relaxed(&cache.bytes_max)) {
		start = from_cache(align_up(bytes, os_page_bytes), &got);
		if (start && add((uintptr_t)start, got, true))
			return start;
		if (start)
			os_unmap(start, got);
	}
	start = map_block(bytes, align);
	if (!start && large_purge(UINT64_MAX))
		start = map_block(bytes, align);
	return start;
}

/* Takes entry i out of the cache and unmaps it, the lock let go meanwhile. */
static size_t evict(unsigned i)
{
	struct cached gone = cache.entry[i];

	drop_entry(i);
	cache.evictions++;
	lock_drop(&cache.lock);
	os_unmap(gone.start, gone.bytes);
	lock_take(&cache.lock);
	return gone.bytes;
}

size_t large_purge(uint64_t before_ms)
{
	size_t given = 0;

	if (!cache_enter())
		return 0;
	while (cache.entries && cache.entry[0].since_ms < before_ms)
		given += evict(0);
	cache_leave();
	return given;
}

static void to_cache(char *start, size_t bytes)
{
	uint64_t now = os_now_ms();
	uint64_t decay = load_relaxed(&cache.decay_ms);

	if (now > decay)
		large_purge(now - decay);
	if (!cache_enter()) {
		os_unmap(start, bytes);
		return;
	}
	while (cache.entries && (cache.entries == CACHE_ENTRIES ||
				 cache.bytes + bytes > load_relaxed(&cache.bytes_max)))
		evict(0);
	if (bytes <= load_relaxed(&cache.bytes_max)) {
		cache.entry[cache.entries++] = (struct cached){ start, bytes, now };
		cache.bytes += bytes;
		start = NULL;
	}
	cache_leave();
	if (start)
		os_unmap(start, bytes);
}

bool large_give(void *p)
{
	struct slot *slot = find((uintptr_t)p);
	uintptr_t address = (uintptr_t)p;
	size_t bytes;
	bool asked;

	if (!slot)
		return false;
	bytes = slot->bytes;
	asked = slot->asked;
	/* Only one of two threads that free a block twice gets it. */
	if (!atomic_compare_exchange_strong(&slot->address, &address, 0))
		return false;
	if (asked && bytes > CACHE_MIN_BYTES)
		to_cache(p, bytes);
	else
		os_unmap(p, bytes);
	return true;
}

size_t large_bytes(const void *p)
{
	struct slot *slot = find((uintptr_t)p);

	return slot ? slot->bytes : 0;
}

void *large_resize(void *p, size_t bytes)
{
	struct slot *slot = find((uintptr_t)p);
	size_t had = slot->bytes;
	char *moved;

	bytes = align_up(bytes, os_page_bytes);
	if (bytes == had)
		return p;
	/* The address may be another's as soon as the pages have moved. */
	atomic_store_explicit(&slot->address, 1, memory_order_relaxed);
	moved = os_remap(p, had, bytes);
	if (!moved || moved == p) {
		slot->bytes = moved ? bytes : had;
		slot->asked &= !moved;
		atomic_store_explicit(&slot->address, (uintptr_t)p, memory_order_release);
		return moved;
	}
	atomic_store_explicit(&slot->address, 0, memory_order_release);
	if (!add((uintptr_t)moved, bytes, false))
		os_die("weir: no memory for the table of large blocks\n");
	return moved;
}

void *large_adopt(void *start, size_t bytes, size_t new_bytes)
{
	char *moved;

	new_bytes = align_up(new_bytes, os_page_bytes);
	moved = os_move_out(start, bytes, new_bytes);
	if (moved && !add((uintptr_t)moved, new_bytes, false))
		os_die("weir: no memory for the table of large blocks\n");
	return moved;
}

void large_set_cache(size_t bytes, unsigned decay_ms)
{
	store_relaxed(&cache.bytes_max, bytes);
	store_relaxed(&cache.decay_ms, decay_ms);
}

void large_read(struct large_stats *stats)
{
	*stats = (struct large_stats){ .cache_entries = cache.entries,
				       .cache_bytes = cache.bytes,
				       .cache_hits = cache.hits,
				       .cache_misses = cache.misses,
				       .cache_evictions = cache.evictions };
	for (unsigned i = 0; i < TABLES; i++) {
		struct slot *table = atomic_load_explicit(&tables[i], memory_order_acquire);

		for (size_t k = 0; table && k < table_slots(i); k++)
			if (atomic_load_explicit(&table[k].address, memory_order_relaxed) > 1) {
				stats->blocks++;
				stats->bytes += table[k].bytes;
			}
	}
}

void large_child(void)
{
	/* Torn by another thread: forget what it holds. */
	if (lock_orphaned(&cache.lock))
		cache.entries = 0, cache.bytes = 0;
}
