// fork while another thread trims the heaps of dead ones: the child's new threads take these heaps over.
#define CASE_NO_MAIN
#include "case.h"
enum { DEAD = 8, BLOCKS = 10000, FORKS = 150 };
static volatile int stop;
static void **kept[DEAD];
static void *fills(void *arg) {
  uintptr_t i = (uintptr_t)arg;
  CHECK(kept[i] = malloc(BLOCKS * sizeof(void *)));
  for (size_t k = 0; k < BLOCKS; k++) CHECK(kept[i][k] = malloc(16 + k % 2000));
  for (size_t k = 0; k < BLOCKS; k++)
    if (k % 64) free(kept[i][k]), kept[i][k] = NULL;
  return arg;
}
static void *trims(void *arg) {
  while (!stop) malloc_trim(0);
  return arg;
}
static void *uses(void *arg) {
  for (size_t n = 1; n < 100000; n *= 3) free(memset(malloc(n), 1, n));
  return arg;
}
int main(void) {
  pthread_t dead[DEAD], trimmer;
  for (uintptr_t i = 0; i < DEAD; i++) dead[i] = start_thread(fills, (void *)i);
  for (int i = 0; i < DEAD; i++) join_thread(dead[i]);
  trimmer = start_thread(trims, NULL);
  for (int n = 0; n < FORKS; n++) {
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
      pthread_t t[DEAD + 2];
      for (int i = 0; i < DEAD + 2; i++) t[i] = start_thread(uses, NULL);
      for (int i = 0; i < DEAD + 2; i++) join_thread(t[i]);
      _exit(0);
    }
    int code = wait_child(pid, 10);
    CHECKF(code == 0, "fork %d: %d%s", n, code, code == 1009 ? " (hung)" : "");
  }
  stop = 1;
  join_thread(trimmer);
  return 0;
}
