// A thread that only frees what main allocates: contents hold and memory is used again.
#define CASE_NO_MAIN
#include "case.h"
enum { RING = 4096 };
static void *volatile ring[RING];
static void *frees(void *arg) {
  for (size_t i = 0; i < 3000000; i++) {
    void *p;
    while (!(p = __atomic_load_n(&ring[i % RING], __ATOMIC_ACQUIRE))) sched_yield();
    __atomic_store_n(&ring[i % RING], NULL, __ATOMIC_RELEASE);
    if (*(size_t *)p != i) FAIL("block %zu holds %zu", i, *(size_t *)p);
    free(p);
  }
  return arg;
}
int main(void) {
  pthread_t t = start_thread(frees, NULL);
  size_t before = 0;
  for (size_t i = 0; i < 3000000; i++) {
    if (i == 300000) before = rss_bytes();
    size_t *p = malloc(8 + mix64(i) % 400);
    CHECK(p);
    *p = i;
    while (__atomic_load_n(&ring[i % RING], __ATOMIC_ACQUIRE)) sched_yield();
    __atomic_store_n(&ring[i % RING], p, __ATOMIC_RELEASE);
  }
  join_thread(t);
  CHECKF(rss_bytes() < before + 16 * MiB, "RSS %zu -> %zu KiB", before >> 10, rss_bytes() >> 10);
  return 0;
}
