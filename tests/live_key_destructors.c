// Key destructors run in up to four iterations; each allocates, frees and comes back.
#define CASE_NO_MAIN
#include "case.h"
#include <limits.h>
enum { KEYS = 40 };
static pthread_key_t key[KEYS];
static int calls;
struct value {
  size_t index, round;
  char *block;
};
static void end(void *arg) {
  struct value *v = arg;
  size_t n = 100 * (v->index + 1);
  __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
  CHECK(unlike(v->block, n, v->index) < 0);
  free(v->block);
  CHECK(v->block = calloc(1, n));
  CHECK(not_zero(v->block, n) < 0);
  fill(v->block, n, v->index);
  if (++v->round < PTHREAD_DESTRUCTOR_ITERATIONS) {
    CHECK(pthread_setspecific(key[v->index], v) == 0);
    return;
  }
  free(v->block); /* the last iteration: after this nobody calls us */
  free(v);
}
static void *body(void *arg) {
  for (size_t i = 0; i < KEYS; i++) {
    struct value *v = malloc(sizeof *v);
    *v = (struct value){i, 0, malloc(100 * (i + 1))};
    fill(v->block, 100 * (i + 1), i);
    CHECK(pthread_setspecific(key[i], v) == 0);
  }
  return arg;
}
int main(void) {
  for (int i = 0; i < KEYS; i++) CHECK(pthread_key_create(&key[i], end) == 0);
  for (int round = 0; round < 100; round++) {
    pthread_t t[4];
    for (int i = 0; i < 4; i++) t[i] = start_thread(body, NULL);
    for (int i = 0; i < 4; i++) join_thread(t[i]);
  }
  CHECKF(calls == 400 * KEYS * PTHREAD_DESTRUCTOR_ITERATIONS, "%d calls", calls);
  return 0;
}
