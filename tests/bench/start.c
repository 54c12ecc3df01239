/* Start-up: a program that does nothing, many times. usage: start COUNT */
#define _GNU_SOURCE
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>
#include "bench.h"

extern char **environ;

int main(int argc, char **argv)
{
	char *command[] = {(char[]){"true"}, NULL};
	size_t count = bench_arg(argc, argv, 1, 1000);
	struct timespec a, b;

	clock_gettime(CLOCK_MONOTONIC, &a);
	for (size_t i = 0; i < count; i++) {
		pid_t pid;
		int status;

		if (posix_spawn(&pid, "/bin/true", NULL, NULL, command, environ) != 0 ||
			waitpid(pid, &status, 0) != pid || status != 0)
			return 1;
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("metric exec %.1f us\n",
		((double)(b.tv_sec - a.tv_sec) * 1e6 + (double)(b.tv_nsec - a.tv_nsec) / 1e3) / (double)count);
	return 0;
}
