// main is the only thread and ends by pthread_exit; then the same in a fork child.
#define CASE_NO_MAIN
#include "case.h"
int main(void) {
  static char *p[20000];
  for (int i = 0; i < 20000; i++) CHECK(p[i] = malloc(1000)), memset(p[i], 1, 1000);
  for (int i = 0; i < 20000; i++) free(p[i]);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    free(memset(malloc(20 * MiB), 1, 20 * MiB));
    usleep(600000);
    pthread_exit(NULL);
  }
  CHECK_CHILD(pid);
  usleep(600000); /* time for a helper to be there */
  pthread_exit(NULL);
}
