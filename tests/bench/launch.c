// flags: -static
/*
 * Runs a program and measures it from a small process, since a child's peak RSS begins with that
 * of the process it was forked from. usage: launch RESULT [NAME=VALUE...] -- PROGRAM ARGS...
 * Writes to the file RESULT: user and system µs, wall µs, peak RSS KiB, wait status.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile pid_t child;

/* A server is ended through its launcher. */
static void pass_on(int sig)
{
	if (child > 0)
		kill(child, sig);
}

static long long us_of(struct timeval t)
{
	return t.tv_sec * 1000000LL + t.tv_usec;
}

static long long now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

int main(int argc, char **argv)
{
	int i = 2, status;
	struct rusage used;
	long long began;
	FILE *result;

	for (; i < argc && strcmp(argv[i], "--") != 0; i++)
		putenv(argv[i]);
	if (++i >= argc) {
		fprintf(stderr, "usage: launch RESULT [NAME=VALUE...] -- PROGRAM ARGS...\n");
		return 2;
	}
	signal(SIGTERM, pass_on);
	signal(SIGINT, pass_on);
	began = now_us();
	child = vfork();
	if (child == 0) {
		execvp(argv[i], argv + i);
		_exit(127);
	}
	if (child < 0)
		return 2;
	while (wait4(child, &status, 0, &used) != child)
		;
	began = now_us() - began;
	result = fopen(argv[1], "w");
	if (!result)
		return 2;
	fprintf(result, "%lld %lld %lld %ld %d\n", us_of(used.ru_utime), us_of(used.ru_stime), began,
		used.ru_maxrss, status);
	return fclose(result) == 0 ? 0 : 2;
}
