// setrlimit(RLIMIT_AS) in a vfork child, whose memory is the parent's, takes nothing away from the parent.
#define CASE_NO_MAIN
#include "case.h"
__attribute__((noinline)) static pid_t limited_child(int by_prlimit) {
  pid_t pid = vfork();
  if (pid == 0) {
    struct rlimit limit = {256 * MiB, 256 * MiB};
    if (by_prlimit ? prlimit(0, RLIMIT_AS, &limit, NULL) : setrlimit(RLIMIT_AS, &limit)) _exit(8);
    execlp("true", "true", (char *)NULL);
    _exit(9);
  }
  return pid;
}
int main(void) {
  static char *p[600];
  struct rlimit mine;
  free(malloc(10));
  size_t had = virtual_bytes();
  for (int i = 0; i < 2; i++) {
    pid_t pid = limited_child(i);
    CHECK(pid > 0);
    CHECK_CHILD(pid);
  }
  CHECK(getrlimit(RLIMIT_AS, &mine) == 0 && mine.rlim_cur == RLIM_INFINITY);
  CHECKF(virtual_bytes() >= had, "address space: %zu KiB, now %zu KiB", had >> 10, virtual_bytes() >> 10);
  for (int i = 0; i < 600; i++) CHECK(p[i] = malloc(MiB)), p[i][0] = 1;
  for (int i = 0; i < 600; i++) free(p[i]);
  for (int i = 0; i < 3000000; i++) CHECK(malloc(100));
  return 0;
}
