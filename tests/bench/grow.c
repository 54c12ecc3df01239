/* Growth by realloc. usage: grow strings|buffers|large */
#include "bench.h"

static void *grown(void *p, size_t size)
{
	p = realloc(p, size);
	if (!p)
		exit(1);
	return p;
}

/* A thousand strings, to each of which a few bytes are appended at a time. */
static void strings(size_t ops)
{
	enum { MANY = 1000 };
	static struct {
		char *text;
		size_t length;
	} s[MANY];
	struct rng rng = {5};

	for (size_t i = 0; i < ops; i++) {
		size_t k = rng_below(&rng, MANY), more = rng_between(&rng, 1, 32);

		if (s[k].length > 1000) {
			free(s[k].text);
			s[k].text = NULL;
			s[k].length = 0;
		}
		s[k].text = grown(s[k].text, s[k].length + more);
		memset(s[k].text + s[k].length, 'x', more);
		s[k].length += more;
	}
}

/* Two buffers in turn, from one step to the end; what is new is written. */
static void buffers(size_t step, size_t end, size_t rounds)
{
	while (rounds--) {
		char *p[2] = {NULL, NULL};

		for (size_t size = step; size <= end; size += step) {
			for (int k = 0; k < 2; k++) {
				p[k] = grown(p[k], size);
				memset(p[k] + size - step, 1, step);
			}
		}
		free(p[0]);
		free(p[1]);
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "strings";

	if (strcmp(what, "strings") == 0)
		strings(bench_ops(12000000));
	else if (strcmp(what, "buffers") == 0)
		buffers(4 << 10, 1 << 20, bench_ops(300));
	else
		buffers(1 << 20, 64 << 20, bench_ops(4));
	return 0;
}
