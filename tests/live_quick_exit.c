// at_quick_exit handlers allocate; abort and _exit work with threads about.
#define CASE_NO_MAIN
#include "case.h"
static void handler(void) {
  char *p = malloc(5000);
  CHECK(p);
  memset(p, 1, 5000);
  free(p);
}
static void *sleeper(void *arg) {
  free(malloc(100));
  pause();
  return arg;
}
int main(void) {
  for (int how = 0; how < 3; how++) {
    pid_t pid = fork();
    if (pid == 0) {
      struct rlimit none = {0, 0};
      setrlimit(RLIMIT_CORE, &none);
      start_thread(sleeper, NULL);
      at_quick_exit(handler);
      free(malloc(20 * MiB));
      if (how == 0) quick_exit(5);
      if (how == 1) _exit(6);
      abort();
    }
    int code = wait_child(pid, 20), wanted[] = {5, 6, 1000 + SIGABRT};
    CHECKF(code == wanted[how], "%d instead of %d", code, wanted[how]);
  }
  return 0;
}
