/*
 * A server, after Larson: each thread replaces blocks in its table at random, and after a while
 * hands the table to a new thread and ends; now and then a block goes to another chain.
 * usage: server THREADS [latency]     latency: every call is timed, the tail is printed; calls
 * are judged undisturbed if the thread was not preempted since the last look, 1,024 calls ago.
 */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <sys/resource.h>
#include <time.h>
#include "bench.h"

enum { TABLE = 2000, GENERATIONS = 20, SHARED = 256, BUCKETS = 64 * 32, LOOK = 1024 };

/* The longest call of all, and the longest during which the thread was not preempted. */
struct tail {
	uint64_t count[BUCKETS], longest, undisturbed;
};

struct chain {
	struct rng rng;
	void *table[TABLE];
	struct tail took, gave;
	long preempted; /* as often as this, when last looked */
	size_t ops;
	int generation;
	pthread_t heir;
};
static _Atomic(void *) shared[SHARED];
static _Atomic int chains_left;
static int latency;

static inline uint64_t ticks(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
	uint64_t t;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(t));
	return t;
#else
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
#endif
}

/* 32 buckets per doubling. */
static unsigned bucket_of(uint64_t v)
{
	unsigned log = 63u - (unsigned)__builtin_clzll(v | 1);

	return log < 5 ? (unsigned)v : (log - 4) * 32 + (unsigned)((v >> (log - 5)) & 31);
}

static double bucket_ticks(unsigned b)
{
	return b < 32 ? b : (double)((32ull + b % 32) << (b / 32 - 1));
}

static int was_preempted(struct chain *c)
{
	struct rusage used;
	long before = c->preempted;

	getrusage(RUSAGE_THREAD, &used);
	c->preempted = used.ru_nivcsw;
	return c->preempted != before;
}

static void note(struct chain *c, struct tail *tail, uint64_t t)
{
	tail->count[bucket_of(t)]++;
	if (t > tail->longest)
		tail->longest = t;
	if (t > tail->undisturbed && !was_preempted(c))
		tail->undisturbed = t;
}

static void *take(struct chain *c, size_t size)
{
	uint64_t t;
	void *p;

	if (!latency)
		return bench_take(size);
	t = ticks();
	p = malloc(size);
	note(c, &c->took, ticks() - t);
	if (!p)
		exit(1);
	*(uint64_t *)p = size;
	return p;
}

static void give(struct chain *c, void *p)
{
	uint64_t t;

	if (!latency) {
		free(p);
		return;
	}
	t = ticks();
	free(p);
	note(c, &c->gave, ticks() - t);
}

static void *live(void *arg)
{
	struct chain *c = arg;

	was_preempted(c);
	for (size_t i = 0; i < c->ops; i++) {
		size_t k = rng_below(&c->rng, TABLE);

		if (i % 64 == 0)
			c->table[k] = atomic_exchange(&shared[rng_below(&c->rng, SHARED)], c->table[k]);
		if (latency && i % LOOK == 0)
			was_preempted(c);
		give(c, c->table[k]);
		c->table[k] = take(c, rng_size(&c->rng));
	}
	if (++c->generation < GENERATIONS) {
		bench_start(&c->heir, live, c);
		pthread_detach(c->heir);
	} else {
		chains_left--;
	}
	return NULL;
}

static double tick_ns(void)
{
	struct timespec a, b, nap = {0, 20000000};
	uint64_t t = ticks();

	clock_gettime(CLOCK_MONOTONIC, &a);
	nanosleep(&nap, NULL);
	t = ticks() - t;
	clock_gettime(CLOCK_MONOTONIC, &b);
	return ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / (double)t;
}

static void print_tail(const char *name, const struct tail *tail)
{
	const double part[] = {0.50, 0.999, 0.9999};
	const char *label[] = {"p50", "p99.9", "p99.99"};
	double ns = tick_ns();
	uint64_t all = 0;

	for (unsigned b = 0; b < BUCKETS; b++)
		all += tail->count[b];
	for (int i = 0; i < 3; i++) {
		uint64_t sum = 0;
		unsigned b = 0;

		while (b < BUCKETS - 1 && (double)(sum += tail->count[b]) < part[i] * (double)all)
			b++;
		printf("metric %s-%s %.0f ns\n", name, label[i], bucket_ticks(b) * ns);
	}
	printf("metric %s-max %.0f ns\n", name, (double)tail->undisturbed * ns);
	printf("metric %s-max-with-preemption %.0f ns\n", name, (double)tail->longest * ns);
}

static void add(struct tail *to, const struct tail *from)
{
	for (int b = 0; b < BUCKETS; b++)
		to->count[b] += from->count[b];
	if (from->longest > to->longest)
		to->longest = from->longest;
	if (from->undisturbed > to->undisturbed)
		to->undisturbed = from->undisturbed;
}

int main(int argc, char **argv)
{
	int threads = (int)bench_arg(argc, argv, 1, 4);
	struct chain *chain = calloc((size_t)threads, sizeof *chain);
	struct timespec nap = {0, 1000000};

	latency = argc > 2;
	chains_left = threads;
	for (int i = 0; i < threads; i++) {
		chain[i].rng.state = 100 + (uint64_t)i;
		chain[i].ops = bench_ops(16000000) / (size_t)threads / GENERATIONS;
		bench_start(&chain[i].heir, live, &chain[i]);
		pthread_detach(chain[i].heir);
	}
	while (chains_left)
		nanosleep(&nap, NULL);
	for (int i = 1; i < threads; i++) {
		add(&chain[0].took, &chain[i].took);
		add(&chain[0].gave, &chain[i].gave);
	}
	if (latency) {
		print_tail("malloc", &chain[0].took);
		print_tail("free", &chain[0].gave);
	}
	return 0;
}
