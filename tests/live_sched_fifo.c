// SCHED_FIFO threads on the processor of ordinary ones: nobody spins for ever on a lock.
#define CASE_NO_MAIN
#include "case.h"
static volatile int stop;
static void *ordinary(void *arg) {
  uint64_t r = 3;
  char *p[100] = {0};
  while (!stop) {
    size_t k = next_random(&r) % 100;
    free(p[k]);
    CHECK(p[k] = malloc(1 + next_random(&r) % 200000));
    p[k][0] = 1;
  }
  for (int i = 0; i < 100; i++) free(p[i]);
  return arg;
}
static void *fifo(void *arg) {
  struct sched_param priority = {.sched_priority = 10};
  CHECK(pthread_setschedparam(pthread_self(), SCHED_FIFO, &priority) == 0);
  for (int round = 0; round < 300; round++) {
    char *p[100];
    for (size_t i = 0; i < 100; i++) CHECK(p[i] = malloc(i * 1500 + 1)), p[i][0] = 1;
    for (size_t i = 0; i < 100; i++) free(p[i]);
    usleep(1000);
  }
  return arg;
}
int main(void) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(0, &one);
  CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
  struct sched_param priority = {.sched_priority = 10}, none = {0};
  if (sched_setscheduler(0, SCHED_FIFO, &priority)) SKIP("SCHED_FIFO: %s", strerror(errno));
  CHECK(sched_setscheduler(0, SCHED_OTHER, &none) == 0);
  pthread_t a[3], b[2];
  for (int i = 0; i < 3; i++) a[i] = start_thread(ordinary, NULL);
  for (int i = 0; i < 2; i++) b[i] = start_thread(fifo, NULL);
  for (int i = 0; i < 2; i++) join_thread(b[i]);
  stop = 1;
  for (int i = 0; i < 3; i++) join_thread(a[i]);
  return 0;
}
