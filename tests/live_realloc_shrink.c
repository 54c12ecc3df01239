// With memory exhausted a realloc to less never fails: the block is smaller, or stays as it is.
#define CASE_NO_MAIN
#include "case.h"
static const size_t from[] = {64, 1000, 3000, 9000, 30000, 200000, 3 * MiB, 20 * MiB};
int main(void) {
  static char *p[COUNT(from)][4];
  for (size_t i = 0; i < COUNT(from); i++)
    for (int k = 0; k < 4; k++) CHECK(p[i][k] = malloc(from[i])), fill(p[i][k], from[i], i);
  struct rlimit limit = {192 * MiB, 192 * MiB};
  if (setrlimit(RLIMIT_DATA, &limit)) SKIP("setrlimit: %s", strerror(errno));
  for (size_t n = 8 * MiB; n; n /= 2) /* all sizes, down to the last byte */
    while (malloc(n)) continue;
  for (size_t i = 0; i < COUNT(from); i++)
    for (size_t k = 0; k < 4; k++) {
      size_t n = k == 0 ? 1 : from[i] * k / 5 + 1;
      errno = 77;
      char *q = realloc(p[i][k], n);
      CHECKF(q, "realloc from %zu to %zu, errno %d", from[i], n, errno);
      CHECKF(errno == 77, "realloc from %zu to %zu sets errno %d", from[i], n, errno);
      CHECK(malloc_usable_size(q) >= n && unlike(q, n & ~(size_t)7, i) < 0);
    }
  return 0;
}
