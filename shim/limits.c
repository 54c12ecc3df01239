/*
 * limits: setrlimit and prlimit, seen before the kernel does.
 * Owns: nothing. Calls: pools. Threads: any. Never: touches another process.
 *
 * The arena's reservation counts as address space. A program that limits its
 * own (RLIMIT_AS) means its memory, so the reservation is cut to fit first; and
 * a limit that was reckoned from the process's present size, reservation and
 * all, is lowered by what was cut.
 */
#include "pools/pools.h"
#include "shim/boot.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define exported __attribute__((visibility("default")))

static int set(pid_t pid, int resource, const struct rlimit *next, struct rlimit *old)
{
	struct rlimit lowered;

	if (resource == RLIMIT_AS && next && next->rlim_cur != RLIM_INFINITY &&
	    (pid == 0 || pid == getpid()) && boot_process_is_ours() && boot_mode() != BOOT_PASS) {
		lowered = *next;
		lowered.rlim_cur = pools_limit((size_t)next->rlim_cur);
		next = &lowered;
	}
	return (int)syscall(SYS_prlimit64, pid, resource, next, old);
}

int weir_setrlimit(int resource, const struct rlimit *next);
int weir_prlimit(pid_t pid, int resource, const struct rlimit *next, struct rlimit *old);

int weir_setrlimit(int resource, const struct rlimit *next)
{
	return set(0, resource, next, NULL);
}

int weir_prlimit(pid_t pid, int resource, const struct rlimit *next, struct rlimit *old)
{
	return set(pid, resource, next, old);
}

/* libc's headers give these names types of their own; with 64 bits all are alike. */
_Static_assert(sizeof(struct rlimit) == 16, "rlim_t has 64 bits");
exported __typeof__(weir_setrlimit) weir_export_setrlimit __asm__("setrlimit")
	__attribute__((alias("weir_setrlimit")));
exported __typeof__(weir_setrlimit) weir_export_setrlimit64 __asm__("setrlimit64")
	__attribute__((alias("weir_setrlimit")));
exported __typeof__(weir_prlimit) weir_export_prlimit __asm__("prlimit")
	__attribute__((alias("weir_prlimit")));
exported __typeof__(weir_prlimit) weir_export_prlimit64 __asm__("prlimit64")
	__attribute__((alias("weir_prlimit")));
