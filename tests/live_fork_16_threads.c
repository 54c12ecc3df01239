// 300 forks while 16 threads allocate. Each child frees the parent's blocks, starts a thread, exits.
#define CASE_NO_MAIN
#include "case.h"
static volatile int stop;
static char *shared[500];
static void *body(void *arg) {
  uint64_t r = (uint64_t)(uintptr_t)arg;
  char *own[100] = {0};
  while (!stop) {
    size_t k = next_random(&r) % 100;
    free(own[k]);
    own[k] = malloc(1 + next_random(&r) % ((size_t)1 << (4 + next_random(&r) % 15)));
    CHECK(own[k]);
    own[k][0] = 1;
    if (r % 256 == 0) usleep(2000); /* room for the children on two processors */
  }
  for (int i = 0; i < 100; i++) free(own[i]);
  return NULL;
}
static void *in_child(void *arg) {
  for (size_t i = 1; i < 500; i += 2) CHECK(unlike(shared[i], i * 30, i) < 0), free(shared[i]);
  for (size_t i = 0; i < 2000; i++) free(memset(malloc(i), 1, i));
  return arg;
}
int main(void) {
  pthread_t t[16];
  for (size_t i = 0; i < 500; i++) CHECK(shared[i] = malloc(i * 30)), fill(shared[i], i * 30, i);
  for (uintptr_t i = 0; i < 16; i++) t[i] = start_thread(body, (void *)(i + 1));
  for (int round = 0; round < 300; round++) {
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
      for (size_t i = 0; i < 500; i += 2) CHECK(unlike(shared[i], i * 30, i) < 0), free(shared[i]);
      run_thread(in_child, NULL);
      if (round % 2) exit(0);
      _exit(0);
    }
    CHECK_CHILD(pid);
  }
  stop = 1;
  for (int i = 0; i < 16; i++) join_thread(t[i]);
  for (size_t i = 0; i < 500; i++) CHECK(unlike(shared[i], i * 30, i) < 0), free(shared[i]);
  return 0;
}
