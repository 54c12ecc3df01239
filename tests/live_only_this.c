// WEIR_ONLY names this program among others: its blocks are weir's, not those of glibc's heap.
#define CASE_NO_MAIN
#include "case.h"
#ifndef WANT_GLIBC
#define WANT_GLIBC 0
#endif
static int in_brk_heap(void *p) {
  return (char *)p < (char *)sbrk(0) && (char *)p > (char *)sbrk(0) - 64 * MiB;
}
int main(void) {
  for (int i = 0; i < 100; i++) {
    char *p = malloc(hide(20));
    CHECK(p);
    int glibc = malloc_usable_size(p) == 24 && in_brk_heap(p);
    CHECKF(glibc == WANT_GLIBC, "usable size %zu at %p, brk at %p", malloc_usable_size(p), (void *)p, sbrk(0));
    if (i % 2) free(p);
  }
  return 0;
}
