/*
 * out: formatted text to a descriptor or to memory, without malloc.
 *
 * Owns:    nothing; every byte lies in the caller's struct out and buffer.
 * Calls:   the kernel (write, ppoll).
 * Threads: any; one struct out belongs to one thread at a time.
 * Never:   allocates, changes errno, uses stdio or a locale, is a cancellation
 *          point, waits more than OUT_WAIT_MS per flush.
 */
#ifndef SHIM_OUT_H
#define SHIM_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	OUT_WAIT_MS = 1000, /* how long one flush may wait for a reader */
	OUT_CHUNK = 4096,   /* bytes per write: what a pipe takes whole once it polls writable */
};

struct out {
	int fd; /* -1: memory */
	char *buf;
	size_t size;
	size_t len;  /* bytes in buf; memory: excluding the NUL that always follows */
	bool failed; /* memory: text was cut; fd: a write failed. Stays; later text is dropped */
};

/*
 * Text gathers in buf and is written by out_flush, or when buf is full: then up to the last
 * newline, so that a line no longer than size and OUT_CHUNK reaches fd in one write.
 */
void out_init_fd(struct out *, int fd, char *buf, size_t size);

/* Text stays in buf, NUL-terminated if size > 0; what does not fit is dropped. */
void out_init_mem(struct out *, char *buf, size_t size);

/* Writes what is gathered. False if anything was lost, now or earlier. Memory: writes nothing. */
bool out_flush(struct out *);

void out_bytes(struct out *, const char *bytes, size_t n);
void out_str(struct out *, const char *);
void out_char(struct out *, char);
void out_u64(struct out *, uint64_t);
void out_i64(struct out *, int64_t);
void out_hex(struct out *, uint64_t); /* 0x1f */

/* For people: 512 B, 64 KiB, 1.5 MiB; one rounded decimal, none if it is 0. */
void out_size(struct out *, uint64_t bytes);

/* For parsers, exact: 512, 64KiB, 1536KiB; the largest unit to TiB that divides. */
void out_exact(struct out *, uint64_t bytes);

/* Foreign text, shown safely: at most max bytes, then "..."; all but printable ASCII as '?'. */
void out_clean(struct out *, const char *bytes, size_t n, size_t max);

/*
 * A subset of printf: %d %i %u %x with l, ll or z; %s %c %p %%; flags - and 0, width, and for
 * %s a precision, each also as *. At any other conversion the rest of the format is printed
 * as it stands.
 */
void out_fmt(struct out *, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
