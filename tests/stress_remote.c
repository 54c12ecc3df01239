// args: 4 10
// long: 8 120
// timeout: 90
/* stress_remote [PAIRS [SECONDS [SEED]]]
 * Remote frees against the taking of memory from sleeping and dying owners.
 * An owner fills spans of one size, hands most of its blocks to a freer and
 * keeps a few; the freer frees them in an order of its own, pausing at random
 * points (sched_yield, short sleeps, busy loops), while the owner sleeps,
 * dies, trims or goes on allocating the same size. The kept blocks and every
 * new one are checked: memory taken from an owner that still has a block in
 * it, or given out twice, shows as a wrong content. */
#define CASE_NO_MAIN
#include "case.h"

enum { BATCH = 3000 };
struct pair {
  pthread_mutex_t lock;
  pthread_cond_t change;
  char *handed[BATCH];
  size_t count, bytes;
  uint64_t round, random;
  int ready;
};
static uint64_t seed;
static volatile int stop;
static long rounds;
#define BAD(...) (case_say("not ok", __VA_ARGS__), case_say("seed", "%llu", (unsigned long long)seed), _exit(1))

static void pause_somehow(uint64_t *r) {
  switch (next_random(r) % 600) {
  case 0: usleep((unsigned)(next_random(r) % 400)); break;
  case 1: case 2: case 3: case 4: sched_yield(); break;
  case 5: case 6:
    for (volatile uint64_t i = next_random(r) % 3000; i; i--) {}
    break;
  }
}
static size_t any_size(uint64_t *r) {
  uint64_t kind = next_random(r) % 10;
  if (kind < 6) return 16 + next_random(r) % 300;
  if (kind < 8) return 300 + next_random(r) % 3500;
  return kind == 8 ? 4096 + next_random(r) % 28000 : 33000 + next_random(r) % 100000;
}
static void *frees(void *arg) {
  struct pair *p = arg;
  uint64_t r = p->random ^ 0x1234567;
  for (;;) {
    pthread_mutex_lock(&p->lock);
    while (!p->ready && !stop) pthread_cond_wait(&p->change, &p->lock);
    size_t count = p->ready ? p->count : 0, bytes = p->bytes;
    uint64_t round = p->round;
    char *mine[BATCH];
    memcpy(mine, p->handed, count * sizeof *mine);
    p->ready = 0;
    pthread_cond_broadcast(&p->change);
    pthread_mutex_unlock(&p->lock);
    if (!count) return NULL;
    int order = (int)(next_random(&r) % 3);
    for (size_t i = 0; i < count; i++) {
      size_t k = order == 0 ? i : order == 1 ? count - 1 - i : i;
      if (order == 2) { /* a random one of those that are left */
        size_t j = i + next_random(&r) % (count - i);
        char *swap = mine[j];
        mine[j] = mine[i], mine[i] = swap;
      }
      uint64_t tag;
      memcpy(&tag, mine[k], 8);
      if (unlike(mine[k] + 8, bytes - 8, tag) >= 0 || tag >> 32 != (round & 0xffffffff)) BAD("a handed block of %zu bytes is wrong", bytes);
      memset(mine[k], 0xdb, bytes);
      free(mine[k]);
      pause_somehow(&r);
    }
  }
}
/* One generation of an owner: a thread that hands out a few batches and dies. */
static void *owns(void *arg) {
  struct pair *p = arg;
  uint64_t r = next_random(&p->random);
  for (int generation = (int)(next_random(&r) % 6) + 1; generation-- && !stop;) {
    size_t bytes = any_size(&r), total = bytes > 4096 ? 200 : BATCH, handed = 0, kept_count = 0;
    char *batch[BATCH], *kept[BATCH];
    uint64_t round = p->round + 1, keep_one_in = 2 + next_random(&r) % 200;
    for (size_t i = 0; i < total; i++) {
      char *b = malloc(bytes);
      if (!b) BAD("no block of %zu bytes", bytes);
      uint64_t tag = (round & 0xffffffff) << 32 | i;
      memcpy(b, &tag, 8);
      fill(b + 8, bytes - 8, tag);
      if (next_random(&r) % keep_one_in == 0)
        kept[kept_count++] = b;
      else
        batch[handed++] = b;
    }
    if (!handed) batch[handed++] = kept[--kept_count];
    pthread_mutex_lock(&p->lock);
    while (p->ready) pthread_cond_wait(&p->change, &p->lock);
    memcpy(p->handed, batch, handed * sizeof *batch);
    p->count = handed, p->bytes = bytes, p->round = round, p->ready = 1;
    pthread_cond_broadcast(&p->change);
    pthread_mutex_unlock(&p->lock);
    switch (next_random(&r) % 6) { /* what the owner does while its blocks are freed */
    case 0: usleep((unsigned)(next_random(&r) % 20000)); break;
    case 1: malloc_trim(0); break;
    case 2: case 3:
      for (int i = 0; i < 3000; i++) {
        char *b = calloc(1, bytes);
        if (!b || not_zero(b, bytes > 4096 ? 4096 : bytes) >= 0) BAD("calloc(1, %zu) is not zero", bytes);
        memset(b, 0xee, bytes > 4096 ? 4096 : bytes);
        free(b);
        pause_somehow(&r);
      }
      break;
    case 4: free(malloc(any_size(&r))); break;
    }
    for (size_t i = 0; i < kept_count; i++) {
      uint64_t tag;
      memcpy(&tag, kept[i], 8);
      if (unlike(kept[i] + 8, bytes - 8, tag) >= 0 || tag >> 32 != (round & 0xffffffff)) BAD("a kept block of %zu bytes is wrong", bytes);
      free(kept[i]);
      pause_somehow(&r);
    }
    __atomic_add_fetch(&rounds, 1, __ATOMIC_RELAXED);
  }
  return NULL;
}
static void *owners(void *arg) { /* each generation is a thread of its own */
  while (!stop) run_thread(owns, arg);
  return NULL;
}
static void *trims(void *arg) {
  while (!stop) usleep(7000), malloc_trim(0);
  return arg;
}
int main(int argc, char **argv) {
  int pairs = argc > 1 ? atoi(argv[1]) : 4;
  double secs = argc > 2 ? atof(argv[2]) : 10;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  seed = argc > 3 ? strtoull(argv[3], NULL, 10) : mix64((uint64_t)now.tv_nsec ^ (uint64_t)getpid()) % 1000000000;
  if (pairs < 1 || pairs > 64) return 2;
  struct pair *p = calloc((size_t)pairs, sizeof *p);
  pthread_t owner[64], freer[64], trimmer = start_thread(trims, NULL);
  uint64_t r = seed;
  for (int i = 0; i < pairs; i++) {
    pthread_mutex_init(&p[i].lock, NULL);
    pthread_cond_init(&p[i].change, NULL);
    p[i].random = next_random(&r);
    freer[i] = start_thread(frees, &p[i]);
    owner[i] = start_thread(owners, &p[i]);
  }
  for (double end = seconds_now() + secs; seconds_now() < end;) usleep(50000);
  stop = 1;
  for (int i = 0; i < pairs; i++) join_thread(owner[i]);
  for (int i = 0; i < pairs; i++) {
    pthread_mutex_lock(&p[i].lock);
    pthread_cond_broadcast(&p[i].change);
    pthread_mutex_unlock(&p[i].lock);
    join_thread(freer[i]);
  }
  join_thread(trimmer);
  free(p);
  if (rounds < 50) BAD("only %ld rounds", rounds);
  printf("seed %llu, %ld rounds\n", (unsigned long long)seed, rounds);
  return 0;
}
