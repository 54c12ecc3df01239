// mlockall first, then a mixed life: nothing is populated that was not asked for, calloc is zero.
#define CASE_NO_MAIN
#include "case.h"
int main(void) {
  if (mlockall(MCL_CURRENT | MCL_FUTURE)) SKIP("mlockall: %s", strerror(errno));
  static char *p[500];
  for (int round = 0; round < 5; round++) {
    for (size_t i = 0; i < 500; i++) {
      size_t n = i % 50 ? i * 37 : i * 2000;
      CHECK(p[i] = calloc(1, n));
      CHECKF(not_zero(p[i], n) < 0, "%zu", n);
      memset(p[i], 0xff, n);
    }
    for (size_t i = 0; i < 500; i++) free(p[i]);
    if (round == 2) malloc_trim(0);
    if (round == 3) sleep(1);
  }
  char *large = malloc(80 * MiB);
  CHECK(large);
  memset(large, 1, 80 * MiB);
  free(large);
  CHECK((large = calloc(1, 80 * MiB)) && not_zero(large, 80 * MiB) < 0);
  free(large);
  CHECKF(rss_bytes() < 300 * MiB, "RSS %zu MiB", rss_bytes() >> 20);
  return 0;
}
