// 2,000 short threads whose last destructors allocate: no growth from the 200th to the 2,000th.
#define CASE_NO_MAIN
#include "case.h"
#include <limits.h>
static pthread_key_t key[3];
static void end(void *arg) {
  size_t round = (size_t)(uintptr_t)arg;
  for (size_t n = 20; n < 50000; n *= 3) {
    char *p = malloc(n);
    CHECK(p);
    memset(p, 1, n);
    free(p);
  }
  if (round < PTHREAD_DESTRUCTOR_ITERATIONS)
    for (int i = 0; i < 3; i++) CHECK(pthread_setspecific(key[i], (void *)(uintptr_t)(round + 1)) == 0);
}
static void *body(void *arg) {
  for (int i = 0; i < 3; i++) CHECK(pthread_setspecific(key[i], (void *)(uintptr_t)1) == 0);
  for (size_t n = 10; n < 200000; n *= 2) free(memset(malloc(n), 1, n));
  return arg;
}
int main(void) {
  for (int i = 0; i < 3; i++) CHECK(pthread_key_create(&key[i], end) == 0);
  size_t at_200 = 0, reserved_at_200 = 0;
  for (int i = 0; i < 2000; i++) {
    if (i == 200) at_200 = rss_bytes(), reserved_at_200 = virtual_bytes();
    run_thread(body, NULL);
  }
  size_t at_2000 = rss_bytes(), reserved_at_2000 = virtual_bytes();
  CHECKF(at_2000 < at_200 + MiB, "RSS %zu -> %zu KiB", at_200 >> 10, at_2000 >> 10);
  CHECKF(reserved_at_2000 < reserved_at_200 + 80 * MiB, "virtual %zu -> %zu KiB", reserved_at_200 >> 10, reserved_at_2000 >> 10);
  return 0;
}
