/* calloc of small and large blocks, of which the large ones are read in part. */
#include "bench.h"

int main(void)
{
	enum { MANY = 1000, FEW = 16 };
	static void *small[MANY];
	static unsigned char *large[FEW];
	struct rng rng = {9};
	size_t ops = bench_ops(4000000), sum = 0;

	for (size_t i = 0; i < ops; i++) {
		size_t k = rng_below(&rng, MANY), size = rng_between(&rng, 16, 2048);
		unsigned char *p = calloc(1, size);

		if (!p || p[size - 1])
			return 1;
		memset(p, 1, size < 256 ? size : 256);
		free(small[k]);
		small[k] = p;
		if (i % 200)
			continue;
		k = rng_below(&rng, FEW);
		size = rng_between(&rng, 32 << 10, 1 << 20);
		free(large[k]);
		large[k] = calloc(size / 8, 8);
		if (!large[k])
			return 1;
		for (size_t at = 0; at < size / 4; at += 4096)
			sum += large[k][at]++;
	}
	return sum != 0;
}
