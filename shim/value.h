/*
 * value: what an option's value may be, and how it is read from text and printed.
 *
 * Owns:    nothing.
 * Calls:   out.
 * Threads: any; all is pure.
 * Never:   allocates, knows a variable's name.
 */
#ifndef SHIM_VALUE_H
#define SHIM_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct out;

enum {
	OPTIONS_LIST_BYTES = 256,
	OPTIONS_PAIRS = 32,
};

#define OPTIONS_NEVER         UINT64_MAX /* a time given as "off" */
#define OPTIONS_PAIR_SIZE_MAX ((uint64_t)1 << 20)

/* Program names, separated by commas; NUL-terminated, zero to the end. */
struct options_list {
	char text[OPTIONS_LIST_BYTES];
};

/* size 0: every small class. */
struct options_pairs {
	uint64_t n;
	uint64_t size[OPTIONS_PAIRS];
	uint64_t count[OPTIONS_PAIRS];
};

/* What a field is: bool, uint64_t, uint64_t, uint64_t, unsigned, options_list, options_pairs. */
enum options_kind {
	OPTIONS_BOOL,
	OPTIONS_BYTES,
	OPTIONS_SHARE, /* bytes, or a share of ram_bytes */
	OPTIONS_MS,
	OPTIONS_CHOICE,
	OPTIONS_LIST,
	OPTIONS_PAIR_LIST,
	OPTIONS_KINDS,
};

/* To add an option: a field above, a row in options.c. */
struct options_row {
	const char *name; /* with WEIR_ */
	enum options_kind kind;
	const char *initial; /* the default, as a user would write it */
	uint64_t min, max;   /* of bytes, ms, and a pair's count; else 0 */
	bool live;           /* may change at run time */
	size_t offset;       /* of the field in struct options */
	size_t bytes;        /* and its size */
	const char *choices; /* "auto|always|never", or NULL */
	const char *help;
};

/* A part of a string; at is NULL when there is no more. */
struct slice {
	const char *at;
	size_t n;
};

struct slice slice_of(const char *text);
struct slice slice_from(struct slice, size_t n);
char slice_lower(char);
/* Without regard to case. */
bool slice_starts(struct slice, struct slice prefix);
bool slice_same(struct slice, struct slice);
/* Takes what stands before the separator, without blanks around it. */
bool slice_cut(struct slice *rest, char separator, struct slice *part);

/* A field's value on its way into struct options; zeroed first, so that values compare as bytes. */
union value {
	bool on;
	uint64_t number;
	unsigned choice;
	struct options_list list;
	struct options_pairs pairs;
};

/* A parser's answer when a number is outside row->min to row->max; the same pointer. */
extern const char value_out_of_range[];

struct value_kind {
	/* NULL, or what is wrong with the text: one of a few constant strings. */
	const char *(*parse)(const struct options_row *, struct slice, uint64_t ram, union value *);
	void (*print)(const struct options_row *, const union value *, struct out *);
	void (*limit)(struct out *, uint64_t); /* prints a row's min and max; NULL: has none */
	const char *form;                      /* for the help; NULL: the choices */
	const char *use;                       /* for a complaint; NULL: the choices */
};

extern const struct value_kind value_kinds[OPTIONS_KINDS];

#endif
