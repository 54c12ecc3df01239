/*
 * options: a row per variable, and loops over the rows.
 *
 * Owns:    the table, constant.
 * Calls:   out, value.
 * Threads: any; see options.h.
 * Never:   allocates, reads anything but its arguments, depends on the locale.
 */
#include "shim/options.h"

#include "shim/out.h"
#include "shim/value.h"

#include <errno.h>
#include <string.h>

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#define TIB ((uint64_t)1 << 40)

enum {
	SHOWN = 40, /* bytes of a foreign name or value that are repeated */
	COMM = 15,  /* bytes of a program's name that the kernel keeps */
};

enum { BOOT, LIVE };
#define FIELD(f) offsetof(struct options, f), sizeof(((struct options *)0)->f)

/* clang-format off */
static const struct options_row rows[] = {
	{"WEIR_POOLS", OPTIONS_BOOL, "on", 0, 0, BOOT, FIELD(pools), NULL,
	 "weir's own pools; off: mimalloc serves everything"},
	{"WEIR_POOL_RESERVE", OPTIONS_BYTES, "256KiB", 0, 64 * MIB, LIVE, FIELD(pool_reserve_bytes), NULL,
	 "empty spans a thread keeps for itself"},
	{"WEIR_POOL_MAX", OPTIONS_SHARE, "64MiB", 0, TIB, LIVE, FIELD(pool_max_bytes), NULL,
	 "total over all threads of what their caches and reserves may hold"},
	{"WEIR_POOL_INITIAL", OPTIONS_PAIR_LIST, "", 0, MIB, BOOT, FIELD(pool_initial), NULL,
	 "blocks made ready at start: COUNT of each small class, or SIZE:COUNT,SIZE:COUNT"},
	{"WEIR_LARGE_CACHE", OPTIONS_SHARE, "1%", 0, TIB, LIVE, FIELD(large_cache_bytes), NULL,
	 "freed mappings above 64 MiB kept for reuse (decays)"},
	{"WEIR_DECAY_MS", OPTIONS_MS, "1s", 0, 3600 * 1000, LIVE, FIELD(decay_ms), NULL,
	 "how long freed memory stays before it is given back; off: for ever"},
	{"WEIR_ARENA_MAX", OPTIONS_SHARE, "256GiB", 0, 4 * TIB, BOOT, FIELD(arena_max_bytes), NULL,
	 "address space reserved for the arenas; 0: none"},
	{"WEIR_THP", OPTIONS_CHOICE, "auto", 0, 0, LIVE, FIELD(thp), "auto|always|never",
	 "huge pages: for dense arenas, for all, for none"},
	{"WEIR_DEEPBIND", OPTIONS_CHOICE, "mask", 0, 0, BOOT, FIELD(deepbind), "mask|keep",
	 "what a dlopen with RTLD_DEEPBIND becomes"},
	{"WEIR_ONLY", OPTIONS_LIST, "", 0, 0, BOOT, FIELD(only), NULL,
	 "serve only these programs, by name"},
	{"WEIR_EXCEPT", OPTIONS_LIST, "", 0, 0, BOOT, FIELD(except), NULL,
	 "leave these programs alone, by name"},
	{"WEIR_STRICT", OPTIONS_BOOL, "off", 0, 0, BOOT, FIELD(strict), NULL,
	 "exit with 2 if any option is bad"},
	{"WEIR_VERBOSE", OPTIONS_BOOL, "off", 0, 0, BOOT, FIELD(verbose), NULL,
	 "print the options in force at start"},
};
/* clang-format on */

enum { ROWS = sizeof rows / sizeof rows[0] };
_Static_assert(ROWS <= 64, "options_read keeps a bit per row");

/* NULL, or what is wrong with the text; then o is as it was. */
static const char *set_field(
	struct options *o, const struct options_row *row, const char *text, uint64_t ram)
{
	union value v;
	const char *wrong;

	memset(&v, 0, sizeof v);
	wrong = value_kinds[row->kind].parse(row, slice_of(text), ram, &v);
	if (!wrong)
		memcpy((char *)o + row->offset, &v, row->bytes);
	return wrong;
}

static void print_field(const struct options *o, const struct options_row *row, struct out *out)
{
	union value v;

	memcpy(&v, (const char *)o + row->offset, row->bytes);
	value_kinds[row->kind].print(row, &v, out);
}

static const char *initial_text(const struct options_row *row)
{
	return *row->initial ? row->initial : "none";
}

/* A name without its WEIR_. */
static struct slice bare(struct slice name)
{
	return slice_starts(name, slice_of("WEIR_")) ? slice_from(name, 5) : name;
}

static const struct options_row *find(struct slice name)
{
	for (const struct options_row *row = rows; row < rows + ROWS; row++)
		if (slice_same(bare(name), bare(slice_of(row->name))))
			return row;
	return NULL;
}

/* Whether at most so many edits (a letter more, less, other, or two swapped) make s into t. */
static bool near(struct slice s, struct slice t, unsigned edits)
{
	for (; s.n && t.n && slice_lower(*s.at) == slice_lower(*t.at);
		s = slice_from(s, 1), t = slice_from(t, 1))
		;
	if (s.n + t.n == 0 || edits == 0)
		return s.n + t.n == 0;
	return (s.n && near(slice_from(s, 1), t, edits - 1)) ||
	       (t.n && near(s, slice_from(t, 1), edits - 1)) ||
	       (s.n && t.n && near(slice_from(s, 1), slice_from(t, 1), edits - 1)) ||
	       (s.n > 1 && t.n > 1 && slice_lower(s.at[0]) == slice_lower(t.at[1]) &&
		       slice_lower(s.at[1]) == slice_lower(t.at[0]) &&
		       near(slice_from(s, 2), slice_from(t, 2), edits - 1));
}

/* Whether s is t and more words: DECAY_MS and DECAY. */
static bool extends(struct slice s, struct slice t)
{
	return t.n && s.n > t.n && s.at[t.n] == '_' && slice_starts(s, t);
}

/* The row that was meant, or NULL. Long names may differ more before the guess is a bad one. */
static const struct options_row *nearest(struct slice name)
{
	for (unsigned edits = 0; edits <= 3; edits++)
		for (size_t i = 0; i < ROWS; i++) {
			struct slice other = bare(slice_of(rows[i].name));

			if (edits <= 1 + other.n / 5 && near(bare(name), other, edits))
				return &rows[i];
		}
	for (size_t i = 0; i < ROWS; i++) {
		struct slice other = bare(slice_of(rows[i].name));

		if (extends(bare(name), other) || extends(other, bare(name)))
			return &rows[i];
	}
	return NULL;
}

static void complain_unknown(struct slice name, struct out *out)
{
	const struct options_row *row = nearest(name);

	out_str(out, "weir: ");
	out_clean(out, name.at, name.n, SHOWN);
	out_fmt(out, ": unknown option%s%s%s\n", row ? "; did you mean " : "", row ? row->name : "",
		row ? "?" : "");
}

static void print_limits(const struct options_row *row, struct out *out)
{
	value_kinds[row->kind].limit(out, row->min);
	out_str(out, " to ");
	value_kinds[row->kind].limit(out, row->max);
}

/* The line about a bad value, up to what is used instead. */
static void complain(
	const struct options_row *row, const char *value, const char *wrong, struct out *out)
{
	const struct value_kind *kind = &value_kinds[row->kind];

	out_fmt(out, "weir: %s=", row->name);
	out_clean(out, value, strlen(value), SHOWN);
	out_fmt(out, ": %s", wrong);
	if (wrong == value_out_of_range) {
		out_char(out, ' ');
		print_limits(row, out);
	}
	out_fmt(out, "; use %s; ", kind->use ? kind->use : row->choices);
}

/* ---- the door ---- */

const struct options_row *options_table(size_t *n)
{
	*n = ROWS;
	return rows;
}

void options_default(struct options *o, uint64_t ram_bytes)
{
	memset(o, 0, sizeof *o);
	o->ram_bytes = ram_bytes;
	for (const struct options_row *row = rows; row < rows + ROWS; row++)
		set_field(o, row, row->initial, ram_bytes);
}

unsigned options_read(struct options *o, char *const *envp, uint64_t ram_bytes, struct out *warn)
{
	uint64_t seen = 0;
	unsigned bad = 0;

	options_default(o, ram_bytes);
	for (; envp && *envp; envp++) {
		const char *value = strchr(*envp, '=');
		const struct options_row *row;
		const char *wrong;
		struct slice name;

		if (!value || strncmp(*envp, "WEIR_", 5) != 0)
			continue;
		name = (struct slice){*envp, (size_t)(value++ - *envp)};
		row = find(name);
		if (!row || memcmp(name.at, row->name, name.n) != 0) {
			complain_unknown(name, warn);
			bad++;
			continue;
		}
		if (seen >> (row - rows) & 1)
			continue;
		seen |= (uint64_t)1 << (row - rows);
		wrong = set_field(o, row, value, ram_bytes);
		if (wrong) {
			complain(row, value, wrong, warn);
			out_fmt(warn, "using %s\n", initial_text(row));
			bad++;
		}
	}
	return bad;
}

int options_set(
	struct options *o, const char *name, const char *value, uint64_t ram_bytes, struct out *err)
{
	const struct options_row *row = find(slice_of(name));
	const char *wrong;

	if (!row) {
		complain_unknown(slice_of(name), err);
		return ENOENT;
	}
	if (!row->live) {
		out_fmt(err, "weir: %s: only read at start\n", row->name);
		return EPERM;
	}
	wrong = set_field(o, row, value, ram_bytes);
	if (!wrong)
		return 0;
	complain(row, value, wrong, err);
	out_str(err, "keeping ");
	print_field(o, row, err);
	out_char(err, '\n');
	return EINVAL;
}

int options_get(const struct options *o, const char *name, struct out *out)
{
	const struct options_row *row = find(slice_of(name));

	if (row)
		print_field(o, row, out);
	return row ? 0 : ENOENT;
}

/* Behind a value: its size for people, if that is not what was printed, and another default. */
static void print_remark(const struct options *o, const struct options *initial,
	const struct options_row *row, struct out *out)
{
	const char *a = (const char *)o + row->offset, *b = (const char *)initial + row->offset;
	const char *mark = "  # ";
	uint64_t v, unit = 1;

	if (value_kinds[row->kind].limit == out_exact) {
		memcpy(&v, a, sizeof v);
		while (v && v % (unit * 1024) == 0)
			unit *= 1024;
		if (v / unit >= 1024) {
			out_str(out, mark);
			out_size(out, v);
			mark = ", ";
		}
	}
	if (memcmp(a, b, row->bytes) != 0)
		out_fmt(out, "%sdefault %s", mark, initial_text(row));
}

void options_print(const struct options *o, struct out *out)
{
	struct options initial;

	options_default(&initial, o->ram_bytes);
	for (const struct options_row *row = rows; row < rows + ROWS; row++) {
		out_fmt(out, "%s=", row->name);
		print_field(o, row, out);
		print_remark(o, &initial, row, out);
		out_char(out, '\n');
	}
}

void options_help(struct out *out)
{
	static const char line[] = "%-20s  %-17s  %-8s  %-14s  %-4s  %s\n";

	out_fmt(out, line, "NAME", "FORM", "DEFAULT", "RANGE", "LIVE", "MEANING");
	for (const struct options_row *row = rows; row < rows + ROWS; row++) {
		const struct value_kind *kind = &value_kinds[row->kind];
		char range[32] = "-";
		struct out cell;

		if (kind->limit) {
			out_init_mem(&cell, range, sizeof range);
			print_limits(row, &cell);
		}
		out_fmt(out, line, row->name, kind->form ? kind->form : row->choices,
			initial_text(row), range, row->live ? "yes" : "no", row->help);
	}
}

/* Case counts; a name of COMM bytes may be the beginning of the other. */
static bool same_program(struct slice a, struct slice b)
{
	size_t n = a.n < b.n ? a.n : b.n;

	return (a.n == b.n || n == COMM) && memcmp(a.at, b.at, n) == 0;
}

static bool lists(const struct options_list *list, struct slice program)
{
	struct slice rest = slice_of(list->text), name;

	while (slice_cut(&rest, ',', &name))
		if (name.n && same_program(name, program))
			return true;
	return false;
}

bool options_applies(const struct options *o, const char *program)
{
	const char *slash = program ? strrchr(program, '/') : NULL;
	struct slice name = slice_of(slash ? slash + 1 : program ? program : "");

	return (!o->only.text[0] || lists(&o->only, name)) && !lists(&o->except, name);
}
