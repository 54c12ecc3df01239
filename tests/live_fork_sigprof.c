// fork from a SIGPROF handler that interrupts malloc; children allocate in the handler and after it.
#define CASE_NO_MAIN
#include "case.h"
#include <sys/time.h>
static volatile int forks, child;
static pid_t pids[400];
static void handler(int number) {
  (void)number;
  if (forks >= 400 || child) return;
  int e = errno;
  pid_t pid = fork();
  if (pid == 0) {
    child = 1;
    if (forks % 2) _exit(0);
  } else if (pid > 0) {
    pids[forks++] = pid;
  }
  errno = e;
}
int main(void) {
  struct itimerval every = {{0, 1000}, {0, 1000}};
  uint64_t r = 1;
  static char *p[300];
  signal(SIGPROF, handler);
  setitimer(ITIMER_PROF, &every, NULL);
  for (int reaped = 0; reaped < 400 && !child;) {
    for (int i = 0; i < 3000; i++) {
      size_t k = next_random(&r) % 300;
      free(p[k]);
      CHECK(p[k] = malloc(1 + next_random(&r) % ((size_t)1 << (3 + next_random(&r) % 15))));
      p[k][0] = 1;
    }
    if (!child && reaped < forks) {
      sigset_t prof;
      sigemptyset(&prof), sigaddset(&prof, SIGPROF);
      sigprocmask(SIG_BLOCK, &prof, NULL); /* a child forked in there would wait for its siblings */
      int code = child ? 0 : wait_child(pids[reaped], 20);
      sigprocmask(SIG_UNBLOCK, &prof, NULL);
      CHECKF(code == 0, "child %d: %d", reaped, code);
      reaped++;
    }
  }
  for (int i = 0; i < 300; i++) free(p[i]);
  return 0;
}
