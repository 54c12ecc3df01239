/*
 * os: the only caller of mmap, mprotect, mremap, madvise and munmap.
 * Owns: the page size. Calls: the kernel. Threads: any. Never: allocates.
 *
 * After start the program's threads make only the kinds of system call that
 * glibc's malloc makes too (mmap, munmap, mremap, mprotect, madvise, futex):
 * under a seccomp filter a new kind would be death.
 */
#include "pools/os.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef MADV_COLD
#define MADV_COLD 20
#endif
#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

enum { LOCK_SPINS = 100 };

size_t os_page_bytes = 4096;

void os_start(void)
{
	size_t page = getauxval(AT_PAGESZ);

	if (page)
		os_page_bytes = page;
}

/* With no room for more than bytes, what the kernel picks may be aligned all the same. */
static void *map_lucky(size_t bytes, size_t align, int prot, int flags)
{
	void *start = mmap(NULL, bytes, prot, flags, -1, 0);

	if (start == MAP_FAILED)
		return NULL;
	if ((uintptr_t)start % align == 0)
		return start;
	munmap(start, bytes);
	return NULL;
}

/* Maps bytes + align and cuts the ends off: mmap knows no alignment. */
static void *map_aligned(size_t bytes, size_t align, int prot, int flags)
{
	size_t room = align > os_page_bytes ? bytes + align - os_page_bytes : bytes;
	char *start, *aligned;

	if (room < bytes)
		return NULL;
	start = mmap(NULL, room, prot, flags, -1, 0);
	if (start == MAP_FAILED)
		return map_lucky(bytes, align, prot, flags);
	aligned = start + (align_up((uintptr_t)start, align) - (uintptr_t)start);
	if (aligned > start)
		munmap(start, (size_t)(aligned - start));
	if (aligned + bytes < start + room)
		munmap(aligned + bytes, (size_t)(start + room - (aligned + bytes)));
	return aligned;
}

void *os_reserve(size_t bytes, size_t align)
{
	return map_aligned(bytes, align, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
}

bool os_open(void *start, size_t bytes)
{
	return mprotect(start, bytes, PROT_READ | PROT_WRITE) == 0;
}

void *os_map(size_t bytes, size_t align)
{
	return map_aligned(bytes, size_max(align, os_page_bytes), PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS);
}

void os_unmap(void *start, size_t bytes)
{
	munmap(start, bytes);
}

void *os_remap(void *start, size_t old_bytes, size_t new_bytes)
{
	void *moved = mremap(start, old_bytes, new_bytes, MREMAP_MAYMOVE);

	return moved == MAP_FAILED ? NULL : moved;
}

void *os_move_out(void *start, size_t bytes, size_t new_bytes)
{
	void *moved, *grown;

	/* Refused for locked pages: moving would unlock all that is mapped around them. */
	if (madvise(start, os_page_bytes, MADV_COLD) != 0)
		return NULL;
	moved = mremap(start, bytes, bytes, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	if (moved == MAP_FAILED)
		return NULL;
	grown = mremap(moved, bytes, new_bytes, MREMAP_MAYMOVE);
	if (grown != MAP_FAILED)
		return grown;
	/* Back again: the range is still there to take them. */
	if (mremap(moved, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, start) == MAP_FAILED)
		os_die("weir: pages of a block cannot be moved back\n");
	return NULL;
}

/* A filter may answer 0 and do nothing: what was not seen to be zero is not. */
bool os_purge(void *start, size_t bytes)
{
	volatile char *probe = start;

	*probe = 1;
	return madvise(start, bytes, MADV_DONTNEED) == 0 && *probe == 0;
}

void os_huge(void *start, size_t bytes, bool want)
{
	madvise(start, bytes, want ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
}

bool os_wipe_on_fork(void *start, size_t bytes)
{
	return madvise(start, bytes, MADV_WIPEONFORK) == 0;
}

size_t os_address_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
		return SIZE_MAX;
	return (size_t)limit.rlim_cur;
}

size_t os_ram_bytes(void)
{
	struct sysinfo info;

	if (sysinfo(&info) != 0)
		return 0;
	return (size_t)info.totalram * info.mem_unit;
}

uint64_t os_now_ms(void)
{
	struct timespec now = { 0, 0 };

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

_Noreturn void os_die(const char *message)
{
	ssize_t ignored = write(STDERR_FILENO, message, strlen(message));

	(void)ignored;
	abort();
}

static void futex(struct lock *lock, int op, int value)
{
	syscall(SYS_futex, &lock->word, op | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

void os_pause(void)
{
	static const struct timespec a_moment = { 0, 50 * 1000 };
	static int never;
	int saved = errno;

	syscall(SYS_futex, &never, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, &a_moment, NULL, 0);
	errno = saved;
}

static inline void cpu_relax(void)
{
	compiler_barrier();
}

/* Its address names the thread. */
static __thread char lock_self __attribute__((tls_model("initial-exec")));

static void set_holder(struct lock *lock, uintptr_t holder)
{
	atomic_store_explicit(&lock->holder, holder, memory_order_relaxed);
	compiler_barrier();
}

static bool grab(struct lock *lock)
{
	int expected = 0;

	return atomic_compare_exchange_strong_explicit(&lock->word, &expected, 1,
						       memory_order_acquire, memory_order_relaxed);
}

bool lock_try(struct lock *lock)
{
	if (!grab(lock))
		return false;
	set_holder(lock, (uintptr_t)&lock_self);
	return true;
}

static cold void lock_wait(struct lock *lock)
{
	int saved = errno;

	for (int i = 0; i < LOCK_SPINS; i++) {
		if (grab(lock))
			return;
		cpu_relax();
	}
	while (atomic_exchange_explicit(&lock->word, 2, memory_order_acquire) != 0)
		futex(lock, FUTEX_WAIT, 2);
	errno = saved;
}

void lock_take(struct lock *lock)
{
	if (unlikely(!grab(lock)))
		lock_wait(lock);
	set_holder(lock, (uintptr_t)&lock_self);
}

void lock_drop(struct lock *lock)
{
	set_holder(lock, 0);
	if (unlikely(atomic_exchange_explicit(&lock->word, 0, memory_order_release) == 2)) {
		int saved = errno;

		futex(lock, FUTEX_WAKE, 1);
		errno = saved;
	}
}

bool lock_mine(struct lock *lock)
{
	return atomic_load_explicit(&lock->holder, memory_order_relaxed) ==
	       (uintptr_t)&lock_self;
}

/* With no holder written down it is being taken or dropped: nothing is torn. */
bool lock_orphaned(struct lock *lock)
{
	if (atomic_load_explicit(&lock->word, memory_order_relaxed) == 0 || lock_mine(lock))
		return false;
	set_holder(lock, 0);
	atomic_store_explicit(&lock->word, 0, memory_order_relaxed);
	return true;
}
