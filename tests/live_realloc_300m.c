// Growth by realloc to 300 MiB in 1 MiB steps beside a second one: by moving pages, not by copying.
#define CASE_NO_MAIN
#include "case.h"
int main(void) {
  char *p = NULL, *q = NULL;
  double start = seconds_now();
  for (size_t n = MiB; n <= 300 * MiB; n += MiB) {
    CHECK(p = realloc(p, n));
    CHECK(unlike_sparse(p, n - MiB, 1, 0) < 0);
    fill_sparse(p + (n - MiB), MiB, 1), fill_sparse(p, n, 1);
    CHECK(q = realloc(q, n + 100));
    q[n - 1] = (char)(n >> 20);
  }
  for (size_t n = MiB; n <= 300 * MiB; n += MiB) CHECK(q[n - 1] == (char)(n >> 20));
  CHECK(unlike_sparse(p, 300 * MiB, 1, 1) < 0);
  free(p), free(q);
  CHECKF(seconds_now() - start < 20, "took %.1f s", seconds_now() - start);
  CHECKF(rss_bytes() < 700 * MiB, "RSS %zu MiB", rss_bytes() >> 20);
  return 0;
}
