/* Short-lived threads, eight at a time, each of which leaves blocks for a later one to free.
 * usage: births COUNT      prints how RSS grew from the tenth part of them to the last */
#include "bench.h"

enum { AT_ONCE = 8, BLOCKS = 1000, LEFT = 20 };
static void *left[AT_ONCE][LEFT];

static void *life(void *arg)
{
	size_t place = (uintptr_t)arg % AT_ONCE;
	struct rng rng = {(uintptr_t)arg + 1};
	void *block[BLOCKS];

	for (int i = 0; i < BLOCKS; i++)
		block[i] = bench_take(rng_between(&rng, 16, 1000));
	for (int i = 0; i < LEFT; i++) {
		free(left[place][i]);
		left[place][i] = block[i];
	}
	for (int i = LEFT; i < BLOCKS; i++)
		free(block[i]);
	return NULL;
}

int main(int argc, char **argv)
{
	size_t count = bench_arg(argc, argv, 1, 2000), early = 0;
	pthread_t thread[AT_ONCE];

	for (size_t i = 0; i < count; i += AT_ONCE) {
		for (size_t k = 0; k < AT_ONCE; k++)
			bench_start(&thread[k], life, (void *)(uintptr_t)(i + k));
		for (size_t k = 0; k < AT_ONCE; k++)
			pthread_join(thread[k], NULL);
		if (i == count / 10 / AT_ONCE * AT_ONCE)
			early = bench_rss_kib();
	}
	printf("metric rss-growth %ld KiB\n", (long)bench_rss_kib() - (long)early);
	return 0;
}
