/* Threads with tables of their own, and one in 32 blocks from another. usage: threads COUNT */
#include <stdatomic.h>
#include "bench.h"

enum { TABLE = 500, SHARED = 1024 };
static _Atomic(void *) shared[SHARED];
static pthread_barrier_t start;
static size_t ops;

static void *work(void *arg)
{
	struct rng rng = {(uintptr_t)arg + 1};
	void *table[TABLE] = {NULL};

	pthread_barrier_wait(&start);
	for (size_t i = 0; i < ops; i++) {
		size_t k = rng_below(&rng, TABLE);

		if (i % 32 == 0)
			table[k] = atomic_exchange(&shared[rng_below(&rng, SHARED)], table[k]);
		free(table[k]);
		table[k] = bench_take(rng_size(&rng));
		if (i == ops / 2) /* here all of them live, on few processors too */
			pthread_barrier_wait(&start);
	}
	for (size_t k = 0; k < TABLE; k++)
		free(table[k]);
	return NULL;
}

int main(int argc, char **argv)
{
	size_t count = bench_arg(argc, argv, 1, 16);
	pthread_t *thread = calloc(count, sizeof *thread);

	ops = bench_ops(16000000) / count;
	pthread_barrier_init(&start, NULL, (unsigned)count);
	for (size_t i = 0; i < count; i++)
		bench_start(&thread[i], work, (void *)(uintptr_t)i);
	for (size_t i = 0; i < count; i++)
		pthread_join(thread[i], NULL);
	free(thread);
	return 0;
}
