// mlockall after the allocator has been at work, with threads to come.
#define CASE_NO_MAIN
#include "case.h"
static void *body(void *arg) {
  for (size_t i = 0; i < 2000; i++) {
    char *p = calloc(1, i * 7);
    CHECK(p && not_zero(p, i * 7) < 0);
    memset(p, 1, i * 7);
    free(p);
  }
  return arg;
}
int main(void) {
  body(NULL);
  free(memset(malloc(50 * MiB), 1, 50 * MiB));
  if (mlockall(MCL_CURRENT | MCL_FUTURE)) SKIP("mlockall: %s", strerror(errno));
  body(NULL);
  for (int i = 0; i < 5; i++) run_thread(body, NULL);
  CHECKF(rss_bytes() < 300 * MiB, "RSS %zu MiB", rss_bytes() >> 20);
  pid_t pid = fork();
  if (pid == 0) {
    body(NULL);
    _exit(0);
  }
  CHECK_CHILD(pid);
  return 0;
}
