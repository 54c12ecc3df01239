/* A realistic mix of sizes, with long and short lives: each block is freed at its own time. */
#include "bench.h"

enum { WHEEL = 1 << 18 };

struct block {
	struct block *next;
};
static struct block *due[WHEEL];

/* Half live for less than 64 steps, some for a thousand, a few for 200,000. */
static size_t life(struct rng *rng)
{
	size_t dice = rng_below(rng, 1000);

	if (dice < 600)
		return rng_between(rng, 1, 64);
	if (dice < 900)
		return rng_between(rng, 65, 1000);
	if (dice < 990)
		return rng_between(rng, 1001, 20000);
	return rng_between(rng, 20001, 200000);
}

int main(void)
{
	struct rng rng = {11};
	size_t ops = bench_ops(10000000);

	for (size_t t = 0; t < ops; t++) {
		struct block *b = bench_take(rng_size(&rng)), **slot = &due[t % WHEEL];

		while (*slot) {
			struct block *old = *slot;

			*slot = old->next;
			free(old);
		}
		slot = &due[(t + life(&rng)) % WHEEL];
		b->next = *slot;
		*slot = b;
	}
	return 0;
}
