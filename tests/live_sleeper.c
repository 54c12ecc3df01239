// A thread allocates and sleeps in read(); others free its blocks and use the memory; it wakes and all is well.
#define CASE_NO_MAIN
#include "case.h"
enum { N = 40000 };
static char *block[N];
static int go[2], done[2];
static size_t size_of(size_t i) { return 8 + mix64(i) % (i % 20 ? 300 : 30000); }
static void *body(void *arg) {
  char c;
  for (int round = 0; round < 5; round++) {
    for (size_t i = 0; i < N; i++) CHECK(block[i] = malloc(size_of(i))), fill(block[i], size_of(i), i);
    CHECK(write(done[1], "x", 1) == 1 && read(go[0], &c, 1) == 1);
    for (size_t i = 1; i < N; i += 2) CHECKF(unlike(block[i], size_of(i), i) < 0, "round %d, block %zu", round, i), free(block[i]);
  }
  return arg;
}
static void *others(void *arg) {
  char *p[1000];
  for (int round = 0; round < 10; round++) {
    for (size_t i = 0; i < 1000; i++) CHECK((p[i] = calloc(1, size_of(i))) && not_zero(p[i], size_of(i)) < 0), memset(p[i], 1, size_of(i));
    for (size_t i = 0; i < 1000; i++) free(p[i]);
  }
  return arg;
}
int main(void) {
  char c;
  CHECK(pipe(go) == 0 && pipe(done) == 0);
  pthread_t t = start_thread(body, NULL);
  for (int round = 0; round < 5; round++) {
    CHECK(read(done[0], &c, 1) == 1);
    for (size_t i = 0; i < N; i += 2) CHECK(unlike(block[i], size_of(i), i) < 0), free(block[i]);
    run_thread(others, NULL);
    if (round == 2) sleep(2); /* a helper takes what it can from the sleeper */
    if (round == 3) malloc_trim(0);
    CHECK(write(go[1], "x", 1) == 1);
  }
  join_thread(t);
  return 0;
}
