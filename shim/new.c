/*
 * new: the plain C++ operators, so that `new` is one jump away from malloc.
 * Owns: nothing. Calls: fast.h (inlined, as in malloc), malloc; libstdc++ if the
 * program has it. Threads: any.
 * Never: holds anything while a new-handler runs.
 *
 * The other forms (nothrow, aligned) stay with libstdc++, which calls these or
 * malloc's family. A program may replace operator new and delete and expects
 * the array and sized forms to come to its own: so those go by the dynamic
 * symbol, not straight to malloc.
 */
#include "pools/fast.h"
#include "shim/malloc.h"

#include <dlfcn.h>
#include <stdlib.h>

#define exported __attribute__((visibility("default")))

typedef void (*new_handler)(void);
/* std::get_new_handler() and std::__throw_bad_alloc(); absent in C programs. */
extern new_handler _ZSt15get_new_handlerv(void) __attribute__((weak));
extern void _ZSt17__throw_bad_allocv(void) __attribute__((weak, noreturn));

/* new, new[], delete, delete[], sized delete, sized delete[]. */
exported void *_Znwm(size_t bytes);
exported void *_Znam(size_t bytes);
exported void _ZdlPv(void *p);
exported void _ZdaPv(void *p);
exported void _ZdlPvm(void *p, size_t bytes);
exported void _ZdaPvm(void *p, size_t bytes);

/* A C program may have loaded libstdc++ later than us, and not for all to see. */
static void *late_symbol(const char *name)
{
	void *library = dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_NOLOAD);

	return library ? dlsym(library, name) : NULL;
}

/* Asks the handler for memory until it has none to offer. */
static cold void *new_again(size_t bytes)
{
	for (;;) {
		new_handler (*get)(void) = _ZSt15get_new_handlerv;
		void (*throw_bad_alloc)(void) = _ZSt17__throw_bad_allocv;
		new_handler handler;
		void *block;

		if (!get)
			get = (new_handler(*)(void))late_symbol("_ZSt15get_new_handlerv");
		if (!throw_bad_alloc)
			throw_bad_alloc = (void (*)(void))late_symbol("_ZSt17__throw_bad_allocv");
		handler = get ? get() : NULL;
		if (handler)
			handler();
		else if (throw_bad_alloc)
			throw_bad_alloc();
		else
			abort();
		block = malloc(bytes);
		if (block)
			return block;
	}
}

void *_Znwm(size_t bytes)
{
	void *block = likely(bytes <= SMALL_MAX) ? fast_take_small(bytes) : NULL;

	if (likely(block))
		return block;
	block = malloc(bytes);
	return likely(block) ? block : new_again(bytes);
}

void *_Znam(size_t bytes)
{
	return _Znwm(bytes);
}

void _ZdlPv(void *p)
{
	free(p);
}

void _ZdaPv(void *p)
{
	_ZdlPv(p);
}

void _ZdlPvm(void *p, size_t bytes)
{
	(void)bytes;
	_ZdlPv(p);
}

void _ZdaPvm(void *p, size_t bytes)
{
	(void)bytes;
	_ZdaPv(p);
}
