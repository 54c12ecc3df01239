// vfork+exec, posix_spawn, system by the hundred from a process with busy threads.
#define CASE_NO_MAIN
#include "case.h"
#include <spawn.h>
static volatile int stop;
static void *body(void *arg) {
  while (!stop) free(malloc(3000)), free(malloc(50000));
  return arg;
}
__attribute__((noinline)) static pid_t by_vfork(void) {
  pid_t pid = vfork();
  if (pid == 0) {
    execlp("true", "true", (char *)NULL);
    _exit(9);
  }
  return pid;
}
int main(void) {
  pthread_t t[3];
  for (int i = 0; i < 3; i++) t[i] = start_thread(body, NULL);
  for (int i = 0; i < 100; i++) {
    pid_t pid = by_vfork();
    CHECK(pid > 0);
    CHECK_CHILD(pid);
    char *argv[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c", (char *)(uintptr_t) "exit 4", NULL};
    CHECK(posix_spawnp(&pid, "sh", NULL, NULL, argv, environ) == 0);
    CHECK(wait_child(pid, 20) == 4);
    if (i % 10 == 0) CHECK(system("exit 6") == 6 << 8);
  }
  stop = 1;
  for (int i = 0; i < 3; i++) join_thread(t[i]);
  return 0;
}
