/* Blocks of 256 KiB to 4 MiB of which three pages are touched. */
#include "bench.h"

int main(void)
{
	enum { MANY = 24 };
	static char *block[MANY];
	struct rng rng = {17};
	size_t ops = bench_ops(300000);

	for (size_t i = 0; i < ops; i++) {
		size_t k = rng_below(&rng, MANY), size = rng_between(&rng, 256 << 10, 4 << 20);

		free(block[k]);
		block[k] = bench_take(size);
		block[k][size / 2] = 1;
		block[k][size - 1] = 1;
	}
	return 0;
}
