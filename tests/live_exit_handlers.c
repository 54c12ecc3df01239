// Allocates and frees in atexit handlers and destructors, after main has freed what it had.
#define CASE_NO_MAIN
#include "case.h"
static char *kept[100];
static int steps;
static void work(void) {
  for (size_t i = 0; i < 100; i++) {
    if (kept[i]) CHECK(unlike(kept[i], i * 100, i) < 0);
    free(kept[i]);
    CHECK(kept[i] = malloc(i * 100));
    fill(kept[i], i * 100, i);
  }
  steps++;
}
static void *body(void *arg) {
  work();
  return arg;
}
static void with_a_thread(void) {
  run_thread(body, NULL);
  work();
}
static void with_a_fork(void) {
  pid_t pid = fork();
  if (pid == 0) {
    work();
    _exit(0);
  }
  CHECK_CHILD(pid);
  work();
}
__attribute__((destructor(101))) static void last_of_all(void) {
  work();
  if (steps != 7) FAIL("%d steps", steps);
}
__attribute__((destructor)) static void destructor(void) { work(); }
int main(void) {
  work();
  atexit(work), atexit(with_a_thread), atexit(with_a_fork);
  return 0;
}
