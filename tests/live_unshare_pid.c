// After unshare(CLONE_NEWPID) no thread can be started: allocation goes on, and the child is a whole process 1.
#define CASE_NO_MAIN
#include "case.h"
static void *work(void *arg) {
  static __thread char *p[20000];
  for (int i = 0; i < 20000; i++) CHECK(p[i] = malloc(2000)), memset(p[i], 1, 2000);
  for (int i = 0; i < 20000; i++) free(p[i]);
  free(memset(malloc(30 * MiB), 1, 30 * MiB));
  return arg;
}
int main(void) {
  if (unshare(CLONE_NEWPID)) {
    if (errno == EPERM) SKIP("unshare(CLONE_NEWPID): %s", strerror(errno));
    FAIL("unshare(CLONE_NEWPID): %s", strerror(errno));
  }
  for (int i = 0; i < 3; i++) {
    work(NULL);
    usleep(300000);
  }
  pthread_t t;
  CHECK(pthread_create(&t, NULL, work, NULL) != 0); /* the kernel's rule, or the test shows nothing */
  pid_t pid = fork();
  CHECKF(pid > 0 || pid == 0, "%s", strerror(errno));
  if (pid == 0) {
    CHECK(getpid() == 1);
    work(NULL);
    run_thread(work, NULL);
    exit(0);
  }
  CHECK_CHILD(pid);
  work(NULL);
  return 0;
}
