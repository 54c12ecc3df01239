// A whole mixed life: every function, every size, threads, remote frees, forks, trims. Other tests include it under options.
#define CASE_NO_MAIN
#include "case.h"
enum { SHARED = 256, OWN = 200 };
static void *volatile shared[SHARED];
static void check_and_free(uint64_t *p) {
  if (!p) return;
  long at = unlike(p + 2, p[0] - 16, p[1]);
  CHECKF(at < 0, "a block of %d bytes, byte %ld", (int)p[0], at + 16);
  CHECK(malloc_usable_size(p) >= p[0]);
  errno = 61;
  free(p);
  CHECK(errno == 61);
}
static uint64_t *take(uint64_t *r) {
  size_t n = 16 + next_random(r) % ((size_t)1 << (5 + next_random(r) % 12));
  if (next_random(r) % 400 == 0) n = 16 + next_random(r) % (3 * MiB);
  uint64_t *p = NULL;
  void *q = NULL;
  switch (next_random(r) % 8) {
  case 0: CHECK((p = calloc(1, n)) && not_zero(p, n) < 0); break;
  case 1: {
    size_t align = (size_t)16 << next_random(r) % 9;
    p = memalign(align, n);
    CHECKF(p && ((uintptr_t)p & (align - 1)) == 0, "memalign(%zu, %zu) gave %p", align, n, (void *)p);
    break;
  }
  case 2: CHECK((p = realloc(malloc(n / 2 + 1), n))); break;
  case 3: CHECK((p = aligned_alloc(64, n)) && ((uintptr_t)p & 63) == 0); break;
  case 4: CHECK(posix_memalign(&q, 4096, n) == 0 && ((uintptr_t)q & 4095) == 0); p = q; break;
  case 5: CHECK((p = reallocarray(NULL, (n + 7) / 8, 8))); break;
  default: CHECK((p = malloc(n)));
  }
  CHECK(((uintptr_t)p & 15) == 0);
  p[0] = n, p[1] = next_random(r);
  fill(p + 2, n - 16, p[1]);
  return p;
}
static void *life(void *arg) {
  uint64_t r = (uint64_t)(uintptr_t)arg, *own[OWN] = {0};
  for (int i = 0; i < 15000; i++) {
    size_t k = next_random(&r) % OWN;
    check_and_free(own[k]);
    own[k] = take(&r);
    if (i % 3 == 0) own[k] = __atomic_exchange_n((uint64_t **)&shared[next_random(&r) % SHARED], own[k], __ATOMIC_ACQ_REL);
  }
  for (int k = 0; k < OWN; k++) check_and_free(own[k]);
  return NULL;
}
int main(void) {
  for (int round = 0; round < 3; round++) {
    pthread_t t[6];
    for (uintptr_t i = 0; i < 6; i++) t[i] = start_thread(life, (void *)(i + 1 + (uintptr_t)round * 10));
    for (int i = 0; i < 10; i++) {
      pid_t pid = fork();
      CHECK(pid >= 0);
      if (pid == 0) {
        for (int k = 0; k < SHARED; k += 2) check_and_free(shared[k]);
        uint64_t x = 5;
        for (int k = 0; k < 300; k++) check_and_free(take(&x));
        exit(0);
      }
      CHECK_CHILD(pid);
    }
    for (int i = 0; i < 6; i++) join_thread(t[i]);
    malloc_trim(0);
    char *large = malloc(90 * MiB);
    CHECK(large);
    fill_sparse(large, 90 * MiB, 1);
    CHECK((large = realloc(large, 140 * MiB)) && unlike_sparse(large, 90 * MiB, 1, 0) < 0);
    free(large);
  }
  for (int k = 0; k < SHARED; k++) check_and_free(shared[k]);
  errno = 0;
  CHECK(malloc(hide(PTRDIFF_MAX)) == NULL && errno == ENOMEM);
  CHECK(realloc(malloc(10), hide(0)) == NULL);
  return 0;
}
