/* What malloc.h offers beside the family: it must not lie, nor do nothing. */
#include "case.h"

CASE(malloc_trim_gives_pages_back) {
  enum { N = 200000 };
  static char *p[N];
  for (int i = 0; i < N; i++) CHECK(p[i] = malloc(600)), memset(p[i], 1, 600);
  for (int i = 0; i < N; i++)
    if (i % 5000) free(p[i]); /* a few live ones here and there keep the ends from moving */
  malloc_trim(0);
  size_t after = rss_bytes();
  CHECKF(after < 40 * MiB, "RSS %zu KiB after malloc_trim, 24 KiB are live", after >> 10);
  for (int i = 0; i < N; i += 5000) CHECK(p[i][599] == 1), free(p[i]);
}
CASE(malloc_trim_of_nothing) {
  for (int i = 0; i < 100; i++) {
    int r = malloc_trim(0);
    CHECKF(r == 0 || r == 1, "%d", r);
  }
  for (int i = 0; i < 5; i++) {
    char *p = malloc(300000);
    memset(p, 3, 300000);
    malloc_trim(i * MiB);
    CHECK(p[0] == 3 && p[299999] == 3);
    free(p);
  }
}
CASE(mallinfo2_counts_what_is_live) {
  enum { N = 2000 };
  static char *p[N];
  struct mallinfo2 a = mallinfo2();
  for (int i = 0; i < N; i++) CHECK(p[i] = malloc(30000)), memset(p[i], 1, 30000);
  struct mallinfo2 b = mallinfo2();
  size_t grown = b.uordblks + b.hblkhd - a.uordblks - a.hblkhd;
  CHECKF(grown >= 59 * 1000 * 1000 && grown < 100 * 1000 * 1000, "60 MB allocated, uordblks + hblkhd grew by %zu", grown);
  for (int i = 0; i < N; i++) free(p[i]);
  struct mallinfo2 c = mallinfo2();
  CHECKF(c.uordblks + c.hblkhd < a.uordblks + a.hblkhd + 10 * 1000 * 1000, "%zu left after the frees", c.uordblks + c.hblkhd);
}
CASE(mallinfo2_counts_large_blocks) {
  struct mallinfo2 a = mallinfo2();
  char *p = malloc(300 * MiB);
  struct mallinfo2 b = mallinfo2();
  size_t grown = b.uordblks + b.hblkhd - a.uordblks - a.hblkhd;
  CHECKF(grown >= 300 * MiB && grown < 330 * MiB, "grew by %zu", grown);
  free(p);
}
CASE(malloc_info_is_xml) {
  char *text = NULL;
  size_t size = 0;
  FILE *f = open_memstream(&text, &size);
  CHECK(malloc_info(0, f) == 0);
  fclose(f);
  CHECKF(strstr(text, "<malloc") && strstr(text, "</malloc>"), "%.100s", text);
  free(text);
}
CASE(malloc_info_wants_0) {
  errno = 0;
  int r = malloc_info(1, stdout);
  CHECKF(r == EINVAL || (r == -1 && errno == EINVAL), "%d", r);
}
CASE(malloc_stats_writes_to_stderr_only) {
  FILE *f = tmpfile();
  CHECK(f && dup2(fileno(f), 2) == 2);
  malloc_stats();
  fflush(stderr);
  CHECKF(lseek(fileno(f), 0, SEEK_END) > 20, "%ld bytes", (long)lseek(fileno(f), 0, SEEK_END));
}
CASE(mallopt_says_yes_and_harms_nothing) {
  CHECK(mallopt(M_MMAP_THRESHOLD, 128 * 1024) == 1);
  CHECK(mallopt(M_TRIM_THRESHOLD, 128 * 1024) == 1);
  CHECK(mallopt(M_ARENA_MAX, 2) == 1);
  for (size_t n = 1; n < 10000000; n *= 2) {
    char *p = malloc(n);
    fill(p, n, 1);
    CHECK(unlike(p, n, 1) < 0);
    free(p);
  }
}
