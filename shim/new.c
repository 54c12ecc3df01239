/*
 * new: the C++ operators, so that all of a program's memory is of one
 * allocator and a `new` is one jump away from malloc.
 * Owns: nothing. Calls: malloc; libstdc++ if the program has it. Threads: any.
 * Never: holds anything while a new-handler runs.
 */
#include "pools/base.h"
#include "shim/malloc.h"

#include <stdlib.h>

#define exported __attribute__((visibility("default")))

typedef void (*new_handler)(void);
/* std::get_new_handler() and std::__throw_bad_alloc(); absent in C programs. */
extern new_handler _ZSt15get_new_handlerv(void) __attribute__((weak));
extern void _ZSt17__throw_bad_allocv(void) __attribute__((weak, noreturn));

/* Asks the handler for memory until it has none to offer. */
static cold void *new_again(size_t bytes, size_t align, bool nothrow)
{
	for (;;) {
		new_handler handler = _ZSt15get_new_handlerv ? _ZSt15get_new_handlerv() : NULL;
		void *block;

		if (!handler) {
			if (nothrow)
				return NULL;
			if (_ZSt17__throw_bad_allocv)
				_ZSt17__throw_bad_allocv();
			abort();
		}
		handler();
		block = malloc_aligned(align, bytes);
		if (block)
			return block;
	}
}

static always_inline void *new_bytes(size_t bytes, bool nothrow)
{
	void *block = malloc(bytes);

	return likely(block) ? block : new_again(bytes, BLOCK_ALIGN, nothrow);
}

static always_inline void *new_aligned(size_t bytes, size_t align, bool nothrow)
{
	void *block = malloc_aligned(align, bytes);

	return likely(block) ? block : new_again(bytes, align, nothrow);
}

/* clang-format off */
/* Itanium C++ ABI names: nw/na new, dl/da delete; m size_t, t unaligned nothrow. */
#define NEW(name) \
	exported void *name(size_t bytes); \
	exported void *name(size_t bytes) { return new_bytes(bytes, false); }
#define NEW_NOTHROW(name) \
	exported void *name(size_t bytes, const void *nothrow); \
	exported void *name(size_t bytes, const void *nothrow) \
	{ (void)nothrow; return new_bytes(bytes, true); }
#define NEW_ALIGNED(name) \
	exported void *name(size_t bytes, size_t align); \
	exported void *name(size_t bytes, size_t align) \
	{ return new_aligned(bytes, align, false); }
#define NEW_ALIGNED_NOTHROW(name) \
	exported void *name(size_t bytes, size_t align, const void *nothrow); \
	exported void *name(size_t bytes, size_t align, const void *nothrow) \
	{ (void)nothrow; return new_aligned(bytes, align, true); }
/* All deletes are free; what the further arguments say is known already. */
#define DELETE(name) \
	exported void name(void *p) __attribute__((alias("delete_any")))

static void delete_any(void *p);

NEW(_Znwm)
NEW(_Znam)
NEW_NOTHROW(_ZnwmRKSt9nothrow_t)
NEW_NOTHROW(_ZnamRKSt9nothrow_t)
NEW_ALIGNED(_ZnwmSt11align_val_t)
NEW_ALIGNED(_ZnamSt11align_val_t)
NEW_ALIGNED_NOTHROW(_ZnwmSt11align_val_tRKSt9nothrow_t)
NEW_ALIGNED_NOTHROW(_ZnamSt11align_val_tRKSt9nothrow_t)

static void delete_any(void *p)
{
	free(p);
}

DELETE(_ZdlPv);
DELETE(_ZdaPv);
DELETE(_ZdlPvm);
DELETE(_ZdaPvm);
DELETE(_ZdlPvRKSt9nothrow_t);
DELETE(_ZdaPvRKSt9nothrow_t);
DELETE(_ZdlPvSt11align_val_t);
DELETE(_ZdaPvSt11align_val_t);
DELETE(_ZdlPvmSt11align_val_t);
DELETE(_ZdaPvmSt11align_val_t);
DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t);
DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t);
/* clang-format on */
