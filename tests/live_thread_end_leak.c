// 2,000 threads leave blocks behind that main frees: no growth from the 200th to the 2,000th.
#define CASE_NO_MAIN
#include "case.h"
static char *left[60];
static void *body(void *arg) {
  for (size_t i = 0; i < 60; i++) CHECK(left[i] = malloc(20 + i * i * 10)), fill(left[i], 20 + i * i * 10, i);
  return arg;
}
int main(void) {
  size_t at_200 = 0;
  for (int round = 0; round < 2000; round++) {
    if (round == 200) at_200 = rss_bytes();
    run_thread(body, NULL);
    for (size_t i = 0; i < 60; i++) CHECK(unlike(left[i], 20 + i * i * 10, i) < 0), free(left[i]);
  }
  CHECKF(rss_bytes() < at_200 + 2 * MiB, "RSS %zu -> %zu KiB", at_200 >> 10, rss_bytes() >> 10);
  return 0;
}
