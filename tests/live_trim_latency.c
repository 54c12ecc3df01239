// While one thread trims 400 MiB full of holes, another is served blocks of the same class: it waits for no more
// than 20 ms, in the best of six tries (machines are shared).
#define CASE_NO_MAIN
#include "case.h"
enum { BYTES = 8192, BLOCKS = 50000, TRIES = 6 };
static volatile int stop;
static volatile double worst;
static void *is_served(void *arg) {
  while (!stop) {
    void *p[32];
    double start = seconds_now();
    for (int i = 0; i < 32; i++) CHECK(p[i] = malloc(BYTES));
    for (int i = 0; i < 32; i++) free(p[i]);
    double took = (seconds_now() - start) * 1e3;
    if (took > worst) worst = took;
  }
  return arg;
}
static double attempt(char **block) {
  for (size_t i = 0; i < BLOCKS; i++) CHECK(block[i] = malloc(BYTES)), block[i][0] = block[i][5000] = 1;
  for (size_t i = 0; i < BLOCKS; i += 2) free(block[i]);
  stop = 0;
  pthread_t t = start_thread(is_served, NULL);
  usleep(50000);
  worst = 0;
  malloc_trim(0);
  stop = 1;
  join_thread(t);
  for (size_t i = 1; i < BLOCKS; i += 2) free(block[i]);
  malloc_trim(0);
  return worst;
}
int main(void) {
  static char *block[BLOCKS];
  double took = 0, best = 1e9;
  for (int i = 0; i < TRIES && best > 20; i++)
    if ((took = attempt(block)) < best) best = took;
  CHECKF(best <= 20, "waited %.1f ms in the best of %d tries", best, TRIES);
  return 0;
}
