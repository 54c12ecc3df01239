// unshare(CLONE_NEWUSER) demands a single thread: after much allocation there must be none but ours.
#define CASE_NO_MAIN
#include "case.h"
static void work(void) {
  static char *p[20000];
  for (int i = 0; i < 20000; i++) CHECK(p[i] = malloc(2000)), memset(p[i], 1, 2000);
  for (int i = 0; i < 20000; i++) free(p[i]);
}
int main(void) {
  pid_t probe = fork();
  if (probe == 0) _exit(syscall(SYS_unshare, CLONE_NEWUSER) ? errno : 0); /* alone in a fresh child */
  int code = wait_child(probe, 10);
  if (code == EPERM || code == ENOSPC || code == ENOSYS) SKIP("no user namespaces here: %s", strerror(code));
  for (int round = 0; round < 4; round++) { /* three children, then this process */
    work();
    pid_t pid = round < 3 ? fork() : 0;
    CHECK(pid >= 0);
    if (pid == 0) {
      work();
      usleep(500000); /* a helper would be there by now */
      int r = unshare(CLONE_NEWUSER);
      CHECKF(r == 0, "round %d: %s", round, strerror(errno));
      work();
      run_thread((void *(*)(void *))(uintptr_t)work, NULL);
      if (round < 3) exit(0);
    } else
      CHECK_CHILD(pid);
  }
  return 0;
}
