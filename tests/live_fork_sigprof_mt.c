// weir-only
// The same with four busy threads: glibc's fork would take malloc's locks and hang.
#define CASE_NO_MAIN
#include "case.h"
#include <sys/time.h>
static volatile int stop;
static int children;
static void handler(int number) {
  (void)number;
  if (stop) return;
  int e = errno;
  pid_t pid = fork();
  if (pid == 0) {
    for (size_t i = 0; i < 100; i++) {
      char *p = malloc(i * 50);
      if (!p) _exit(2);
      memset(p, 1, i * 50);
      free(p);
    }
    _exit(0);
  }
  if (pid > 0) __atomic_add_fetch(&children, 1, __ATOMIC_RELAXED);
  errno = e;
}
static void *body(void *arg) {
  uint64_t r = (uint64_t)(uintptr_t)arg;
  char *p[100] = {0};
  while (!stop)
    for (int i = 0; i < 1000; i++) {
      size_t k = next_random(&r) % 100;
      free(p[k]);
      CHECK(p[k] = malloc(1 + next_random(&r) % ((size_t)1 << (3 + next_random(&r) % 15))));
      p[k][0] = 1;
    }
  for (int i = 0; i < 100; i++) free(p[i]);
  return NULL;
}
int main(void) {
  struct itimerval every = {{0, 4000}, {0, 4000}};
  pthread_t t[4];
  int reaped = 0;
  signal(SIGPROF, handler);
  for (uintptr_t i = 0; i < 4; i++) t[i] = start_thread(body, (void *)(i + 1));
  setitimer(ITIMER_PROF, &every, NULL);
  double end = seconds_now() + 30;
  while (reaped < 600 && seconds_now() < end) {
    int status;
    pid_t pid = waitpid(-1, &status, WNOHANG);
    if (pid > 0) {
      CHECKF(status == 0, "child ended with status %x", (unsigned)status);
      reaped++;
    } else
      usleep(300);
  }
  CHECKF(reaped >= 600, "%d children of %d ended", reaped, children);
  stop = 1;
  for (int i = 0; i < 4; i++) join_thread(t[i]);
  return 0;
}
