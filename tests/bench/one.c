/* Blocks of one size. usage: one lifo|fifo|random SIZE */
#include "bench.h"

enum { MANY = 4096 };
static void *block[MANY];

static void lifo(size_t size, size_t ops)
{
	for (size_t done = 0; done < ops; done += MANY) {
		for (int i = 0; i < MANY; i++)
			block[i] = bench_take(size);
		for (int i = MANY; i-- > 0;)
			free(block[i]);
	}
}

static void fifo(size_t size, size_t ops)
{
	for (size_t i = 0; i < ops; i++) {
		free(block[i % MANY]);
		block[i % MANY] = bench_take(size);
	}
}

static void at_random(size_t size, size_t ops)
{
	struct rng rng = {7};

	for (size_t i = 0; i < ops; i++) {
		size_t k = rng_below(&rng, MANY);

		free(block[k]);
		block[k] = bench_take(size);
	}
}

int main(int argc, char **argv)
{
	const char *order = argc > 1 ? argv[1] : "lifo";
	size_t size = bench_arg(argc, argv, 2, 64), ops = bench_ops(40 << 20);

	if (strcmp(order, "lifo") == 0)
		lifo(size, ops);
	else if (strcmp(order, "fifo") == 0)
		fifo(size, ops);
	else
		at_random(size, ops);
	return 0;
}
