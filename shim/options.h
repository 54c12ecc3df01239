/*
 * options: every WEIR_* variable, in one table.
 *
 * Owns:    nothing that changes; struct options is the caller's.
 * Calls:   out, value.
 * Threads: any; a struct options is written by one thread at a time. To change one that others
 *          read, options_set a copy and hand the copy down.
 * Never:   allocates, reads the environment by itself, the clock, a file or the locale; ends the
 *          process.
 */
#ifndef SHIM_OPTIONS_H
#define SHIM_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/value.h"

struct out;

/* In the order of the choices in the table. */
enum options_thp { OPTIONS_THP_AUTO, OPTIONS_THP_ALWAYS, OPTIONS_THP_NEVER };
enum options_deepbind { OPTIONS_DEEPBIND_MASK, OPTIONS_DEEPBIND_KEEP };

struct options {
	uint64_t ram_bytes; /* what shares are shares of */

	bool pools;
	uint64_t pool_reserve_bytes;
	uint64_t pool_max_bytes;
	struct options_pairs pool_initial;

	uint64_t large_cache_bytes;
	uint64_t decay_ms; /* or OPTIONS_NEVER */
	uint64_t arena_max_bytes;
	unsigned thp; /* enum options_thp */

	unsigned deepbind; /* enum options_deepbind */
	struct options_list only;
	struct options_list except;

	bool strict;
	bool verbose;
};

/* The table, for tests and tools. */
const struct options_row *options_table(size_t *rows);

/* Sets every option to its default; ram_bytes 0 means unknown: shares become the minimum. */
void options_default(struct options *, uint64_t ram_bytes);

/*
 * The defaults, then what envp says (NULL, for setuid programs: nothing). Of a name given twice
 * the first counts, as with getenv. One line on warn for every bad value, whose default then
 * stands, and for every unknown WEIR_ name; returns how many. The caller flushes warn, and exits
 * with 2 if o->strict and any were bad.
 */
unsigned options_read(struct options *o, char *const *envp, uint64_t ram_bytes, struct out *warn);

/*
 * Sets one option at run time; name in any case, with or without WEIR_. 0, or an errno value with
 * o unchanged and one line on err: ENOENT no such name, EPERM not live, EINVAL bad value.
 */
int options_set(struct options *o, const char *name, const char *value, uint64_t ram_bytes,
	struct out *err);

/* Prints one value, in a form that options_set takes back. ENOENT if there is no such name, or 0.
 */
int options_get(const struct options *o, const char *name, struct out *out);

/* A line NAME=VALUE for each option; a comment behind it if it is not the default. */
void options_print(const struct options *o, struct out *out);

/*
 * The table as text, a line per option under a headline: name, form, default, range, live, help.
 * Columns are two blanks or more apart, cells are never empty and contain no two blanks.
 */
void options_help(struct out *out);

/*
 * Whether WEIR_ONLY and WEIR_EXCEPT let weir serve this program, a path or a plain name. Names
 * are compared with its last component; against a name cut to 15 bytes, as the kernel's comm is,
 * only 15 bytes count. NULL or "" is a program of no name.
 */
bool options_applies(const struct options *o, const char *program);

#endif
