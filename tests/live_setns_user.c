// setns into another user and mount namespace, which also demand one thread; and unshare of mounts and files.
#define CASE_NO_MAIN
#include "case.h"
static void work(void) {
  static char *p[20000];
  for (int i = 0; i < 20000; i++) CHECK(p[i] = malloc(2000)), memset(p[i], 1, 2000);
  for (int i = 0; i < 20000; i++) free(p[i]);
}
int main(void) {
  int ready[2];
  CHECK(pipe(ready) == 0);
  pid_t other = fork();
  if (other == 0) {
    char ok = syscall(SYS_unshare, CLONE_NEWUSER | CLONE_NEWNS) == 0;
    if (write(ready[1], &ok, 1) == 1) pause();
    _exit(0);
  }
  char ok = 0;
  CHECK(read(ready[0], &ok, 1) == 1);
  if (!ok) {
    kill(other, SIGKILL);
    SKIP("no user namespaces here");
  }
  char name[64];
  snprintf(name, sizeof name, "/proc/%d/ns/user", other);
  int user = open(name, O_RDONLY | O_CLOEXEC);
  snprintf(name, sizeof name, "/proc/%d/ns/mnt", other);
  int mounts = open(name, O_RDONLY | O_CLOEXEC);
  CHECK(user >= 0 && mounts >= 0);
  work();
  usleep(500000);
  CHECKF(setns(user, CLONE_NEWUSER) == 0, "%s", strerror(errno));
  work();
  usleep(500000);
  CHECKF(setns(mounts, CLONE_NEWNS) == 0, "%s", strerror(errno));
  work();
  CHECKF(unshare(CLONE_NEWNS | CLONE_FS | CLONE_FILES) == 0, "%s", strerror(errno));
  work();
  kill(other, SIGKILL);
  waitpid(other, NULL, 0);
  return 0;
}
