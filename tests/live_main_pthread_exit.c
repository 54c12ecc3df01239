// main ends by pthread_exit, threads finish later: the process ends by itself with exit code 0.
#define CASE_NO_MAIN
#include "case.h"
static void *body(void *arg) {
  for (size_t i = 0; i < 300; i++) {
    char *p = malloc(200000);
    CHECK(p);
    memset(p, 1, 200000);
    free(p);
    usleep(1000);
  }
  return arg;
}
int main(void) {
  free(memset(malloc(30 * MiB), 1, 30 * MiB));
  for (int i = 0; i < 4; i++) pthread_detach(start_thread(body, NULL));
  usleep(50000);
  pthread_exit(NULL);
}
