// Coroutines by swapcontext on stacks from malloc and mmap, which move between threads.
// flags: -Wno-clobbered
#define CASE_NO_MAIN
#include "case.h"
#include <ucontext.h>
enum { N = 32 };
static struct coroutine {
  ucontext_t here, caller;
  char *stack;
  int steps, done;
} co[N];
static void body(int at) {
  struct coroutine *c = &co[at];
  char *p[40] = {0};
  for (c->steps = 0; c->steps < 200; c->steps++) {
    size_t k = (size_t)c->steps % 40, n = k * 70 + 1;
    if (p[k]) CHECK(unlike(p[k], n, k + (size_t)at) < 0);
    free(p[k]);
    CHECK(p[k] = malloc(n));
    fill(p[k], n, k + (size_t)at);
    swapcontext(&c->here, &c->caller);
  }
  for (int k = 0; k < 40; k++) free(p[k]);
  c->done = 1;
}
static void *step_all(void *arg) {
  for (int at = 0; at < N; at++)
    if (!co[at].done) swapcontext(&co[at].caller, &co[at].here);
  return arg;
}
int main(void) {
  for (int at = 0; at < N; at++) {
    size_t bytes = 32 * KiB;
    co[at].stack = at % 2 ? malloc(bytes) : mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(co[at].stack && co[at].stack != MAP_FAILED && getcontext(&co[at].here) == 0);
    co[at].here.uc_stack.ss_sp = co[at].stack;
    co[at].here.uc_stack.ss_size = bytes;
    co[at].here.uc_link = &co[at].caller;
    makecontext(&co[at].here, (void (*)(void))(uintptr_t)body, 1, at);
  }
  for (int round = 0; round < 201; round++)
    if (round % 3)
      run_thread(step_all, NULL); /* the same coroutine, another thread */
    else
      step_all(NULL);
  for (int at = 0; at < N; at++) {
    CHECK(co[at].done);
    if (at % 2) free(co[at].stack);
  }
  return 0;
}
