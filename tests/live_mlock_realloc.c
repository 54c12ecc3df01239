// mlockall, then a block grows by realloc from 5 to 80 MiB: the memory of its neighbours stays locked.
#define CASE_NO_MAIN
#include "case.h"
/* Whether the mapping around an address is locked: smaps says so in its VmFlags. */
static int is_locked(const void *p) {
  char line[600];
  unsigned long from, to;
  int here = 0, locked = 0;
  FILE *f = fopen("/proc/self/smaps", "r");
  CHECK(f);
  while (fgets(line, sizeof line, f))
    if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
      here = (uintptr_t)p >= from && (uintptr_t)p < to;
    else if (here && strncmp(line, "VmFlags:", 8) == 0)
      locked = strstr(line, " lo") != NULL;
  fclose(f);
  return locked;
}
int main(void) {
  static char *small[300];
  for (int i = 0; i < 300; i++) CHECK(small[i] = memset(malloc(60000), i, 60000));
  char *p = memset(malloc(5 * MiB), 1, 5 * MiB), *next = memset(malloc(64 * KiB), 1, 64 * KiB); /* growth in place ends here */
  fill(p, 5 * MiB, 7);
  if (mlockall(MCL_CURRENT)) SKIP("mlockall: %s", strerror(errno));
  if (!is_locked(p)) SKIP("no VmFlags in smaps here");
  CHECK(is_locked(next) && is_locked(small[0]));
  p = realloc(p, 80 * MiB);
  if (!p) SKIP("80 MiB may not be locked here");
  CHECK(unlike(p, 5 * MiB, 7) < 0);
  CHECK(is_locked(next) && is_locked(small[0]) && is_locked(small[299]));
  free(p), free(next);
  for (int i = 0; i < 300; i++) CHECK(small[i][59999] == (char)i), free(small[i]);
  return 0;
}
