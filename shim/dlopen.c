/*
 * dlopen: RTLD_DEEPBIND, masked.
 * Owns: nothing. Calls: boot, libc's dlopen. Threads: any. Never: returns to
 * itself: libc reads the caller from the return address, so it is a tail jump.
 *
 * A library opened with RTLD_DEEPBIND binds to glibc's malloc and then frees
 * blocks of ours by it, which aborts. Without the flag it binds to ours.
 */
#include "shim/boot.h"

#include <dlfcn.h>

__attribute__((visibility("default"))) void *dlopen(const char *file, int flags)
{
	flags &= ~boot_dlopen_mask();
	return boot_libc()->dlopen(file, flags);
}
