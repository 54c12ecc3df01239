/* What the workloads share: random numbers, sizes, threads. A workload prints its own figures as
 * lines "metric NAME VALUE UNIT"; time and memory are measured from outside. */
#pragma once
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rng {
	uint64_t state;
};

static inline uint64_t rng_next(struct rng *rng)
{
	rng->state ^= rng->state >> 12;
	rng->state ^= rng->state << 25;
	rng->state ^= rng->state >> 27;
	return rng->state * 0x2545f4914f6cdd1dULL;
}

/* 0 .. below-1 */
static inline size_t rng_below(struct rng *rng, size_t below)
{
	return (size_t)(((rng_next(rng) >> 32) * below) >> 32);
}

static inline size_t rng_between(struct rng *rng, size_t low, size_t high)
{
	return low + rng_below(rng, high - low + 1);
}

/* Sizes as programs ask for them: most are small, a few are not. */
static inline size_t rng_size(struct rng *rng)
{
	size_t dice = rng_below(rng, 1000);

	if (dice < 500)
		return rng_between(rng, 16, 64);
	if (dice < 760)
		return rng_between(rng, 65, 256);
	if (dice < 920)
		return rng_between(rng, 257, 1024);
	if (dice < 985)
		return rng_between(rng, 1025, 4096);
	if (dice < 998)
		return rng_between(rng, 4097, 32 << 10);
	return rng_between(rng, 32 << 10, 256 << 10);
}

/* A block of which the first word is written, as its user would. */
static inline void *bench_take(size_t size)
{
	uint64_t *p = malloc(size);

	if (!p) {
		fprintf(stderr, "malloc(%zu) failed\n", size);
		exit(1);
	}
	*p = size;
	return p;
}

/* The count of operations, less with BENCH_PERCENT. */
static inline size_t bench_ops(size_t ops)
{
	const char *percent = getenv("BENCH_PERCENT");

	return percent ? ops * strtoul(percent, NULL, 10) / 100 : ops;
}

static inline size_t bench_arg(int argc, char **argv, int i, size_t otherwise)
{
	return i < argc ? strtoul(argv[i], NULL, 0) : otherwise;
}

static inline void bench_start(pthread_t *thread, void *(*body)(void *), void *arg)
{
	if (pthread_create(thread, NULL, body, arg) != 0) {
		fprintf(stderr, "no thread\n");
		exit(1);
	}
}

static inline size_t bench_rss_kib(void)
{
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	if (file) {
		if (fscanf(file, "%*u %lu", &pages) != 1)
			pages = 0;
		fclose(file);
	}
	return pages * 4;
}
