// mlockall, then a block grows by realloc from 5 to 80 MiB: what was locked stays locked, the neighbours too.
#define CASE_NO_MAIN
#include "case.h"
static size_t locked_bytes(void) {
  static char text[8192];
  int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
  CHECK(fd >= 0);
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  CHECK(n > 0);
  text[n] = 0;
  char *line = strstr(text, "VmLck:");
  CHECK(line);
  return strtoul(line + 6, NULL, 10) * KiB;
}
int main(void) {
  static char *small[300];
  for (int i = 0; i < 300; i++) CHECK(small[i] = memset(malloc(60000), i, 60000));
  char *p = memset(malloc(5 * MiB), 1, 5 * MiB), *next = memset(malloc(64 * KiB), 1, 64 * KiB); /* growth in place ends here */
  fill(p, 5 * MiB, 7);
  if (mlockall(MCL_CURRENT)) SKIP("mlockall: %s", strerror(errno));
  size_t before = locked_bytes();
  CHECKF(before > 20 * MiB, "locked %zu KiB", before >> 10);
  p = realloc(p, 80 * MiB);
  if (!p) SKIP("80 MiB may not be locked here");
  size_t after = locked_bytes();
  CHECK(unlike(p, 5 * MiB, 7) < 0);
  CHECKF(after + 6 * MiB > before, "locked before: %zu KiB, after: %zu KiB", before >> 10, after >> 10);
  free(p), free(next);
  for (int i = 0; i < 300; i++) CHECK(small[i][59999] == (char)i), free(small[i]);
  return 0;
}
