// Threads of PTHREAD_STACK_MIN bytes and a handler on a MINSIGSTKSZ stack go through every path of malloc.
#define CASE_NO_MAIN
#include "case.h"
#include <limits.h>
static char *left[64];
static void *body(void *arg) {
  for (size_t n = 1, i = 0; n < 200000000; n += n / 2 + 1, i++) {
    char *p = malloc(n);
    CHECK(p);
    p[0] = p[n - 1] = 1;
    CHECK(p = realloc(p, n + n / 3));
    free(p);
    CHECK(p = memalign(256, n));
    free(p);
    if (n < 100000) free(left[i]), left[i] = calloc(1, n); /* the last thread's blocks */
  }
  for (int i = 0; i < 3000; i++) left[40 + i % 20] = realloc(left[40 + i % 20], (size_t)(i * 53 % 4000 + 1));
  malloc_trim(0);
  return arg;
}
static volatile int handled;
static void handler(int number) {
  (void)number;
  for (size_t i = 0; i < 100; i++) free(malloc(i * 100));
  handled++;
}
int main(void) {
  pthread_attr_t a;
  pthread_attr_init(&a);
  CHECK(pthread_attr_setstacksize(&a, (size_t)PTHREAD_STACK_MIN) == 0);
  for (int i = 0; i < 50; i++) {
    pthread_t t;
    CHECK(pthread_create(&t, &a, body, NULL) == 0);
    join_thread(t);
  }
  stack_t stack = {.ss_sp = malloc((size_t)MINSIGSTKSZ + 8192), .ss_size = (size_t)MINSIGSTKSZ + 8192};
  struct sigaction act = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
  CHECK(sigaltstack(&stack, NULL) == 0 && sigaction(SIGUSR2, &act, NULL) == 0);
  for (int i = 0; i < 20; i++) raise(SIGUSR2);
  CHECK(handled == 20);
  return 0;
}
