// Four producers, four consumers: every block is freed by another thread than its own, contents checked.
#define CASE_NO_MAIN
#include "case.h"
enum { RING = 512, EACH = 300000 };
static struct {
  void *volatile slot[RING];
} ring[4];
static void *produces(void *arg) {
  uintptr_t me = (uintptr_t)arg;
  for (uint64_t i = 0; i < EACH; i++) {
    size_t n = 24 + mix64(i + me) % (i % 100 ? 500 : 60000);
    uint64_t *p = i % 7 ? malloc(n) : i % 2 ? calloc(1, n) : memalign(64, n);
    CHECK(p);
    p[0] = n, p[1] = i;
    fill(p + 2, n - 16, i * 5 + me);
    while (__atomic_load_n(&ring[me].slot[i % RING], __ATOMIC_ACQUIRE)) sched_yield();
    __atomic_store_n(&ring[me].slot[i % RING], p, __ATOMIC_RELEASE);
  }
  return NULL;
}
static void *consumes(void *arg) {
  uintptr_t me = (uintptr_t)arg;
  for (uint64_t i = 0; i < EACH; i++) {
    uint64_t *p;
    while (!(p = __atomic_load_n(&ring[me].slot[i % RING], __ATOMIC_ACQUIRE))) sched_yield();
    __atomic_store_n(&ring[me].slot[i % RING], NULL, __ATOMIC_RELEASE);
    CHECK(p[1] == i);
    long at = unlike(p + 2, p[0] - 16, i * 5 + me);
    CHECKF(at < 0, "block of %d bytes, byte %ld", (int)p[0], at + 16);
    if (i % 5 == 0) CHECK(p = realloc(p, p[0] * 2));
    free(p);
  }
  return NULL;
}
int main(void) {
  pthread_t t[8];
  for (uintptr_t i = 0; i < 4; i++) t[i] = start_thread(produces, (void *)i), t[i + 4] = start_thread(consumes, (void *)i);
  for (int i = 0; i < 8; i++) join_thread(t[i]);
  return 0;
}
