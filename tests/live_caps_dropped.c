// A daemon's start: double fork, setsid, chroot, setuid; then work with threads under another user.
#define CASE_NO_MAIN
#include "case.h"
static void *work(void *arg) {
  static __thread char *p[5000];
  for (size_t i = 0; i < 5000; i++) CHECK(p[i] = malloc(i)), fill(p[i], i, i);
  for (size_t i = 0; i < 5000; i++) CHECK(unlike(p[i], i, i) < 0), free(p[i]);
  return arg;
}
static void *idle(void *arg) {
  work(NULL);
  pause();
  return arg;
}
int main(void) {
  if (geteuid() != 0) SKIP("needs root");
  work(NULL);
  free(memset(malloc(40 * MiB), 1, 40 * MiB));
  usleep(200000);
  pid_t pid = fork();
  if (pid == 0) {
    setsid();
    pid_t second = fork();
    if (second == 0) {
      for (int i = 0; i < 3; i++) start_thread(idle, NULL);
      work(NULL);
      CHECK(chroot("/proc") == 0 && chdir("/") == 0);
      CHECK(setgid(64322) == 0 && setuid(64322) == 0); /* signals every thread: each must answer */
      work(NULL);
      run_thread(work, NULL);
      exit(0);
    }
    CHECK_CHILD(second);
    _exit(0);
  }
  CHECK_CHILD(pid);
  return 0;
}
