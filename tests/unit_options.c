/*
 * unit_options: the table's own consistency, every form a value may have, and each line printed.
 * Owns: nothing. Calls: options, out. Threads: one.
 */
#include "shim/options.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/out.h"

#define KIB          ((uint64_t)1 << 10)
#define MIB          ((uint64_t)1 << 20)
#define GIB          ((uint64_t)1 << 30)
#define TIB          ((uint64_t)1 << 40)
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const uint64_t ram = 16 * GIB;
static char text[16384];
static struct out out;
static struct options o;

/* Reads up to three entries; what is printed is in text. */
static unsigned read3(const char *a, const char *b, const char *c, uint64_t total)
{
	const char *const envp[] = {"PATH=/bin", "WEIR", "WEIR_", a, b, c, NULL};
	static char copies[6][8192];
	char *env[7] = {NULL};
	unsigned bad;

	for (unsigned i = 0; envp[i]; i++) {
		snprintf(copies[i], sizeof copies[i], "%s", envp[i]);
		env[i] = copies[i];
	}
	out_init_mem(&out, text, sizeof text);
	memset(&o, 0x5a, sizeof o);
	bad = options_read(&o, env, total, &out);
	ck_assert(!out.failed);
	return bad;
}

static unsigned read1(const char *entry)
{
	return read3(entry, NULL, NULL, ram);
}

static unsigned readv(const char *name, const char *value)
{
	static char entry[8192];

	snprintf(entry, sizeof entry, "%s=%s", name, value);
	return read1(entry);
}

static const char *get(const char *name)
{
	static char value[512];
	struct out v;

	out_init_mem(&v, value, sizeof value);
	ck_assert_int_eq(options_get(&o, name, &v), 0);
	return value;
}

static uint64_t field(const struct options *from, const struct options_row *row)
{
	uint64_t v = 0;

	ck_assert_uint_eq(row->bytes, sizeof v);
	memcpy(&v, (const char *)from + row->offset, sizeof v);
	return v;
}

/* ---- the table ---- */

START_TEST(table_rows)
{
	static const size_t bytes[OPTIONS_KINDS] = {sizeof(bool), 8, 8, 8, sizeof(unsigned),
		sizeof(struct options_list), sizeof(struct options_pairs)};
	size_t n;
	const struct options_row *rows = options_table(&n);

	ck_assert_uint_ge(n, 13);
	for (size_t i = 0; i < n; i++) {
		const struct options_row *row = &rows[i];

		ck_assert_msg(strncmp(row->name, "WEIR_", 5) == 0 && row->name[5], "%s", row->name);
		ck_assert_uint_eq(
			strspn(row->name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"), strlen(row->name));
		ck_assert_uint_lt(row->kind, OPTIONS_KINDS);
		ck_assert_uint_eq(row->bytes, bytes[row->kind]);
		ck_assert_uint_le(row->offset + row->bytes, sizeof(struct options));
		ck_assert_uint_ge(row->offset, sizeof o.ram_bytes);
		ck_assert_uint_le(row->min, row->max);
		ck_assert_uint_lt(row->max, UINT64_MAX);
		ck_assert_msg(
			(row->choices != NULL) == (row->kind == OPTIONS_CHOICE), "%s", row->name);
		ck_assert(row->help[0] && !strstr(row->help, "  "));
		for (size_t j = 0; j < i; j++) {
			ck_assert_str_ne(row->name, rows[j].name);
			ck_assert_msg(row->offset + row->bytes <= rows[j].offset ||
					      rows[j].offset + rows[j].bytes <= row->offset,
				"%s and %s share a field", row->name, rows[j].name);
		}
	}
}
END_TEST

START_TEST(table_defaults)
{
	size_t n;
	const struct options_row *rows = options_table(&n);

	for (size_t i = 0; i < n; i++) {
		const struct options_row *row = &rows[i];
		struct options initial;

		ck_assert_msg(readv(row->name, row->initial) == 0, "%s", text);
		options_default(&initial, ram);
		ck_assert_msg(memcmp(&o, &initial, sizeof o) == 0, "%s", row->name);
		if (!strchr(row->initial, '%'))
			ck_assert_str_eq(get(row->name), row->initial);
		if (row->max && row->kind != OPTIONS_PAIR_LIST)
			ck_assert(field(&o, row) >= row->min && field(&o, row) <= row->max);
	}
}
END_TEST

/* The ranges as the README will promise them. */
START_TEST(table_values)
{
	options_default(&o, ram);
	ck_assert(o.pools && !o.strict && !o.verbose);
	ck_assert_uint_eq(o.ram_bytes, ram);
	ck_assert_uint_eq(o.pool_reserve_bytes, 256 * KIB);
	ck_assert_uint_eq(o.pool_max_bytes, 64 * MIB);
	ck_assert_uint_eq(o.pool_initial.n, 0);
	ck_assert_uint_eq(o.large_cache_bytes, ram / 100);
	ck_assert_uint_eq(o.decay_ms, 1000);
	ck_assert_uint_eq(o.arena_max_bytes, 256 * GIB);
	ck_assert_uint_eq(o.thp, OPTIONS_THP_AUTO);
	ck_assert_uint_eq(o.deepbind, OPTIONS_DEEPBIND_MASK);
	ck_assert_str_eq(o.only.text, "");
	ck_assert_str_eq(o.except.text, "");
	options_default(&o, 0);
	ck_assert_uint_eq(o.large_cache_bytes, 0);
	out_init_mem(&out, text, sizeof text);
	ck_assert_uint_eq(options_read(&o, NULL, ram, &out), 0);
	ck_assert_uint_eq(o.pool_max_bytes, 64 * MIB);
	ck_assert_str_eq(text, "");
}
END_TEST

/* ---- values ---- */

/* clang-format off */
static const struct {
	const char *entry;
	uint64_t ram, want;
} good_bytes[] = {
	/* WEIR_POOL_MAX, 0 to 1 TiB, bytes or a share */
	{"0", 100, 0}, {"1", 100, 1}, {"4096", 100, 4096}, {"0004", 100, 4}, {"7b", 1, 7}, {"7B", 1, 7},
	{"64k", 1, 64 * KIB}, {"64K", 1, 64 * KIB}, {"64kb", 1, 64 * KIB}, {"64KiB", 1, 64 * KIB},
	{"64Ki", 1, 64 * KIB}, {"512M", 1, 512 * MIB}, {"512m", 1, 512 * MIB}, {"512MB", 1, 512 * MIB},
	{"512Mi", 1, 512 * MIB}, {"512MiB", 1, 512 * MIB}, {"512mIb", 1, 512 * MIB}, {"1g", 1, GIB},
	{"3Gi", 1, 3 * GIB}, {"2GB", 1, 2 * GIB}, {"1023GiB", 1, 1023 * GIB}, {"1t", 1, TIB},
	{"1Ti", 1, TIB}, {"1TB", 1, TIB}, {"1TiB", 1, TIB}, {"1099511627776", 1, TIB},
	{"0%", 1000, 0}, {"50%", 1000, 500}, {"100%", 1000, 1000}, {"1%", 99, 0}, {"33%", 10, 3},
	{"99%", 199, 197}, {"050%", 1000, 500}, {"50%", 0, 0}, {"100%", 2 * TIB, TIB},
	{"100%", UINT64_MAX, TIB}, {"50%+24", 1000, 524}, {"50%-100", 1000, 400}, {"50%-500", 1000, 0},
	{"50%-501", 1000, 0}, {"90%-64MiB", GIB, GIB / 100 * 90 + GIB % 100 * 90 / 100 - 64 * MIB},
	{"10%+1g", 10 * GIB, 2 * GIB}, {"100%-1TiB", UINT64_MAX, TIB}, {"100%+1TiB", UINT64_MAX, TIB},
	{"100%+1TiB", TIB, TIB}, {"50%+0", 4, 2}, {"50%-0b", 4, 2},
};
/* clang-format on */

START_TEST(bytes_good)
{
	char entry[80];

	snprintf(entry, sizeof entry, "WEIR_POOL_MAX=%s", good_bytes[_i].entry);
	ck_assert_msg(read3(entry, NULL, NULL, good_bytes[_i].ram) == 0, "%s", text);
	ck_assert_str_eq(text, "");
	ck_assert_msg(o.pool_max_bytes == good_bytes[_i].want, "%s: %llu", entry,
		(unsigned long long)o.pool_max_bytes);
}
END_TEST

/* clang-format off */
static const struct {
	const char *entry;
	uint64_t want;
} good_ms[] = {
	{"0", 0}, {"250", 250}, {"250ms", 250}, {"250MS", 250}, {"2s", 2000}, {"1m", 60000},
	{"1min", 60000}, {"60m", 3600000}, {"1h", 3600000}, {"3600000", 3600000}, {"3600s", 3600000},
	{"off", OPTIONS_NEVER}, {"OFF", OPTIONS_NEVER}, {"0h", 0},
};
/* clang-format on */

START_TEST(ms_good)
{
	ck_assert_msg(readv("WEIR_DECAY_MS", good_ms[_i].entry) == 0, "%s", text);
	ck_assert_uint_eq(o.decay_ms, good_ms[_i].want);
}
END_TEST

START_TEST(bool_good)
{
	static const char *const yes[] = {"1", "on", "true", "yes", "ON", "On", "TRUE", "Yes"};
	static const char *const no[] = {"0", "off", "false", "no", "OFF", "False", "nO"};

	for (size_t i = 0; i < COUNT(yes); i++)
		ck_assert(readv("WEIR_VERBOSE", yes[i]) == 0 && o.verbose);
	for (size_t i = 0; i < COUNT(no); i++)
		ck_assert(readv("WEIR_POOLS", no[i]) == 0 && !o.pools);
}
END_TEST

START_TEST(choice_good)
{
	ck_assert(readv("WEIR_THP", "auto") == 0 && o.thp == OPTIONS_THP_AUTO);
	ck_assert(readv("WEIR_THP", "always") == 0 && o.thp == OPTIONS_THP_ALWAYS);
	ck_assert(readv("WEIR_THP", "Never") == 0 && o.thp == OPTIONS_THP_NEVER);
	ck_assert(readv("WEIR_DEEPBIND", "mask") == 0 && o.deepbind == OPTIONS_DEEPBIND_MASK);
	ck_assert(readv("WEIR_DEEPBIND", "KEEP") == 0 && o.deepbind == OPTIONS_DEEPBIND_KEEP);
}
END_TEST

static char pairs32[33 * 4];

START_TEST(pairs_good)
{
	ck_assert(readv("WEIR_POOL_INITIAL", "100") == 0 && o.pool_initial.n == 1);
	ck_assert(o.pool_initial.size[0] == 0 && o.pool_initial.count[0] == 100);
	ck_assert(readv("WEIR_POOL_INITIAL", "64:1000, 1KiB:0,1MiB:1048576") == 0);
	ck_assert_uint_eq(o.pool_initial.n, 3);
	ck_assert(o.pool_initial.size[0] == 64 && o.pool_initial.count[0] == 1000);
	ck_assert(o.pool_initial.size[1] == KIB && o.pool_initial.count[1] == 0);
	ck_assert(o.pool_initial.size[2] == MIB && o.pool_initial.count[2] == MIB);
	ck_assert_str_eq(get("pool_initial"), "64:1000,1KiB:0,1MiB:1048576");
	ck_assert(readv("WEIR_POOL_INITIAL", "8,64:1") == 0 && o.pool_initial.n == 2);
	ck_assert_str_eq(get("POOL_INITIAL"), "8,64:1");
	for (unsigned i = 0; i < 32; i++)
		memcpy(pairs32 + 4 * i, "1:1,", 4);
	pairs32[32 * 4 - 1] = '\0';
	ck_assert(readv("WEIR_POOL_INITIAL", pairs32) == 0 && o.pool_initial.n == 32);
	ck_assert(readv("WEIR_POOL_INITIAL", "") == 0 && o.pool_initial.n == 0);
}
END_TEST

START_TEST(list_length)
{
	char names[300];

	memset(names, 'n', sizeof names);
	names[255] = '\0';
	ck_assert(readv("WEIR_ONLY", names) == 0);
	ck_assert_str_eq(o.only.text, names);
	ck_assert(readv("WEIR_ONLY", "") == 0 && o.only.text[0] == '\0');
	names[255] = 'n', names[256] = '\0';
	ck_assert(readv("WEIR_ONLY", names) == 1 && o.only.text[0] == '\0');
	ck_assert_ptr_nonnull(strstr(text, ": longer than 255 bytes; "));
}
END_TEST

#define SIZE  "use bytes like 512MiB or 1g, or a share like 50%; using "
#define SHARE SIZE "64MiB"
#define BYTES "use bytes like 4096, 64KiB or 1m; using 256KiB"
#define TIME  "use a time like 250ms, 2s or 1m, or off; using 1s"
#define BOOL  "use on or off (1/0, true/false, yes/no); using on"
#define PAIRS "use COUNT, or SIZE:COUNT,SIZE:COUNT like 64:1000,1KiB:50; using none"
#define NAMES "use names like redis-server,ruby; using none"

/* clang-format off */
/* A name, what stands behind "weir: NAME=VALUE: ", and values. */
static const struct {
	const char *name, *line, *values[26];
} bad[] = {
	{"WEIR_POOL_MAX", "not a size; " SHARE,
		{"banana", "", "-1", "+1", " 1", "1 ", "1 MiB", "1x", "1kk", "1MiBs", "1.5g", "0x10", "k",
			"off", "2s", "%", "-5%", "5k%", "5%%", "5%1", "5%-", "5%--1", "5%-5%", "5%1k", "5 %"}},
	{"WEIR_POOL_MAX", "more than 100%; " SHARE, {"101%", "99999999999999999999%"}},
	{"WEIR_POOL_MAX", "out of range 0 to 1TiB; " SHARE,
		{"1099511627777", "2t", "5%-2t", "18446744073709551615", "18446744073709551616",
			"18446744073709551617000", "16777216TiB", "5%+16777216TiB", "184467440737095516160"}},
	{"WEIR_POOL_RESERVE", "out of range 0 to 64MiB; " BYTES, {"65537k", "1g", "67108865"}},
	{"WEIR_POOL_RESERVE", "not a size; " BYTES, {"5%"}},
	{"WEIR_ARENA_MAX", "out of range 0 to 4TiB; " SIZE "256GiB", {"5t", "4398046511105"}},
	{"WEIR_LARGE_CACHE", "not a size; " SIZE "1%", {"lots"}},
	{"WEIR_DECAY_MS", "not a time; " TIME, {"", "never", "1k", "1d", "-1", "1 s", "s", "1.5s", "offf"}},
	{"WEIR_DECAY_MS", "out of range 0 to 1h; " TIME,
		{"3600001", "61m", "2h", "18446744073709551615", "9999999999999999999h"}},
	{"WEIR_POOLS", "neither on nor off; " BOOL, {"", "2", "onn", "o", "0|1", "01", "enabled"}},
	{"WEIR_THP", "not one of the choices; use auto|always|never; using auto",
		{"", "auto|always", "madvise", "alway", "1"}},
	{"WEIR_DEEPBIND", "not one of the choices; use mask|keep; using mask", {"1", "off"}},
	{"WEIR_POOL_INITIAL", "not a count; " PAIRS,
		{"x", "1k", "1:", ":1", "1:2:3", "1:2,", ",1:2", "-1", "64:-1", "64=1", "50%:1"}},
	{"WEIR_POOL_INITIAL", "a block size out of range 1 to 1MiB; " PAIRS, {"0:2", "1048577:2", "1t:1"}},
	{"WEIR_POOL_INITIAL", "out of range 0 to 1048576; " PAIRS, {"8:1048577", "1048577"}},
	{"WEIR_ONLY", "not a list of plain names; " NAMES, {"/usr/bin/ruby", ", ,", " "}},
};
/* clang-format on */

START_TEST(bad_values)
{
	struct options initial;
	char want[512];

	options_default(&initial, ram);
	for (size_t i = 0; bad[_i].values[i]; i++) {
		const char *value = bad[_i].values[i];

		ck_assert_uint_eq(readv(bad[_i].name, value), 1);
		snprintf(want, sizeof want, "weir: %s=%s: %s\n", bad[_i].name, value, bad[_i].line);
		ck_assert_str_eq(text, want);
		ck_assert_msg(memcmp(&o, &initial, sizeof o) == 0, "effect of %s", want);
	}
}
END_TEST

START_TEST(bad_pairs_33)
{
	for (unsigned i = 0; i < 33; i++)
		memcpy(pairs32 + 4 * i, "1:1,", 4);
	pairs32[33 * 4 - 1] = '\0';
	ck_assert_uint_eq(readv("WEIR_POOL_INITIAL", pairs32), 1);
	ck_assert_str_eq(text,
		"weir: WEIR_POOL_INITIAL=1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,...: "
		"more than 32 pairs; " PAIRS "\n");
	ck_assert_uint_eq(o.pool_initial.n, 0);
}
END_TEST

START_TEST(bad_shown_safely)
{
	read1("WEIR_POOL_MAX=a\033[31m\nb\xff");
	ck_assert_str_eq(text, "weir: WEIR_POOL_MAX=a?[31m?b?: not a size; " SHARE "\n");
	read1("WEIR_POOL_MAX=123456789.123456789.123456789.123456789.");
	ck_assert_ptr_nonnull(strstr(text, "=123456789.123456789.123456789.123456789.: not"));
	read1("WEIR_POOL_MAX=123456789.123456789.123456789.123456789.1");
	ck_assert_ptr_nonnull(strstr(text, "=123456789.123456789.123456789.123456789....: not"));
}
END_TEST

/* ---- names ---- */

/* clang-format off */
static const struct {
	const char *name, *guess;
} unknown[] = {
	{"WEIR_POOL_MX", "WEIR_POOL_MAX"}, {"WEIR_POOLMAX", "WEIR_POOL_MAX"},
	{"WEIR_POLO_MAX", "WEIR_POOL_MAX"}, {"WEIR_POLO_MAZ", "WEIR_POOL_MAX"},
	{"WEIR_POOL_MAXX", "WEIR_POOL_MAX"},
	{"WEIR_pool_max", "WEIR_POOL_MAX"}, {"WEIR_POOL", "WEIR_POOLS"}, {"WEIR_TPH", "WEIR_THP"},
	{"WEIR_DECAY", "WEIR_DECAY_MS"}, {"WEIR_DECAI", NULL}, {"WEIR_EXEPT", "WEIR_EXCEPT"},
	{"WEIR_OMLY", "WEIR_ONLY"}, {"WEIR_ONCE", NULL}, {"WEIR_FOO", NULL}, {"WEIR_", NULL},
	{"WEIR_VERBOSITY", NULL}, {"WEIR_WEIR_POOLS", NULL}, {"WEIR_LARGECACHE", "WEIR_LARGE_CACHE"},
	{"WEIR_RESERVE_POOL_MAX_BYTES", NULL}, {"WEIR_POOL_MAX_BYTES", "WEIR_POOL_MAX"},
	{"WEIR_LARGE", "WEIR_LARGE_CACHE"}, {"WEIR_LAR", NULL}, {"WEIR_POOLS_", "WEIR_POOLS"},
};
/* clang-format on */

START_TEST(unknown_names)
{
	char want[256];

	ck_assert_uint_eq(readv(unknown[_i].name, "1"), 1);
	snprintf(want, sizeof want, "weir: %s: unknown option%s%s%s\n", unknown[_i].name,
		unknown[_i].guess ? "; did you mean " : "",
		unknown[_i].guess ? unknown[_i].guess : "", unknown[_i].guess ? "?" : "");
	ck_assert_str_eq(text, want);
}
END_TEST

START_TEST(other_names)
{
	static char entry[4096];

	/* Not ours, and no line about them. */
	ck_assert_uint_eq(read3("WEIRD_POOLS=0", "weir_POOLS=0", "WEIR=1", ram), 0);
	ck_assert_uint_eq(read3("MY_WEIR_POOLS=0", "=WEIR_POOLS=0", "", ram), 0);
	ck_assert_str_eq(text, "");
	ck_assert(o.pools);
	/* Unknown, long and dirty. */
	memset(entry, 'A', sizeof entry);
	memcpy(entry, "WEIR_\n", 6);
	memcpy(entry + sizeof entry - 3, "=1", 3);
	ck_assert_uint_eq(read1(entry), 1);
	ck_assert_str_eq(
		text, "weir: WEIR_?AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA...: unknown option\n");
	/* As getenv: the first counts, the second is not even looked at. */
	ck_assert_uint_eq(read3("WEIR_POOL_MAX=1m", "WEIR_POOL_MAX=2m", "WEIR_POOL_MAX=x", ram), 0);
	ck_assert_uint_eq(o.pool_max_bytes, MIB);
	ck_assert_uint_eq(read3("WEIR_POOL_MAX=x", "WEIR_POOL_MAX=2m", NULL, ram), 1);
	ck_assert_uint_eq(o.pool_max_bytes, 64 * MIB);
}
END_TEST

START_TEST(strict_counts)
{
	ck_assert_uint_eq(read3("WEIR_POOLS=x", "WEIR_FOO=1", "WEIR_STRICT=1", ram), 2);
	ck_assert(o.strict);
	ck_assert_str_eq(text, "weir: WEIR_POOLS=x: neither on nor off; " BOOL "\n"
			       "weir: WEIR_FOO: unknown option\n");
	ck_assert_uint_eq(read3("WEIR_STRICT=on", "WEIR_THP=never", "WEIR_ONLY=a=b", ram), 0);
	ck_assert(o.strict);
	ck_assert_str_eq(o.only.text, "a=b");
	ck_assert_uint_eq(read3("WEIR_STRICT=maybe", NULL, NULL, ram), 1);
	ck_assert(!o.strict);
}
END_TEST

/* ---- set, get, print, help ---- */

static int set(const char *name, const char *value)
{
	out_init_mem(&out, text, sizeof text);
	return options_set(&o, name, value, ram, &out);
}

START_TEST(set_live)
{
	static const char *const live[] = {"WEIR_POOL_RESERVE", "WEIR_POOL_MAX", "WEIR_LARGE_CACHE",
		"WEIR_DECAY_MS", "WEIR_THP"};
	struct options before;
	size_t n, found = 0;
	const struct options_row *rows = options_table(&n);

	options_default(&o, ram);
	before = o;
	for (size_t i = 0; i < n; i++) {
		bool is_live = found < COUNT(live) && strcmp(rows[i].name, live[found]) == 0;

		ck_assert_int_eq(set(rows[i].name, rows[i].initial), is_live ? 0 : EPERM);
		found += is_live;
	}
	ck_assert_uint_eq(found, COUNT(live));
	ck_assert_str_eq(text, "weir: WEIR_VERBOSE: only read at start\n");
	ck_assert_int_eq(memcmp(&o, &before, sizeof o), 0);

	ck_assert(set("pool_max", "1g") == 0 && o.pool_max_bytes == GIB && !*text);
	ck_assert(set("Weir_Pool_Max", "50%") == 0 && o.pool_max_bytes == TIB / 128);
	before = o;
	ck_assert_int_eq(set("POOL_MAX", "x"), EINVAL);
	ck_assert_str_eq(text, "weir: WEIR_POOL_MAX=x: not a size; "
			       "use bytes like 512MiB or 1g, or a share like 50%; keeping 8GiB\n");
	ck_assert_int_eq(set("POOL_MIX", "1"), ENOENT);
	ck_assert_str_eq(text, "weir: POOL_MIX: unknown option; did you mean WEIR_POOL_MAX?\n");
	ck_assert_int_eq(set("", "1"), ENOENT);
	ck_assert_int_eq(memcmp(&o, &before, sizeof o), 0);
	ck_assert_int_eq(options_get(&o, "nothing", &out), ENOENT);
}
END_TEST

/* What is printed, read back, is the same. */
START_TEST(print_and_read_back)
{
	char *line, *env[64] = {NULL}, warnings[256];
	struct options before;
	unsigned n = 0;

	ck_assert_uint_eq(
		read3("WEIR_POOL_MAX=64M", "WEIR_LARGE_CACHE=1500k", "WEIR_ONLY=a,b", ram), 0);
	ck_assert(set("decay_ms", "1500") == 0 && set("thp", "never") == 0);
	before = o;
	out_init_mem(&out, text, sizeof text);
	options_print(&o, &out);
	ck_assert_ptr_nonnull(
		strstr(text, "WEIR_POOLS=on\nWEIR_POOL_RESERVE=256KiB\n"
			     "WEIR_POOL_MAX=64MiB\nWEIR_POOL_INITIAL=\n"
			     "WEIR_LARGE_CACHE=1500KiB  # 1.5 MiB, default 1%\n"
			     "WEIR_DECAY_MS=1500ms  # default 1s\nWEIR_ARENA_MAX=256GiB\n"
			     "WEIR_THP=never  # default auto\nWEIR_DEEPBIND=mask\nWEIR_ONLY=a,b  # "
			     "default none\n"));
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		char *remark = strstr(line, "  #");

		if (remark)
			*remark = '\0';
		env[n++] = line;
	}
	out_init_mem(&out, warnings, sizeof warnings);
	ck_assert_uint_eq(options_read(&o, env, ram, &out), 0);
	ck_assert_int_eq(memcmp(&o, &before, sizeof o), 0);
	options_default(&o, 10 * GIB + 8192); /* 1% is no round number, but still the default */
	out_init_mem(&out, text, sizeof text);
	options_print(&o, &out);
	ck_assert_ptr_nonnull(strstr(text, "\nWEIR_LARGE_CACHE=107374264  # 102.4 MiB\n"));
	ck_assert_ptr_null(strstr(text, "default"));
}
END_TEST

START_TEST(help_columns)
{
	size_t n, columns[6], line_number = 0;
	const struct options_row *rows = options_table(&n);

	out_init_mem(&out, text, sizeof text);
	options_help(&out);
	ck_assert(!out.failed);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), line_number++) {
		size_t at = 0, column = 0;

		/* Cells begin at the same place in every line, and the sixth is the last. */
		for (; column < 6; column++) {
			if (line_number == 0)
				columns[column] = at;
			ck_assert_msg(columns[column] == at, "column %zu of: %s", column, line);
			at += column < 5 ? (size_t)(strstr(line + at, "  ") - (line + at)) : 0;
			at += strspn(line + at, " ");
		}
		ck_assert_ptr_null(strstr(line + at, "  "));
		if (line_number)
			ck_assert_int_eq(
				strncmp(line, rows[line_number - 1].name, strcspn(line, " ")), 0);
		if (line_number == 2)
			ck_assert_ptr_nonnull(strstr(line, "  0 to 64MiB  "));
	}
	ck_assert_uint_eq(line_number, n + 1);
}
END_TEST

/* ---- programs ---- */

/* clang-format off */
static const struct {
	const char *only, *except, *program;
	bool applies;
} programs[] = {
	{"", "", "/bin/ls", true}, {"", "", "", true}, {"", "", NULL, true},
	{"ls", "", "/bin/ls", true}, {"ls", "", "ls", true}, {"ls", "", "/bin/ls/", false},
	{"ls", "", "/bin/lsof", false}, {"lsof", "", "/bin/ls", false}, {"ls", "", "LS", false},
	{"ls", "", NULL, false}, {"ls", "", "", false}, {"a,ls", "", "ls", true}, {"ls,a", "", "ls", true},
	{"a, ls ,b", "", "ls", true}, {",,ls", "", "ls", true}, {"a,b", "", "a,b", false},
	{"", "ls", "/bin/ls", false}, {"", "ls", "/bin/cat", true}, {"", "ls", NULL, true},
	{"ls", "ls", "ls", false}, {"ls,cat", "ls", "cat", true}, {"", "a,ls", "ls", false},
	/* comm: 15 bytes of either */
	{"gnome-terminal-server", "", "gnome-terminal-", true},
	{"gnome-terminal-", "", "/usr/libexec/gnome-terminal-server", true},
	{"gnome-terminal", "", "gnome-terminal-server", false},
	{"gnome-terminal-s", "", "gnome-terminal-server", false},
	{"gnome-terminal-server", "", "gnome-terminal", false},
	{"gnome-terminal-x", "", "gnome-terminal-s", false}, {"", "gnome-terminal-server", "gnome-terminal-", false},
};
/* clang-format on */

START_TEST(applies)
{
	options_default(&o, ram);
	strcpy(o.only.text, programs[_i].only);
	strcpy(o.except.text, programs[_i].except);
	ck_assert_msg(options_applies(&o, programs[_i].program) == programs[_i].applies, "%s/%s/%s",
		programs[_i].only, programs[_i].except, programs[_i].program);
}
END_TEST

#define LOOP(test, array) tcase_add_loop_test(tc, test, 0, COUNT(array))

int main(void)
{
	const TTest *const once[] = {table_rows, table_defaults, table_values, bool_good,
		choice_good, pairs_good, list_length, bad_pairs_33, bad_shown_safely, other_names,
		strict_counts, set_live, print_and_read_back, help_columns};
	Suite *suite = suite_create("options");
	TCase *tc = tcase_create("options");
	SRunner *runner;
	int failed;

	for (size_t i = 0; i < COUNT(once); i++)
		tcase_add_test(tc, once[i]);
	LOOP(bytes_good, good_bytes);
	LOOP(ms_good, good_ms);
	LOOP(bad_values, bad);
	LOOP(unknown_names, unknown);
	LOOP(applies, programs);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
