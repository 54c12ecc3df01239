// The same when a helper has had time to start before, and with threads that are gone.
#define CASE_NO_MAIN
#include "case.h"
static void *work(void *arg) {
  static __thread char *p[20000];
  for (int i = 0; i < 20000; i++) CHECK(p[i] = malloc(2000)), memset(p[i], 1, 2000);
  for (int i = 0; i < 20000; i++) free(p[i]);
  return arg;
}
int main(void) {
  work(NULL);
  run_thread(work, NULL);
  usleep(500000);
  if (unshare(CLONE_NEWPID)) {
    if (errno == EPERM) SKIP("unshare(CLONE_NEWPID): %s", strerror(errno));
    FAIL("unshare(CLONE_NEWPID): %s", strerror(errno));
  }
  work(NULL);
  usleep(600000);
  work(NULL);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    CHECK(getpid() == 1);
    run_thread(work, NULL);
    usleep(500000);
    exit(0);
  }
  CHECK_CHILD(pid);
  return 0;
}
