// weir-only
// _Fork and clone(SIGCHLD) run no fork handler and here other threads are inside malloc: glibc may hang.
#define CASE_NO_MAIN
#include "case.h"
static volatile int stop;
static void *body(void *arg) {
  uint64_t r = (uint64_t)(uintptr_t)arg;
  char *p[200] = {0};
  while (!stop) {
    size_t k = next_random(&r) % 200;
    free(p[k]);
    CHECK(p[k] = malloc(1 + next_random(&r) % ((size_t)1 << (4 + next_random(&r) % 16))));
    p[k][0] = 1;
  }
  for (int i = 0; i < 200; i++) free(p[i]);
  return NULL;
}
int main(void) {
  static char *p[300];
  pthread_t t[8];
  for (uintptr_t i = 0; i < 8; i++) t[i] = start_thread(body, (void *)(i + 1));
  for (size_t i = 0; i < 300; i++) CHECK(p[i] = malloc(i * 40)), fill(p[i], i * 40, i);
  for (int round = 0; round < 300; round++) {
    pid_t pid = round % 2 ? _Fork() : (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    CHECK(pid >= 0);
    if (pid == 0) {
      for (size_t i = 0; i < 300; i++) CHECK(unlike(p[i], i * 40, i) < 0), free(p[i]);
      for (size_t i = 0; i < 300; i++) CHECK((p[i] = calloc(1, i * 90)) && not_zero(p[i], i * 90) < 0);
      for (size_t i = 0; i < 300; i++) CHECK(p[i] = realloc(p[i], i * 300 + 1));
      for (size_t i = 0; i < 300; i++) free(p[i]);
      _exit(0);
    }
    int code = wait_child(pid, 20);
    CHECKF(code == 0, "round %d: %d%s", round, code, code == 1009 ? " (hung)" : "");
  }
  stop = 1;
  for (int i = 0; i < 8; i++) join_thread(t[i]);
  for (size_t i = 0; i < 300; i++) CHECK(unlike(p[i], i * 40, i) < 0), free(p[i]);
  return 0;
}
