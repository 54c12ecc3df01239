/*
 * os: what weir asks of the kernel, and the locks that wait in it.
 */
#ifndef WEIR_OS_H
#define WEIR_OS_H

#include "pools/base.h"

/* Bytes of a page, read from the auxiliary vector by os_start(); a power of 2. */
extern size_t os_page_bytes;

/* Once, before anything else of pools/. Allocates nothing. */
void os_start(void);

/* Address space without memory, aligned; NULL when there is none. */
void *os_reserve(size_t bytes, size_t align);
/* Makes a reserved range readable and writable, zeroed; false when refused. */
bool os_open(void *start, size_t bytes);
/* Zeroed memory, aligned (a power of two); NULL when there is none. */
void *os_map(size_t bytes, size_t align);
void os_unmap(void *start, size_t bytes);
/* Resizes a mapping by moving its pages; NULL leaves it as it was. */
void *os_remap(void *start, size_t old_bytes, size_t new_bytes);
/*
 * Moves the pages of a range to a mapping of their own, of new_bytes >= bytes;
 * the range stays mapped, and reads as zero. NULL: nothing changed.
 */
void *os_move_out(void *start, size_t bytes, size_t new_bytes);
/* Gives whole pages back; true if they now read as zero. */
bool os_purge(void *start, size_t bytes);
/* Asks for huge pages (or none) in a range; a refusal is no error. */
void os_huge(void *start, size_t bytes, bool want);
/* Pages of the range read as zero in a fork child; false if unsupported. */
bool os_wipe_on_fork(void *start, size_t bytes);
/* RLIMIT_AS, or SIZE_MAX. */
size_t os_address_limit(void);
/* Physical memory, 0 if unknown. */
size_t os_ram_bytes(void);
/* Milliseconds of a clock that never goes back. */
uint64_t os_now_ms(void);

/* Lets other threads run for some 50 microseconds; keeps errno. */
void os_pause(void);

/* Last words: one line to stderr by write(2), then abort. */
_Noreturn void os_die(const char *message);

/*
 * A lock that spins shortly, then sleeps in the kernel: a waiter of real-time
 * priority must let the holder run. 0 free, 1 held, 2 held and waited for.
 * The holder is written down so that a fork child can tell whether it is the
 * one who holds it (fork in a signal handler that interrupted it) or whether
 * that thread is gone.
 */
struct lock {
	_Atomic int word;
	_Atomic uintptr_t holder;
};

bool lock_try(struct lock *lock);
void lock_take(struct lock *lock);
void lock_drop(struct lock *lock);
/* In a fork child: true, and free now, if a thread held it that is gone. */
bool lock_orphaned(struct lock *lock);
bool lock_mine(struct lock *lock);

#endif
