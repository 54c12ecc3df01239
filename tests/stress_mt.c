// args: 6 10
// long: 16 120
// timeout: 90
/* stress_mt [THREADS [SECONDS [SEED]]]
 * Threads that live for a while, die and are born anew, take blocks of 1 byte
 * to 80 MiB by every function, pass some of them to each other and check the
 * content of each when it is freed: a block handed out twice, overlapping or
 * written to by the allocator shows as a wrong content. On failure: the seed. */
#define CASE_NO_MAIN
#include "case.h"

enum { SHARED = 512, OWN = 300 };
struct block {
  void *p;
  size_t bytes;
  uint64_t seed;
};
static struct block shared[SHARED];
static pthread_mutex_t shared_lock[SHARED];
static uint64_t seed;
static volatile int stop;
static size_t large_live; /* bytes in blocks above 16 MiB, kept below 400 MiB */

#define BAD(...) (case_say("not ok", __VA_ARGS__), case_say("seed", "%llu", (unsigned long long)seed), _exit(1))

static size_t any_size(uint64_t *r) {
  uint64_t kind = next_random(r) % 1000;
  if (kind < 700) return 1 + next_random(r) % 512;
  if (kind < 900) return 1 + next_random(r) % 8192;
  if (kind < 970) return 1 + next_random(r) % 65536;
  if (kind < 998) return 1 + next_random(r) % (2 * MiB);
  return kind == 998 ? 1 + next_random(r) % (20 * MiB) : 60 * MiB + next_random(r) % (20 * MiB);
}
static int is_sparse(size_t bytes) { return bytes > 64 * KiB; }
static void put(struct block *b) {
  if (is_sparse(b->bytes))
    fill_sparse(b->p, b->bytes, b->seed);
  else
    fill(b->p, b->bytes, b->seed);
}
static void check(const struct block *b, size_t bytes) {
  long at = is_sparse(b->bytes) ? unlike_sparse(b->p, bytes, b->seed, bytes == b->bytes) : unlike(b->p, bytes, b->seed);
  if (at >= 0) BAD("block %p of %zu bytes is wrong at %ld", b->p, b->bytes, at);
}
static void take(struct block *b, uint64_t *r) {
  size_t n = any_size(r), align = 16;
  if (n > 16 * MiB && __atomic_add_fetch(&large_live, n, __ATOMIC_RELAXED) > 400 * MiB) {
    __atomic_sub_fetch(&large_live, n, __ATOMIC_RELAXED);
    n = 100;
  }
  uint64_t how = next_random(r) % 16;
  if (how < 9) {
    b->p = malloc(n);
  } else if (how < 12) {
    b->p = calloc(1, n);
    if (b->p && not_zero(b->p, is_sparse(n) ? 64 * KiB : n) >= 0) BAD("calloc(1, %zu) is not zero at %ld", n, not_zero(b->p, n));
  } else if (how < 14) {
    align = (size_t)16 << next_random(r) % (next_random(r) % 50 ? 9 : 17);
    b->p = memalign(align, n);
  } else {
    b->p = realloc(malloc(1 + next_random(r) % 1000), n);
  }
  if (!b->p) BAD("no block of %zu bytes, errno %d", n, errno);
  if ((uintptr_t)b->p & (align - 1)) BAD("%p of %zu bytes is not aligned to %zu", b->p, n, align);
  if (malloc_usable_size(b->p) < n) BAD("usable size %zu of %zu", malloc_usable_size(b->p), n);
  b->bytes = n, b->seed = next_random(r);
  put(b);
}
static void give(struct block *b) {
  if (!b->p) return;
  check(b, b->bytes);
  if (b->bytes > 16 * MiB) __atomic_sub_fetch(&large_live, b->bytes, __ATOMIC_RELAXED);
  if (!is_sparse(b->bytes)) memset(b->p, 0xdb, b->bytes);
  free(b->p);
  b->p = NULL;
}
static void resize(struct block *b, uint64_t *r) {
  if (!b->p || b->bytes > 16 * MiB) return;
  size_t n = any_size(r);
  if (n > 16 * MiB) return;
  void *p = realloc(b->p, n);
  if (!p) BAD("realloc(%zu) failed, errno %d", n, errno);
  b->p = p;
  if (is_sparse(b->bytes) == is_sparse(n)) {
    struct block kept = *b;
    if (n < kept.bytes) check(&kept, n);
    if (n > kept.bytes) check(&kept, is_sparse(n) ? kept.bytes - 1 : kept.bytes);
  } else {
    uint64_t word = mix64(b->seed);
    if (n >= 8 && b->bytes >= 8 && memcmp(p, &word, 8)) BAD("realloc %zu -> %zu lost the first bytes", b->bytes, n);
  }
  b->bytes = n;
  put(b);
}
static void *life(void *arg) {
  uint64_t r = (uint64_t)(uintptr_t)arg;
  static __thread struct block own[OWN];
  memset(own, 0, sizeof own);
  int steps = 500 + (int)(next_random(&r) % 6000), keep = (int)(next_random(&r) % 4) == 0;
  for (int i = 0; i < steps && !stop; i++) {
    struct block *b = &own[next_random(&r) % OWN];
    uint64_t what = next_random(&r) % 16;
    if (what < 9) {
      give(b);
      take(b, &r);
    } else if (what < 11) {
      give(b);
    } else if (what < 13) {
      resize(b, &r);
    } else {
      size_t k = next_random(&r) % SHARED;
      pthread_mutex_lock(&shared_lock[k]);
      struct block mine = *b;
      *b = shared[k], shared[k] = mine;
      pthread_mutex_unlock(&shared_lock[k]);
    }
    if (what == 0 && next_random(&r) % 3000 == 0) malloc_trim(0);
    if (what == 1 && next_random(&r) % 500 == 0) usleep((unsigned)(next_random(&r) % 3000));
  }
  for (int k = 0; k < OWN; k++) {
    if (keep && own[k].p) { /* the dying thread leaves its blocks to the others */
      pthread_mutex_lock(&shared_lock[k]);
      struct block mine = own[k];
      own[k] = shared[k], shared[k] = mine;
      pthread_mutex_unlock(&shared_lock[k]);
    }
    give(&own[k]);
  }
  return NULL;
}
int main(int argc, char **argv) {
  int threads = argc > 1 ? atoi(argv[1]) : 6;
  double secs = argc > 2 ? atof(argv[2]) : 10;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  seed = argc > 3 ? strtoull(argv[3], NULL, 10) : mix64((uint64_t)now.tv_nsec ^ (uint64_t)getpid()) % 1000000000;
  for (int k = 0; k < SHARED; k++) pthread_mutex_init(&shared_lock[k], NULL);
  uint64_t r = seed;
  long born = 0;
  pthread_t t[256];
  if (threads < 1 || threads > 256) return 2;
  for (int i = 0; i < threads; i++, born++) t[i] = start_thread(life, (void *)(uintptr_t)(next_random(&r) >> 1));
  for (double end = seconds_now() + secs; seconds_now() < end;)
    for (int i = 0; i < threads && seconds_now() < end; i++, born++) {
      join_thread(t[i]);
      t[i] = start_thread(life, (void *)(uintptr_t)(next_random(&r) >> 1));
    }
  stop = 1;
  for (int i = 0; i < threads; i++) join_thread(t[i]);
  for (int k = 0; k < SHARED; k++) give(&shared[k]);
  if (large_live) BAD("%zu bytes counted as large are left", large_live);
  printf("seed %llu, %ld threads\n", (unsigned long long)seed, born);
  return 0;
}
