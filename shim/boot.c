/*
 * boot: how a process comes to have weir, and a thread its heap.
 * Owns: the mode, the options in force, the key whose destructor ends a
 * thread's heap. Calls: options, out, pools; libc's pthread and dl functions.
 * Threads: any. Never: allocates; calls dl functions but from the constructor.
 */
#include "shim/boot.h"
#include "shim/options.h"
#include "shim/out.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/auxv.h>
#include <unistd.h>

enum {
	WARN_BYTES = 2048,
	STRICT_EXIT = 2,
	/* Under WEIR_POOLS=off, for blocks asked for before mimalloc can be opened. */
	EARLY_ARENA_BYTES = 32 << 20,
};

static struct {
	_Atomic int busy; /* a thread is booting */
	_Atomic int mode;
	bool arena; /* pools_start was called */
	bool key_made;
	pid_t pid; /* whose memory this is, vfork children left out */
	pthread_key_t key;
	struct options options;
	struct boot_libc libc;
} self;

static void hand_down(const struct options *options)
{
	pools_tune(&(struct pools_config){
		.reserve_bytes = options->pool_reserve_bytes,
		.cache_bytes = options->pool_max_bytes,
		.large_cache_bytes = options->large_cache_bytes,
		.decay_ms = options->decay_ms > UINT32_MAX ? UINT32_MAX : (unsigned)options->decay_ms,
		.huge = (enum arena_huge)options->thp,
	});
}

/* Nothing of the environment counts in a setuid program. */
static void read_options(void)
{
	char text[WARN_BYTES];
	struct out warn;
	unsigned bad;

	out_init_fd(&warn, STDERR_FILENO, text, sizeof text);
	bad = options_read(&self.options, getauxval(AT_SECURE) ? NULL : environ, pools_ram_bytes(),
			   &warn);
	if (self.options.verbose) {
		out_str(&warn, "weir: options in force:\n");
		options_print(&self.options, &warn);
	}
	out_flush(&warn);
	if (bad && self.options.strict)
		_exit(STRICT_EXIT);
}

/* Destructors of other keys may still come: they are served by the late heap. */
static void end_thread(void *heap)
{
	pools_death(heap);
}

static enum boot_mode choose_mode(void)
{
	if (!options_applies(&self.options, program_invocation_name))
		return BOOT_PASS;
	return self.options.pools ? BOOT_POOLS : BOOT_BACKEND;
}

/*
 * The loader may call before libc has an environment: then blocks come from
 * pools with default options, and the next slow call boots.
 */
static cold enum boot_mode boot(void)
{
	int saved = errno;
	enum boot_mode mode;

	while (atomic_exchange_explicit(&self.busy, 1, memory_order_acquire))
		sched_yield();
	mode = (enum boot_mode)atomic_load(&self.mode);
	if (mode == BOOT_COLD && environ) {
		read_options();
		mode = choose_mode();
		if (!self.arena && mode != BOOT_PASS)
			pools_start(self.options.pools ? self.options.arena_max_bytes :
							 EARLY_ARENA_BYTES);
		else if (self.arena && mode != BOOT_POOLS)
			pools_leave();
		self.arena = true;
		hand_down(&self.options);
		self.key_made = pthread_key_create(&self.key, end_thread) == 0;
		atomic_store(&self.mode, mode);
	} else if (!self.arena) {
		pools_start(256 * GiB);
		self.arena = true;
	}
	atomic_store_explicit(&self.busy, 0, memory_order_release);
	errno = saved;
	return mode;
}

enum boot_mode boot_mode(void)
{
	enum boot_mode mode = (enum boot_mode)atomic_load_explicit(&self.mode,
								   memory_order_relaxed);

	return likely(mode != BOOT_COLD) ? mode : boot();
}

static cold struct heap *start_thread(void)
{
	int saved = errno;
	struct heap *heap = pools_birth();

	/* With the heap in place: for a key of 32 and above this allocates. */
	if (heap && self.key_made)
		pthread_setspecific(self.key, heap);
	errno = saved;
	return heap;
}

struct heap *boot_heap(void)
{
	bool ended;
	struct heap *heap = pools_self(&ended);
	enum boot_mode mode;

	if (likely(heap) && likely(atomic_load_explicit(&self.mode, memory_order_relaxed)))
		return heap;
	mode = boot_mode();
	heap = pools_self(&ended);
	if (heap)
		return heap;
	if (ended || (mode != BOOT_POOLS && mode != BOOT_COLD))
		return NULL;
	return start_thread();
}

/* All of these are in any libc: dlsym of what is missing would allocate. */
static const struct {
	const char *name;
	size_t offset;
} libc_symbols[] = {
	{ "malloc_usable_size", offsetof(struct boot_libc, malloc_usable_size) },
	{ "malloc_trim", offsetof(struct boot_libc, malloc_trim) },
	{ "mallopt", offsetof(struct boot_libc, mallopt) },
	{ "malloc_stats", offsetof(struct boot_libc, malloc_stats) },
	{ "malloc_info", offsetof(struct boot_libc, malloc_info) },
	{ "mallinfo", offsetof(struct boot_libc, mallinfo) },
	{ "mallinfo2", offsetof(struct boot_libc, mallinfo2) },
	{ "dlopen", offsetof(struct boot_libc, dlopen) },
};

/* By the constructor, or by a dlopen in a constructor that ran before ours. */
static void look_up_libc(void)
{
	for (size_t i = 0; i < sizeof libc_symbols / sizeof libc_symbols[0]; i++)
		*(void **)((char *)&self.libc + libc_symbols[i].offset) =
			dlsym(RTLD_NEXT, libc_symbols[i].name);
}

const struct boot_libc *boot_libc(void)
{
	return &self.libc;
}

int boot_dlopen_mask(void)
{
	enum boot_mode mode = boot_mode();

	if (unlikely(!self.libc.dlopen))
		look_up_libc();
	if (mode == BOOT_PASS || self.options.deepbind == OPTIONS_DEEPBIND_KEEP)
		return 0;
	return RTLD_DEEPBIND;
}

/* False in a vfork child: the memory is its parent's. A child of a raw fork counts as one, too. */
bool boot_process_is_ours(void)
{
	return self.pid == getpid();
}

static void after_fork(void)
{
	self.pid = getpid();
	pools_child();
}

/* Asked for mimalloc, and there is none: the program gets what it had without us. */
static cold void without_backend(void)
{
	char text[WARN_BYTES];
	struct out warn;

	out_init_fd(&warn, STDERR_FILENO, text, sizeof text);
	out_str(&warn, "weir: WEIR_POOLS=off: libmimalloc.so.2 cannot be opened; using glibc's malloc\n");
	out_flush(&warn);
	atomic_store(&self.mode, BOOT_PASS);
}

/* What must not be done inside malloc. */
static __attribute__((constructor)) void load(void)
{
	enum boot_mode mode = boot_mode();
	const struct options_pairs *initial = &self.options.pool_initial;
	int saved = errno;

	look_up_libc();
	self.pid = getpid();
	pthread_atfork(NULL, NULL, after_fork);
	if (mode != BOOT_PASS && !pools_stand_by(mode == BOOT_BACKEND) && mode == BOOT_BACKEND)
		without_backend();
	for (size_t i = 0; mode == BOOT_POOLS && boot_heap() && i < initial->n; i++)
		pools_prepare(initial->size[i], initial->count[i]);
	errno = saved;
}
