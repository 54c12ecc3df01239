// weir-only
// _Fork while other threads are inside the cache of large blocks: the child frees and takes such blocks.
#define CASE_NO_MAIN
#include "case.h"
static volatile int stop;
static void *uses_cache(void *arg) {
  while (!stop) free(malloc(66 * MiB));
  return arg;
}
int main(void) {
  pthread_t t[3];
  for (int i = 0; i < 3; i++) t[i] = start_thread(uses_cache, NULL);
  for (int n = 0; n < 800; n++) {
    char *before = malloc(70 * MiB);
    CHECK(before);
    fill_sparse(before, MiB, 5);
    pid_t pid = _Fork();
    CHECK(pid >= 0);
    if (pid == 0) {
      CHECK(unlike_sparse(before, MiB, 5, 1) < 0);
      free(before);
      free(malloc(66 * MiB));
      free(malloc(77 * MiB));
      _exit(0);
    }
    int code = wait_child(pid, 10);
    CHECKF(code == 0, "fork %d: %d%s", n, code, code == 1009 ? " (hung)" : "");
    CHECK(unlike_sparse(before, MiB, 5, 1) < 0);
    free(before);
  }
  stop = 1;
  for (int i = 0; i < 3; i++) join_thread(t[i]);
  return 0;
}
