/*
 * options: a parser and a printer per kind of value, a row per variable, loops over the rows.
 *
 * Owns:    the table, constant.
 * Calls:   out.
 * Threads: any; see options.h.
 * Never:   allocates, reads anything but its arguments, depends on the locale.
 */
#include "shim/options.h"

#include "shim/out.h"

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

/* ---- text ---- */

/* A part of a string; at is NULL when there is no more. */
struct slice {
	const char *at;
	size_t n;
};

static struct slice slice_of(const char *text)
{
	return (struct slice){text, strlen(text)};
}

static struct slice slice_from(struct slice s, size_t n)
{
	return (struct slice){s.at + n, s.n - n};
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool slice_starts(struct slice s, struct slice prefix)
{
	size_t i = 0;

	while (i < s.n && i < prefix.n && lower(s.at[i]) == lower(prefix.at[i]))
		i++;
	return i == prefix.n;
}

static bool slice_same(struct slice s, struct slice t)
{
	return s.n == t.n && slice_starts(s, t);
}

/* Takes what stands before the separator, without blanks around it. */
static bool slice_cut(struct slice *rest, char separator, struct slice *part)
{
	const char *end;

	if (!rest->at)
		return false;
	end = memchr(rest->at, separator, rest->n);
	*part = (struct slice){rest->at, end ? (size_t)(end - rest->at) : rest->n};
	*rest = end ? slice_from(*rest, part->n + 1) : (struct slice){NULL, 0};
	while (part->n && part->at[0] == ' ')
		*part = slice_from(*part, 1);
	while (part->n && part->at[part->n - 1] == ' ')
		part->n--;
	return true;
}

struct unit {
	char text[4];
	uint64_t factor;
};

#define POWER(letter, factor)                                                                      \
	{letter, factor}, {letter "i", factor}, {letter "b", factor},                              \
	{                                                                                          \
		letter "ib", factor                                                                \
	}
static const struct unit byte_units[] = {
	{"", 1},
	{"b", 1},
	POWER("k", KIB),
	POWER("m", MIB),
	POWER("g", GIB),
	POWER("t", TIB),
	{"", 0},
};
static const struct unit ms_units[] = {
	{"", 1},
	{"ms", 1},
	{"s", 1000},
	{"m", 60 * 1000},
	{"min", 60 * 1000},
	{"h", 3600 * 1000},
	{"", 0},
};
static const struct unit no_units[] = {{"", 1}, {"", 0}};

/* Digits and a unit, nothing else. Too big a number becomes UINT64_MAX, above every row's max. */
static bool amount(struct slice s, const struct unit *unit, uint64_t *value)
{
	uint64_t v = 0;
	size_t i = 0;

	for (; i < s.n && s.at[i] >= '0' && s.at[i] <= '9'; i++)
		if (__builtin_mul_overflow(v, 10, &v) ||
			__builtin_add_overflow(v, s.at[i] - '0', &v))
			v = UINT64_MAX; /* and stays there */
	if (i == 0)
		return false;
	for (; unit->factor; unit++)
		if (slice_same(slice_from(s, i), slice_of(unit->text))) {
			if (__builtin_mul_overflow(v, unit->factor, value))
				*value = UINT64_MAX;
			return true;
		}
	return false;
}

/* ---- values: text -> value, value -> text ---- */

/* A field's value on its way into struct options; zeroed first, so that values compare as bytes. */
union value {
	bool on;
	uint64_t number;
	unsigned choice;
	struct options_list list;
	struct options_pairs pairs;
};

static const char out_of_range[] = "out of range"; /* complain adds which */

static const char *in_range(const struct options_row *row, uint64_t v)
{
	return v >= row->min && v <= row->max ? NULL : out_of_range;
}

static const char *parse_bytes(
	const struct options_row *row, struct slice s, uint64_t ram, union value *v)
{
	(void)ram;
	return amount(s, byte_units, &v->number) ? in_range(row, v->number) : "not a size";
}

/* 50%, 90%-64MiB. What the machine makes of it is not the user's mistake: it is cut to the range.
 */
static const char *parse_share(
	const struct options_row *row, struct slice s, uint64_t ram, union value *v)
{
	const char *sign = memchr(s.at, '%', s.n);
	struct slice rest;
	uint64_t percent, more = 0, share;

	if (!sign)
		return parse_bytes(row, s, ram, v);
	rest = slice_from(s, (size_t)(sign + 1 - s.at));
	if (!amount((struct slice){s.at, (size_t)(sign - s.at)}, no_units, &percent))
		return "not a size";
	if (rest.n &&
		(!strchr("+-", rest.at[0]) || !amount(slice_from(rest, 1), byte_units, &more)))
		return "not a size";
	if (percent > 100)
		return "more than 100%";
	if (more > row->max)
		return out_of_range;
	share = ram / 100 * percent + ram % 100 * percent / 100;
	if (rest.n && rest.at[0] == '-')
		share = share > more ? share - more : 0;
	else if (__builtin_add_overflow(share, more, &share))
		share = row->max;
	v->number = share < row->min ? row->min : share > row->max ? row->max : share;
	return NULL;
}

static const char *parse_ms(
	const struct options_row *row, struct slice s, uint64_t ram, union value *v)
{
	(void)ram;
	v->number = OPTIONS_NEVER;
	if (slice_same(s, slice_of("off")))
		return NULL;
	return amount(s, ms_units, &v->number) ? in_range(row, v->number) : "not a time";
}

/* The place of s among the choices, or -1. */
static int choose(struct slice s, const char *choices)
{
	struct slice rest = slice_of(choices), choice;

	for (int i = 0; slice_cut(&rest, '|', &choice); i++)
		if (slice_same(s, choice))
			return i;
	return -1;
}

static const char *parse_choice(
	const struct options_row *row, struct slice s, uint64_t ram, union value *v)
{
	int i = choose(s, row->choices);

	(void)ram;
	v->choice = (unsigned)i;
	return i >= 0 ? NULL : "not one of the choices";
}

static const char *parse_bool(
	const struct options_row *row, struct slice s, uint64_t ram, union value *v)
{
	int i = choose(s, "0|1|off|on|no|yes|false|true");

	(void)row, (void)ram;
	v->on = i & 1;
	return i >= 0 ? NULL : "neither on nor off";
}

static const char *parse_list(
	const struct options_row *row, struct slice s, uint64_t ram, union value *v)
{
	struct slice rest = s, name;
	bool any = s.n == 0;

	(void)row, (void)ram;
	if (s.n >= sizeof v->list.text)
		return "longer than 255 bytes";
	while (slice_cut(&rest, ',', &name))
		any |= name.n > 0;
	if (!any || memchr(s.at, '/', s.n))
		return "not a list of plain names";
	memcpy(v->list.text, s.at, s.n);
	return NULL;
}

static const char *parse_pairs(
	const struct options_row *row, struct slice s, uint64_t ram, union value *v)
{
	struct options_pairs *p = &v->pairs;
	struct slice rest = s, pair, first;

	(void)ram;
	for (p->n = 0; s.n && slice_cut(&rest, ',', &pair); p->n++) {
		if (p->n == OPTIONS_PAIRS)
			return "more than 32 pairs";
		slice_cut(&pair, ':', &first);
		p->size[p->n] = 0;
		if (pair.at) {
			if (!amount(first, byte_units, &p->size[p->n]))
				return "not a count";
			if (p->size[p->n] - 1 >= OPTIONS_PAIR_SIZE_MAX)
				return "a block size out of range 1 to 1MiB";
			first = pair;
		}
		if (!amount(first, no_units, &p->count[p->n]))
			return "not a count";
		if (in_range(row, p->count[p->n]))
			return out_of_range;
	}
	return NULL;
}

static void print_bool(const struct options_row *row, const union value *v, struct out *out)
{
	(void)row;
	out_str(out, v->on ? "on" : "off");
}

static void print_bytes(const struct options_row *row, const union value *v, struct out *out)
{
	(void)row;
	out_exact(out, v->number);
}

static void out_ms(struct out *out, uint64_t ms)
{
	static const struct unit units[] = {
		{"h", 3600 * 1000}, {"m", 60 * 1000}, {"s", 1000}, {"ms", 1}};
	const struct unit *unit = units;

	while (ms % unit->factor)
		unit++;
	if (ms == 0 || ms == OPTIONS_NEVER)
		out_str(out, ms ? "off" : "0");
	else
		out_fmt(out, "%llu%s", (unsigned long long)(ms / unit->factor), unit->text);
}

static void print_ms(const struct options_row *row, const union value *v, struct out *out)
{
	(void)row;
	out_ms(out, v->number);
}

static void print_choice(const struct options_row *row, const union value *v, struct out *out)
{
	struct slice rest = slice_of(row->choices), choice;

	for (unsigned i = 0; slice_cut(&rest, '|', &choice); i++)
		if (i == v->choice)
			out_bytes(out, choice.at, choice.n);
}

static void print_list(const struct options_row *row, const union value *v, struct out *out)
{
	(void)row;
	out_clean(out, v->list.text, strlen(v->list.text), SIZE_MAX);
}

static void print_pairs(const struct options_row *row, const union value *v, struct out *out)
{
	(void)row;
	for (uint64_t i = 0; i < v->pairs.n; i++) {
		out_str(out, i ? "," : "");
		if (v->pairs.size[i])
			out_exact(out, v->pairs.size[i]);
		out_str(out, v->pairs.size[i] ? ":" : "");
		out_u64(out, v->pairs.count[i]);
	}
}

/* clang-format off */
static const struct kind {
	/* NULL, or what is wrong with the text: one of a few constant strings. */
	const char *(*parse)(const struct options_row *, struct slice, uint64_t ram, union value *);
	void (*print)(const struct options_row *, const union value *, struct out *);
	void (*limit)(struct out *, uint64_t); /* prints a row's min and max; NULL: has none */
	const char *form; /* for the help; NULL: the choices */
	const char *use;  /* for a complaint; NULL: the choices */
} kinds[OPTIONS_KINDS] = {
	[OPTIONS_BOOL] = {parse_bool, print_bool, NULL, "on or off", "on or off (1/0, true/false, yes/no)"},
	[OPTIONS_BYTES] = {parse_bytes, print_bytes, out_exact, "bytes", "bytes like 4096, 64KiB or 1m"},
	[OPTIONS_SHARE] = {parse_share, print_bytes, out_exact, "bytes or share",
	                   "bytes like 512MiB or 1g, or a share like 50%"},
	[OPTIONS_MS] = {parse_ms, print_ms, out_ms, "time", "a time like 250ms, 2s or 1m, or off"},
	[OPTIONS_CHOICE] = {parse_choice, print_choice, NULL, NULL, NULL},
	[OPTIONS_LIST] = {parse_list, print_list, NULL, "names", "names like redis-server,ruby"},
	[OPTIONS_PAIR_LIST] = {parse_pairs, print_pairs, out_u64, "counts",
	                       "COUNT, or SIZE:COUNT,SIZE:COUNT like 64:1000,1KiB:50"},
};
/* clang-format on */

/* ---- rows ---- */

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
	{"WEIR_LARGE_CACHE", OPTIONS_SHARE, "5%", 0, TIB, LIVE, FIELD(large_cache_bytes), NULL,
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
	wrong = kinds[row->kind].parse(row, slice_of(text), ram, &v);
	if (!wrong)
		memcpy((char *)o + row->offset, &v, row->bytes);
	return wrong;
}

static void print_field(const struct options *o, const struct options_row *row, struct out *out)
{
	union value v;

	memcpy(&v, (const char *)o + row->offset, row->bytes);
	kinds[row->kind].print(row, &v, out);
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
	for (; s.n && t.n && lower(*s.at) == lower(*t.at);
		s = slice_from(s, 1), t = slice_from(t, 1))
		;
	if (s.n + t.n == 0 || edits == 0)
		return s.n + t.n == 0;
	return (s.n && near(slice_from(s, 1), t, edits - 1)) ||
	       (t.n && near(s, slice_from(t, 1), edits - 1)) ||
	       (s.n && t.n && near(slice_from(s, 1), slice_from(t, 1), edits - 1)) ||
	       (s.n > 1 && t.n > 1 && lower(s.at[0]) == lower(t.at[1]) &&
		       lower(s.at[1]) == lower(t.at[0]) &&
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
	kinds[row->kind].limit(out, row->min);
	out_str(out, " to ");
	kinds[row->kind].limit(out, row->max);
}

/* The line about a bad value, up to what is used instead. */
static void complain(
	const struct options_row *row, const char *value, const char *wrong, struct out *out)
{
	const struct kind *kind = &kinds[row->kind];

	out_fmt(out, "weir: %s=", row->name);
	out_clean(out, value, strlen(value), SHOWN);
	out_fmt(out, ": %s", wrong);
	if (wrong == out_of_range) {
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

	if (kinds[row->kind].limit == out_exact) {
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
		const struct kind *kind = &kinds[row->kind];
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
