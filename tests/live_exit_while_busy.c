// exit() while eight threads allocate and free; exit code and time are what they should be.
#define CASE_NO_MAIN
#include "case.h"
static void *body(void *arg) {
  for (uint64_t r = (uint64_t)(uintptr_t)arg;;) {
    char *p = malloc(1 + next_random(&r) % 5000);
    if (p) p[0] = 1;
    free(p);
  }
  return NULL;
}
int main(void) {
  for (int i = 0; i < 40; i++) {
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
      for (uintptr_t k = 0; k < 8; k++) start_thread(body, (void *)(k + 1));
      usleep(5000);
      exit(42);
    }
    int code = wait_child(pid, 20);
    CHECKF(code == 42, "round %d: %d", i, code);
  }
  return 0;
}
