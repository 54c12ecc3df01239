/*
 * unit_out: what shim/out prints, cuts, and does with descriptors that do not keep up.
 * Owns: nothing. Calls: out. Threads: one, and a child process as the slow reader.
 */
#define _GNU_SOURCE
#include "shim/out.h"

#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char memory[4096];
static struct out out;

static void fresh(void)
{
	out_init_mem(&out, memory, sizeof memory);
}

#define PRINTS(call, want)                                                                         \
	do {                                                                                       \
		fresh();                                                                           \
		call;                                                                              \
		ck_assert_str_eq(memory, want);                                                    \
		ck_assert_uint_eq(out.len, strlen(want));                                          \
		ck_assert(!out.failed);                                                            \
	} while (0)

START_TEST(numbers)
{
	PRINTS(out_u64(&out, 0), "0");
	PRINTS(out_u64(&out, 10), "10");
	PRINTS(out_u64(&out, UINT64_MAX), "18446744073709551615");
	PRINTS(out_i64(&out, 0), "0");
	PRINTS(out_i64(&out, -1), "-1");
	PRINTS(out_i64(&out, INT64_MAX), "9223372036854775807");
	PRINTS(out_i64(&out, INT64_MIN), "-9223372036854775808");
	PRINTS(out_hex(&out, 0), "0x0");
	PRINTS(out_hex(&out, 0x1f), "0x1f");
	PRINTS(out_hex(&out, UINT64_MAX), "0xffffffffffffffff");
	PRINTS(out_char(&out, 'x'), "x");
	PRINTS(out_str(&out, ""), "");
}
END_TEST

/* clang-format off */
static const struct {
	uint64_t bytes;
	const char *people, *exact;
} sizes[] = {
	{0, "0 B", "0"},
	{1, "1 B", "1"},
	{512, "512 B", "512"},
	{1000, "1000 B", "1000"},
	{1023, "1023 B", "1023"},
	{1024, "1 KiB", "1KiB"},
	{1025, "1 KiB", "1025"},
	{1024 + 51, "1 KiB", "1075"},
	{1024 + 52, "1.1 KiB", "1076"},
	{1536, "1.5 KiB", "1536"},
	{2047, "2 KiB", "2047"},
	{64 << 10, "64 KiB", "64KiB"},
	{(1 << 20) - 1, "1 MiB", "1048575"},
	{(1023 << 10) + 900, "1023.9 KiB", "1048452"},
	{1 << 20, "1 MiB", "1MiB"},
	{3 << 19, "1.5 MiB", "1536KiB"},
	{100 << 20, "100 MiB", "100MiB"},
	{(uint64_t)5 << 30, "5 GiB", "5GiB"},
	{(uint64_t)1 << 40, "1 TiB", "1TiB"},
	{((uint64_t)1 << 40) - 1, "1 TiB", "1099511627775"},
	{(uint64_t)1 << 50, "1 PiB", "1024TiB"},
	{UINT64_MAX >> 1, "8 EiB", "9223372036854775807"},
	{UINT64_MAX, "16 EiB", "18446744073709551615"},
};
/* clang-format on */

START_TEST(size)
{
	PRINTS(out_size(&out, sizes[_i].bytes), sizes[_i].people);
	PRINTS(out_exact(&out, sizes[_i].bytes), sizes[_i].exact);
}
END_TEST

/* All that printf can do too is compared with printf. */
#define AS_PRINTF(...)                                                                             \
	do {                                                                                       \
		char want[256];                                                                    \
		snprintf(want, sizeof want, __VA_ARGS__);                                          \
		PRINTS(out_fmt(&out, __VA_ARGS__), want);                                          \
	} while (0)

START_TEST(format)
{
	AS_PRINTF("plain");
	AS_PRINTF("%%|%c|%s|%s", 'x', "text", "");
	AS_PRINTF("%d %d %d %i", 0, -1, INT_MIN, INT_MAX);
	AS_PRINTF("%u %u", 0u, UINT_MAX);
	AS_PRINTF("%lu %ld %ld", ULONG_MAX, LONG_MIN, LONG_MAX);
	AS_PRINTF("%llu %lld %lld", ULLONG_MAX, LLONG_MIN, -5LL);
	AS_PRINTF("%zu %zd", SIZE_MAX, (ssize_t)-7);
	AS_PRINTF("%x %lx %llx %zx", 0xabcdefu, 0x10ul, 0xfedcba9876543210ull, (size_t)9);
	AS_PRINTF("%p", (void *)&out);
	AS_PRINTF("[%5d][%-5d][%05d][%2d][%0d]", -42, -42, -42, 12345, 7);
	AS_PRINTF("[%08x][%-8x][%8x]", 0x1fu, 0x1fu, 0x1fu);
	AS_PRINTF("[%6s][%-6s][%2s][%-2s]", "abc", "abc", "abc", "abc");
	AS_PRINTF("[%.2s][%.0s][%.9s][%5.1s][%-5.1s]", "abc", "abc", "abc", "abc", "abc");
	AS_PRINTF("[%*d][%-*d][%.*s]", 4, 1, 4, 1, 2, "xyz");
	AS_PRINTF("[%3c][%-3c]", 'a', 'b');
	PRINTS(out_fmt(&out, "%p", NULL), "0x0");
	PRINTS(out_fmt(&out, "%.*s", 3, (const char[]){'n', 'o', 'z', '!'}), "noz");
}
END_TEST

START_TEST(format_unknown)
{
	/* Hidden from the compiler, which would rightly complain. */
	void (*volatile fmt)(struct out *, const char *, ...) = out_fmt;

	PRINTS(fmt(&out, "%d then %q %d", 1, 2), "1 then %q %d");
	PRINTS(fmt(&out, "100%"), "100%");
	PRINTS(fmt(&out, "[%-04d]", 5), "[5   ]");
	PRINTS(fmt(&out, "%f|%d", 1.5, 2), "%f|%d");
	PRINTS(fmt(&out, "%s", (char *)NULL), "(null)");
}
END_TEST

START_TEST(clean)
{
	PRINTS(out_clean(&out, "abc", 3, 40), "abc");
	PRINTS(out_clean(&out, "abc", 3, 3), "abc");
	PRINTS(out_clean(&out, "abcd", 4, 3), "abc...");
	PRINTS(out_clean(&out, "", 0, 0), "");
	PRINTS(out_clean(&out, "a\n\033[1m\x7f\x80\xff~ \t", 12, 40), "a??[1m???~ ?");
	PRINTS(out_clean(&out, "a\0b", 3, 40), "a?b");
}
END_TEST

START_TEST(memory_cut)
{
	char small[4] = "~~~";

	out_init_mem(&out, small, 3);
	ck_assert_str_eq(small, "");
	out_str(&out, "ab");
	ck_assert(!out.failed);
	out_str(&out, "cd");
	ck_assert_str_eq(small, "ab");
	ck_assert(out.failed && !out_flush(&out));
	ck_assert_int_eq(small[3], '\0');

	out_init_mem(&out, small, 4);
	out_str(&out, "abcdef");
	ck_assert_str_eq(small, "abc");
	ck_assert_uint_eq(out.len, 3);

	out_init_mem(&out, NULL, 0);
	out_str(&out, "");
	ck_assert(!out.failed);
	out_str(&out, "a");
	ck_assert(out.failed);
}
END_TEST

/* A sequenced-packet socket keeps the borders of writes. */
START_TEST(lines_in_one_write)
{
	static const char *const want[] = {
		"one\ntwo\n", "0123456789\n", "a line of th", "irty letters", " or so\nx"};
	char buf[12], got[64];
	int fd[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fd), 0);
	out_init_fd(&out, fd[0], buf, sizeof buf);
	out_str(&out, "one\n");
	out_str(&out, "two\n");
	ck_assert_int_eq(recv(fd[1], got, sizeof got, 0), -1); /* gathered */
	out_fmt(&out, "%s%u%s\n", "0123", 45, "6789");
	out_str(&out, "a line of thirty letters or so\nx");
	ck_assert(out_flush(&out));
	ck_assert(out_flush(&out)); /* writes nothing more */
	for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
		ssize_t n = recv(fd[1], got, sizeof got - 1, 0);

		ck_assert_int_ge(n, 0);
		got[n] = '\0';
		ck_assert_str_eq(got, want[i]);
	}
	ck_assert_int_eq(recv(fd[1], got, sizeof got, 0), -1);
}
END_TEST

START_TEST(chunks_end_with_lines)
{
	static char buf[3 * OUT_CHUNK], got[2 * OUT_CHUNK];
	size_t total = 0;
	ssize_t n;
	int fd[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fd), 0);
	out_init_fd(&out, fd[0], buf, sizeof buf);
	for (unsigned i = 0; i < 100; i++)
		out_fmt(&out, "%0100u\n", i);
	ck_assert(out_flush(&out));
	for (; (n = recv(fd[1], got, sizeof got, 0)) > 0; total += (size_t)n) {
		ck_assert_int_le(n, OUT_CHUNK);
		ck_assert_int_eq(got[n - 1], '\n');
	}
	ck_assert_uint_eq(total, 100 * 101);
}
END_TEST

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void on_alarm(int signal)
{
	(void)signal;
}

static void alarms(long every_us)
{
	struct sigaction act = {.sa_handler = on_alarm};
	struct itimerval timer = {{0, every_us}, {0, every_us}};

	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

/* A line for a pipe that is full, blocking or not, with signals or not, waits for a second. */
START_TEST(full_pipe)
{
	static char buf[65536];
	double began;
	int fd[2];

	ck_assert_int_eq(pipe2(fd, O_NONBLOCK), 0);
	while (write(fd[1], buf, sizeof buf) > 0)
		;
	ck_assert_int_eq(fcntl(fd[1], F_SETFL, _i & 1 ? O_NONBLOCK : 0), 0);
	out_init_fd(&out, fd[1], buf, sizeof buf);
	out_str(&out, "late\n");
	alarms(_i & 2 ? 500 : 0);
	errno = 77;
	began = now();
	ck_assert(!out_flush(&out));
	ck_assert_int_eq(errno, 77);
	alarms(0);
	ck_assert(now() - began > 0.9 && now() - began < 1.9);
	began = now();
	out_str(&out, "dropped\n"); /* having failed once, it does not wait again */
	ck_assert(!out_flush(&out));
	ck_assert(now() - began < 0.5);
}
END_TEST

/* A reader that sleeps between reads, and signals that interrupt the writer: all arrives. */
START_TEST(slow_reader)
{
	static char buf[300000], got[300000];
	int fd[2], status;
	pid_t child;

	ck_assert_int_eq(pipe(fd), 0);
	fcntl(fd[1], F_SETFL, _i ? O_NONBLOCK : 0);
	memset(buf, 'x', sizeof buf);
	child = fork();
	if (child == 0) {
		size_t n = 0;
		ssize_t part;

		close(fd[1]);
		for (; (part = read(fd[0], got + n, 30000)) > 0; n += (size_t)part)
			usleep(2000);
		_exit(n == sizeof buf && memcmp(buf, got, n) == 0 ? 0 : 1);
	}
	close(fd[0]);
	alarms(500);
	out_init_fd(&out, fd[1], got, 1000);
	out_bytes(&out, buf, sizeof buf);
	ck_assert(out_flush(&out));
	alarms(0);
	close(fd[1]);
	while (waitpid(child, &status, 0) < 0)
		;
	ck_assert_int_eq(status, 0);
}
END_TEST

/* out's system calls come through here, and are made difficult on demand. */
static unsigned difficult;

long syscall(long nr, ...)
{
	long (*real)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	long a[5];
	va_list ap;

	va_start(ap, nr);
	for (unsigned i = 0; i < 5; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (difficult && nr == SYS_write) {
		errno = difficult % 3 == 0 ? EINTR : EAGAIN;
		if (difficult++ % 3 != 2)
			return -1;
		a[2] = a[2] < 7 ? a[2] : 7;
	}
	return real(nr, a[0], a[1], a[2], a[3], a[4]);
}

START_TEST(bit_by_bit)
{
	static const char want[] =
		"written in pieces of seven, with EINTR and EAGAIN between them\n";
	char buf[128], got[128] = "";
	int fd[2];

	ck_assert_int_eq(pipe(fd), 0);
	out_init_fd(&out, fd[1], buf, sizeof buf);
	out_str(&out, want);
	difficult = 3;
	ck_assert(out_flush(&out));
	ck_assert_uint_gt(difficult, 3 * 9);
	ck_assert_int_eq(read(fd[0], got, sizeof got), sizeof want - 1);
	ck_assert_str_eq(got, want);
}
END_TEST

/* SIGPIPE stays at its default here: it would end the test. */
START_TEST(nobody_reads)
{
	char buf[8];
	int fd[2];

	ck_assert_int_eq(pipe(fd), 0);
	close(fd[0]);
	out_init_fd(&out, fd[1], buf, sizeof buf);
	out_str(&out, "a longer text than the buffer");
	ck_assert(!out_flush(&out));
	close(fd[1]);

	errno = 77;
	out_init_fd(&out, fd[1], buf, sizeof buf);
	out_str(&out, "x");
	ck_assert(!out_flush(&out));
	ck_assert_int_eq(errno, 77);

	fd[0] = open("/dev/full", O_WRONLY);
	out_init_fd(&out, fd[0], buf, sizeof buf);
	out_str(&out, "x");
	ck_assert(!out_flush(&out));
	ck_assert_int_eq(errno, 77);

	out_init_fd(&out, STDERR_FILENO, NULL, 0);
	out_str(&out, "no buffer, no text");
	ck_assert(!out_flush(&out));
}
END_TEST

START_TEST(file)
{
	char name[] = "/tmp/unit_out.XXXXXX", buf[16], got[64] = "";
	int fd = mkstemp(name);

	unlink(name);
	out_init_fd(&out, fd, buf, sizeof buf);
	out_str(&out, "a file takes everything at once\n");
	ck_assert(out_flush(&out));
	ck_assert_int_eq(pread(fd, got, sizeof got, 0), 32);
	ck_assert_str_eq(got, "a file takes everything at once\n");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("out");
	TCase *tc = tcase_create("out");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, numbers);
	tcase_add_loop_test(tc, size, 0, sizeof sizes / sizeof sizes[0]);
	tcase_add_test(tc, format);
	tcase_add_test(tc, format_unknown);
	tcase_add_test(tc, clean);
	tcase_add_test(tc, memory_cut);
	tcase_add_test(tc, lines_in_one_write);
	tcase_add_test(tc, chunks_end_with_lines);
	tcase_add_loop_test(tc, full_pipe, 0, 4);
	tcase_add_test(tc, bit_by_bit);
	tcase_add_loop_test(tc, slow_reader, 0, 2);
	tcase_add_test(tc, nobody_reads);
	tcase_add_test(tc, file);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
