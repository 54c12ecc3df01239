// fork against stdio: one thread flushes every FILE (and memory streams grow meanwhile), one allocates, one forks.
#define CASE_NO_MAIN
#include "case.h"
static volatile int stop;
static FILE *shared;
static void *flushes(void *arg) {
  while (!stop) {
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    CHECK(f);
    for (int i = 0; i < 300; i++) fprintf(f, "%0*d", 1 + i, i);
    fflush(NULL);
    fclose(f);
    free(text);
    usleep(100);
  }
  return arg;
}
static void *prints(void *arg) {
  while (!stop) {
    flockfile(shared);
    fprintf(shared, "%.600Lf\n", (long double)1 / 3); /* mallocs while it holds the FILE */
    free(malloc(5000));
    funlockfile(shared);
  }
  return arg;
}
static void *allocates(void *arg) {
  for (size_t i = 0; !stop; i++) free(malloc(i * 97 % 100000));
  return arg;
}
int main(void) {
  void *(*const bodies[])(void *) = {flushes, prints, allocates, prints, allocates};
  pthread_t t[5];
  CHECK(shared = fopen("/dev/null", "w"));
  for (int i = 0; i < 5; i++) t[i] = start_thread(bodies[i], NULL);
  for (int i = 0; i < 200; i++) {
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
      char *text = NULL;
      CHECK(asprintf(&text, "%d %s", i, "in the child") > 10);
      FILE *f = fopen("/dev/null", "w");
      CHECK(f && fputs(text, f) >= 0);
      fclose(f), free(text);
      _exit(0);
    }
    CHECK_CHILD(pid);
  }
  stop = 1;
  for (int i = 0; i < 5; i++) join_thread(t[i]);
  fclose(shared);
  return 0;
}
