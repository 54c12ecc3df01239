// RLIMIT_NPROC leaves no thread for a helper: allocation goes on, and nothing is said.
#define CASE_NO_MAIN
#include "case.h"
static void *body(void *arg) { return arg; }
int main(void) {
  if (geteuid() != 0) SKIP("needs root to become a user without processes");
  struct rlimit one = {1, 1};
  CHECK(setrlimit(RLIMIT_NPROC, &one) == 0);
  if (setgid(64321) || setuid(64321)) SKIP("setuid: %s", strerror(errno));
  pthread_t t;
  CHECK(pthread_create(&t, NULL, body, NULL) == EAGAIN); /* or the test shows nothing */
  for (int round = 0; round < 5; round++) {
    static char *p[20000];
    for (int i = 0; i < 20000; i++) CHECK(p[i] = malloc(3000)), memset(p[i], 1, 3000);
    errno = 5;
    for (int i = 0; i < 20000; i++) free(p[i]);
    CHECK(errno == 5);
    usleep(200000);
  }
  return 0;
}
