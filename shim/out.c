/*
 * out: text gathers in the caller's buffer and leaves in whole lines.
 *
 * Owns:    nothing.
 * Calls:   write and ppoll as raw system calls: the libc functions are cancellation points,
 *          and a program may define its own.
 * Threads: any; see out.h.
 * Never:   allocates, changes errno, uses stdio or a locale.
 */
#define _GNU_SOURCE
#include "shim/out.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	RETRY_MS = 10,
	RETRIES = OUT_WAIT_MS / RETRY_MS,
	DIGITS = 20, /* of UINT64_MAX in decimal */
};

void out_init_fd(struct out *o, int fd, char *buf, size_t size)
{
	*o = (struct out){.fd = fd, .buf = buf, .size = size, .failed = size == 0};
}

void out_init_mem(struct out *o, char *buf, size_t size)
{
	*o = (struct out){.fd = -1, .buf = buf, .size = size};
	if (size)
		buf[0] = '\0';
}

/* Bytes of bytes[0..n) up to and including the last newline; n if there is none. */
static size_t whole_lines(const char *bytes, size_t n)
{
	for (size_t i = n; i > 0; i--)
		if (bytes[i - 1] == '\n')
			return i;
	return n;
}

/*
 * Waits until fd takes a chunk. A blocking descriptor needs this too: a full pipe would hold the
 * writer for ever. The kernel subtracts the time waited from *left. A pipe without a reader fails
 * here, before a write could raise SIGPIPE.
 */
static bool writable(int fd, struct timespec *left)
{
	struct pollfd poll = {.fd = fd, .events = POLLOUT};
	long n;

	do
		n = syscall(SYS_ppoll, &poll, 1, left, NULL, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return true; /* no ppoll here: let write tell */
	return n > 0 && !(poll.revents & (POLLERR | POLLNVAL));
}

/* Something else filled the descriptor between poll and write. */
static void pause_briefly(void)
{
	struct timespec wait = {.tv_nsec = RETRY_MS * 1000000L};

	syscall(SYS_ppoll, NULL, 0, &wait, NULL, 0);
}

static bool write_all(int fd, const char *bytes, size_t n)
{
	struct timespec left = {
		.tv_sec = OUT_WAIT_MS / 1000, .tv_nsec = OUT_WAIT_MS % 1000 * 1000000L};
	unsigned retries = 0;

	while (n > 0) {
		size_t chunk = n <= OUT_CHUNK ? n : whole_lines(bytes, OUT_CHUNK);
		long done;

		if (!writable(fd, &left))
			return false;
		done = syscall(SYS_write, fd, bytes, chunk);
		if (done > 0) {
			bytes += done;
			n -= (size_t)done;
		} else if (done < 0 && errno == EINTR) {
			continue;
		} else if (done < 0 && errno == EAGAIN && retries++ < RETRIES) {
			pause_briefly();
		} else {
			return false;
		}
	}
	return true;
}

static void write_first(struct out *o, size_t n)
{
	int saved = errno;

	if (!write_all(o->fd, o->buf, n))
		o->failed = true;
	errno = saved;
	o->len = o->failed ? 0 : o->len - n;
	memmove(o->buf, o->buf + n, o->len);
}

bool out_flush(struct out *o)
{
	if (o->fd >= 0 && o->len > 0)
		write_first(o, o->len);
	return !o->failed;
}

void out_bytes(struct out *o, const char *bytes, size_t n)
{
	bool memory = o->fd < 0;
	size_t size = memory && o->size ? o->size - 1 : o->size;

	while (n > 0 && !o->failed) {
		size_t room = size - o->len;
		size_t part = n < room ? n : room;

		if (part)
			memcpy(o->buf + o->len, bytes, part);
		o->len += part;
		bytes += part;
		n -= part;
		if (n > 0 && memory)
			o->failed = true;
		else if (n > 0) /* full: a line that has begun stays, unless it fills all of buf */
			write_first(o, whole_lines(o->buf, o->len));
	}
	if (memory && o->size)
		o->buf[o->len] = '\0';
}

void out_str(struct out *o, const char *text)
{
	out_bytes(o, text, strlen(text));
}

void out_char(struct out *o, char c)
{
	out_bytes(o, &c, 1);
}

static void fill(struct out *o, char c, size_t n)
{
	while (n-- > 0)
		out_char(o, c);
}

struct spec {
	bool left, zero;
	char length; /* 0, l, L for ll, z */
	size_t width;
	size_t cut; /* precision of %s */
};

/* The one place that turns a number into digits. */
static void number(
	struct out *o, const struct spec *s, const char *prefix, uint64_t v, unsigned base)
{
	char digits[DIGITS];
	size_t at = sizeof digits, used, pad;

	do
		digits[--at] = "0123456789abcdef"[v % base];
	while ((v /= base) != 0);
	used = strlen(prefix) + sizeof digits - at;
	pad = s->width > used ? s->width - used : 0;
	if (!s->left && !s->zero)
		fill(o, ' ', pad);
	out_str(o, prefix);
	if (!s->left && s->zero)
		fill(o, '0', pad);
	out_bytes(o, digits + at, sizeof digits - at);
	if (s->left)
		fill(o, ' ', pad);
}

static void number_signed(struct out *o, const struct spec *s, int64_t v)
{
	number(o, s, v < 0 ? "-" : "", v < 0 ? -(uint64_t)v : (uint64_t)v, 10);
}

static const struct spec plain;

void out_u64(struct out *o, uint64_t v)
{
	number(o, &plain, "", v, 10);
}

void out_i64(struct out *o, int64_t v)
{
	number_signed(o, &plain, v);
}

void out_hex(struct out *o, uint64_t v)
{
	number(o, &plain, "0x", v, 16);
}

void out_size(struct out *o, uint64_t bytes)
{
	static const char unit[][4] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	unsigned step = 0;
	uint64_t whole, tenths = 0;

	while (bytes >> 10 * step >= 1024)
		step++;
	whole = bytes >> 10 * step;
	if (step)
		tenths = ((bytes >> 10 * (step - 1) & 1023) * 10 + 512) >> 10;
	if (tenths == 10) {
		tenths = 0;
		whole++;
	}
	if (whole == 1024) { /* 1023.96 KiB is 1 MiB */
		whole = 1;
		step++;
	}
	out_u64(o, whole);
	if (tenths)
		out_fmt(o, ".%u", (unsigned)tenths);
	out_fmt(o, " %s", unit[step]);
}

void out_exact(struct out *o, uint64_t bytes)
{
	static const char unit[][4] = {"", "KiB", "MiB", "GiB", "TiB"};
	unsigned step = 0;

	while (bytes && bytes % 1024 == 0 && step + 1 < sizeof unit / sizeof unit[0]) {
		bytes /= 1024;
		step++;
	}
	out_u64(o, bytes);
	out_str(o, unit[step]);
}

void out_clean(struct out *o, const char *bytes, size_t n, size_t max)
{
	for (size_t i = 0; i < n && i < max; i++)
		out_char(o, bytes[i] >= ' ' && bytes[i] <= '~' ? bytes[i] : '?');
	if (n > max)
		out_str(o, "...");
}

/* A va_list that functions can share: passed by address, whatever its type is here. */
struct args {
	va_list ap;
};

static const char *read_count(const char *f, size_t *count, struct args *args)
{
	if (*f == '*') {
		int n = va_arg(args->ap, int);

		*count = n > 0 ? (size_t)n : 0;
		return f + 1;
	}
	for (*count = 0; *f >= '0' && *f <= '9'; f++)
		*count = *count * 10 + (size_t)(*f - '0');
	return f;
}

/* Reads what stands between % and the conversion letter; returns the letter's place. */
static const char *read_spec(const char *f, struct spec *s, struct args *args)
{
	*s = (struct spec){.cut = SIZE_MAX};
	for (; *f == '-' || *f == '0'; f++) {
		s->left |= *f == '-';
		s->zero |= *f == '0';
	}
	f = read_count(f, &s->width, args);
	if (*f == '.')
		f = read_count(f + 1, &s->cut, args);
	if (*f == 'l' || *f == 'z')
		s->length = *f++;
	if (s->length == 'l' && *f == 'l') {
		s->length = 'L';
		f++;
	}
	return f;
}

static void text(struct out *o, const struct spec *s, const char *bytes, size_t n)
{
	size_t pad = s->width > n ? s->width - n : 0;

	fill(o, ' ', s->left ? 0 : pad);
	out_bytes(o, bytes, n);
	fill(o, ' ', s->left ? pad : 0);
}

static uint64_t arg_unsigned(const struct spec *s, struct args *args)
{
	switch (s->length) {
	case 'l':
		return va_arg(args->ap, unsigned long);
	case 'L':
		return va_arg(args->ap, unsigned long long);
	case 'z':
		return va_arg(args->ap, size_t);
	default:
		return va_arg(args->ap, unsigned);
	}
}

static int64_t arg_signed(const struct spec *s, struct args *args)
{
	return s->length ? (int64_t)arg_unsigned(s, args) : va_arg(args->ap, int);
}

/* Prints the conversion whose % is at format; returns what follows it. */
static const char *convert(struct out *o, const char *format, struct args *args)
{
	struct spec s;
	const char *f = read_spec(format + 1, &s, args);
	const char *string;
	char c;

	switch (*f) {
	case '%':
		out_char(o, '%');
		break;
	case 'd':
	case 'i':
		number_signed(o, &s, arg_signed(&s, args));
		break;
	case 'u':
		number(o, &s, "", arg_unsigned(&s, args), 10);
		break;
	case 'x':
		number(o, &s, "", arg_unsigned(&s, args), 16);
		break;
	case 'p':
		number(o, &s, "0x", (uintptr_t)va_arg(args->ap, void *), 16);
		break;
	case 'c':
		c = (char)va_arg(args->ap, int);
		text(o, &s, &c, 1);
		break;
	case 's':
		string = va_arg(args->ap, const char *);
		string = string ? string : "(null)";
		text(o, &s, string, strnlen(string, s.cut));
		break;
	default: /* its argument's type is unknown, so is every later one's */
		out_str(o, format);
		return format + strlen(format);
	}
	return f + 1;
}

void out_fmt(struct out *o, const char *format, ...)
{
	struct args args;

	va_start(args.ap, format);
	while (*format) {
		size_t n = strcspn(format, "%");

		out_bytes(o, format, n);
		format += n;
		if (*format)
			format = convert(o, format, &args);
	}
	va_end(args.ap);
}
