/*
 * value: slices, amounts, and per kind of value a parser and a printer.
 *
 * Owns:    constant tables.
 * Calls:   out.
 * Threads: any.
 * Never:   allocates, reads anything but its arguments, depends on the locale.
 */
#include "shim/value.h"

#include "shim/out.h"

#include <string.h>

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#define TIB ((uint64_t)1 << 40)

/* ---- text ---- */

struct slice slice_of(const char *text)
{
	return (struct slice){text, strlen(text)};
}

struct slice slice_from(struct slice s, size_t n)
{
	return (struct slice){s.at + n, s.n - n};
}

char slice_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool slice_starts(struct slice s, struct slice prefix)
{
	size_t i = 0;

	while (i < s.n && i < prefix.n && slice_lower(s.at[i]) == slice_lower(prefix.at[i]))
		i++;
	return i == prefix.n;
}

bool slice_same(struct slice s, struct slice t)
{
	return s.n == t.n && slice_starts(s, t);
}

/* Takes what stands before the separator, without blanks around it. */
bool slice_cut(struct slice *rest, char separator, struct slice *part)
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

const char value_out_of_range[] = "out of range"; /* complain adds which */

static const char *in_range(const struct options_row *row, uint64_t v)
{
	return v >= row->min && v <= row->max ? NULL : value_out_of_range;
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
		return value_out_of_range;
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
			return value_out_of_range;
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
const struct value_kind value_kinds[OPTIONS_KINDS] = {
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
