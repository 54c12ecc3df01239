// A library's fork handlers, registered before and after ours, allocate, lock and start threads.
#define CASE_NO_MAIN
#include "case.h"
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static volatile int stop;
static int prepared, parents, children;
static void use(int *count) {
  for (size_t i = 0; i < 50; i++) free(memset(malloc(i * 200), 1, i * 200));
  ++*count;
}
static void prepare(void) {
  pthread_mutex_lock(&lock); /* held by others while they are in malloc */
  use(&prepared);
}
static void parent(void) {
  use(&parents);
  pthread_mutex_unlock(&lock);
}
static void child(void) {
  use(&children);
  pthread_mutex_unlock(&lock);
}
__attribute__((constructor(101))) static void early(void) { pthread_atfork(prepare, parent, child); }
static void *body(void *arg) {
  uint64_t r = (uint64_t)(uintptr_t)arg;
  while (!stop) {
    pthread_mutex_lock(&lock);
    char *p = malloc(1 + next_random(&r) % 40000);
    p[0] = 1;
    free(p);
    pthread_mutex_unlock(&lock);
  }
  return NULL;
}
int main(void) {
  pthread_t t[4];
  for (uintptr_t i = 0; i < 4; i++) t[i] = start_thread(body, (void *)(i + 1));
  for (int i = 0; i < 200; i++) {
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
      CHECK(children == 1);
      use(&children);
      _exit(0);
    }
    CHECK_CHILD(pid);
  }
  CHECK(prepared == 200 && parents == 200 && children == 0);
  stop = 1;
  for (int i = 0; i < 4; i++) join_thread(t[i]);
  return 0;
}
