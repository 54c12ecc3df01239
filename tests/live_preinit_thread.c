// A thread and a fork before any constructor.
#define CASE_NO_MAIN
#include "case.h"
static int done;
static void *body(void *arg) {
  for (size_t i = 0; i < 1000; i++) free(malloc(i));
  done++;
  return arg;
}
static void before_all(int argc, char **argv, char **env) {
  (void)argc, (void)argv, (void)env;
  run_thread(body, NULL);
  pid_t pid = fork();
  if (pid == 0) {
    body(NULL);
    _exit(7);
  }
  CHECK(wait_child(pid, 10) == 7);
}
__attribute__((section(".preinit_array"), used)) static void (*preinit)(int, char **, char **) = before_all;
int main(void) {
  CHECK(done == 1);
  body(NULL);
  return 0;
}
