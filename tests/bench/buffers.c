/* I/O buffers of 4 to 64 KiB, some dozens in flight; a header and a trailer are written. */
#include "bench.h"

int main(void)
{
	enum { FLIGHT = 48 };
	static void *buffer[FLIGHT];
	static const size_t round[] = {4096, 8192, 16384, 32768, 65536, 4096 + 64, 16384 + 64};
	struct rng rng = {13};
	size_t ops = bench_ops(6000000);

	for (size_t i = 0; i < ops; i++) {
		size_t k = rng_below(&rng, FLIGHT);
		size_t size = i & 1 ? round[rng_below(&rng, 7)] : rng_between(&rng, 4096, 65536);
		char *p;

		free(buffer[k]);
		p = bench_take(size);
		p[size - 1] = 1;
		buffer[k] = p;
	}
	return 0;
}
