// 200 threads on few processors, all alive, allocating and freeing with content checks; no hoard is left (peers: 5 to 130 MiB).
#define CASE_NO_MAIN
#include "case.h"
static void *body(void *arg) {
  uint64_t r = (uint64_t)(uintptr_t)arg;
  char *p[50] = {0};
  size_t n[50] = {0};
  for (int i = 0; i < 20000; i++) {
    size_t k = next_random(&r) % 50;
    CHECK(unlike(p[k], n[k], k + (uintptr_t)arg) < 0);
    free(p[k]);
    n[k] = 1 + next_random(&r) % ((size_t)1 << (3 + next_random(&r) % 11));
    CHECK(p[k] = malloc(n[k]));
    fill(p[k], n[k], k + (uintptr_t)arg);
  }
  for (int k = 0; k < 50; k++) free(p[k]);
  return NULL;
}
int main(void) {
  static pthread_t t[200];
  for (int round = 0; round < 2; round++) {
    for (uintptr_t i = 0; i < 200; i++) t[i] = start_thread(body, (void *)(i * 1000 + 1));
    for (int i = 0; i < 200; i++) join_thread(t[i]);
  }
  CHECKF(rss_bytes() < 200 * MiB, "RSS %zu MiB", rss_bytes() >> 20);
  return 0;
}
