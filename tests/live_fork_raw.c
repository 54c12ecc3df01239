// Children by _Fork and by a bare clone(SIGCHLD), of a process with one idle thread.
#define CASE_NO_MAIN
#include "case.h"
static void *sleeper(void *arg) {
  char *p = malloc(3000);
  pause();
  free(p);
  return arg;
}
int main(void) {
  static char *p[300];
  start_thread(sleeper, NULL);
  usleep(20000);
  for (int round = 0; round < 200; round++) {
    for (size_t i = 0; i < 300; i++) CHECK(p[i] = malloc(i * 40)), fill(p[i], i * 40, i);
    pid_t pid = round % 2 ? _Fork() : (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    CHECK(pid >= 0);
    if (pid == 0) {
      for (size_t i = 0; i < 300; i++) CHECK(unlike(p[i], i * 40, i) < 0), free(p[i]);
      for (size_t i = 0; i < 300; i++) CHECK((p[i] = calloc(1, i * 90)) && not_zero(p[i], i * 90) < 0);
      for (size_t i = 0; i < 300; i++) CHECK(p[i] = realloc(p[i], i * 300 + 1));
      _exit(0);
    }
    CHECK_CHILD(pid);
    for (size_t i = 0; i < 300; i++) CHECK(unlike(p[i], i * 40, i) < 0), free(p[i]);
  }
  return 0;
}
