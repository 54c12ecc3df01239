/* Producers allocate messages, consumers free them. usage: pipeline PAIRS */
#include "bench.h"

enum { BATCH = 64, DEPTH = 32 };

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	void *batch[DEPTH][BATCH];
	size_t in, out, batches;
};

static void *produce(void *arg)
{
	struct queue *q = arg;
	struct rng rng = {3};
	void *message[BATCH];

	for (size_t n = 0; n < q->batches; n++) {
		for (int i = 0; i < BATCH; i++)
			message[i] = bench_take(rng_between(&rng, 32, 1024));
		pthread_mutex_lock(&q->lock);
		while (q->in - q->out == DEPTH)
			pthread_cond_wait(&q->changed, &q->lock);
		memcpy(q->batch[q->in++ % DEPTH], message, sizeof message);
		pthread_cond_signal(&q->changed);
		pthread_mutex_unlock(&q->lock);
	}
	return NULL;
}

static void *consume(void *arg)
{
	struct queue *q = arg;
	void *message[BATCH];

	for (size_t n = 0; n < q->batches; n++) {
		pthread_mutex_lock(&q->lock);
		while (q->in == q->out)
			pthread_cond_wait(&q->changed, &q->lock);
		memcpy(message, q->batch[q->out++ % DEPTH], sizeof message);
		pthread_cond_signal(&q->changed);
		pthread_mutex_unlock(&q->lock);
		for (int i = 0; i < BATCH; i++)
			free(message[i]);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	size_t pairs = bench_arg(argc, argv, 1, 2);
	struct queue *queue = calloc(pairs, sizeof *queue);
	pthread_t *thread = calloc(2 * pairs, sizeof *thread);

	for (size_t i = 0; i < pairs; i++) {
		pthread_mutex_init(&queue[i].lock, NULL);
		pthread_cond_init(&queue[i].changed, NULL);
		queue[i].batches = bench_ops(8000000) / BATCH / pairs;
		bench_start(&thread[2 * i], produce, &queue[i]);
		bench_start(&thread[2 * i + 1], consume, &queue[i]);
	}
	for (size_t i = 0; i < 2 * pairs; i++)
		pthread_join(thread[i], NULL);
	free(thread);
	free(queue);
	return 0;
}
