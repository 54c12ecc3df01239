// clone(CLONE_VM|CLONE_VFORK): the child runs in our memory on its own stack and allocates; then execs.
#define CASE_NO_MAIN
#include "case.h"
static char *from_child;
static int body(void *arg) {
  char *p = malloc(1000);
  if (!p) _exit(2);
  memset(p, 5, 1000);
  free(malloc(100000));
  from_child = p;
  if (arg) execlp("true", "true", (char *)NULL);
  _exit(0);
}
int main(void) {
  size_t bytes = 256 * KiB;
  for (int i = 0; i < 200; i++) {
    char *stack = malloc(bytes);
    CHECK(stack);
    pid_t pid = clone(body, stack + bytes, CLONE_VM | CLONE_VFORK | SIGCHLD, i % 2 ? stack : NULL);
    CHECK(pid > 0);
    CHECK_CHILD(pid);
    CHECK(from_child && from_child[0] == 5 && from_child[999] == 5);
    free(from_child);
    free(stack);
  }
  return 0;
}
