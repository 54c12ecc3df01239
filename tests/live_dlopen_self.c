// weir-only
// The library opened by dlopen in a program that runs on glibc: refused with a reason, or it works; either way life goes on.
#define CASE_NO_MAIN
#include "case.h"
static void *body(void *arg) {
  for (size_t i = 0; i < 1000; i++) free(memset(malloc(i * 10), 1, i * 10));
  return arg;
}
int main(int argc, char **argv) {
  const char *path = getenv("TESTLIB");
  CHECK(path && argc > 0);
  if (argc == 1) {
    unsetenv("LD_PRELOAD");
    execl("/proc/self/exe", argv[0], "without preload", (char *)NULL);
    FAIL("exec: %s", strerror(errno));
  }
  CHECK(malloc_usable_size(malloc(20)) == 24); /* this is glibc's */
  char *before = malloc(1000);
  fill(before, 1000, 1);
  for (int round = 0; round < 3; round++) {
    void *h = dlopen(path, round == 1 ? RTLD_NOW | RTLD_GLOBAL : RTLD_LAZY);
    if (!h) {
      CHECK(dlerror());
    } else {
      void *(*weir_malloc)(size_t) = (void *(*)(size_t))(uintptr_t)dlsym(h, "malloc");
      void (*weir_free)(void *) = (void (*)(void *))(uintptr_t)dlsym(h, "free");
      CHECK(weir_malloc && weir_free);
      for (size_t n = 1; n < 5000000; n *= 3) {
        char *p = weir_malloc(n), *q = malloc(n);
        CHECK(p && q);
        fill(p, n, n);
        CHECK(unlike(p, n, n) < 0);
        weir_free(p);
        weir_free(q); /* a stranger's goes back to where it came from */
      }
    }
    run_thread(body, NULL);
    body(NULL);
    if (h && round != 1) CHECK(dlclose(h) == 0);
    run_thread(body, NULL); /* its thread hooks must not be called when it is gone */
    pid_t pid = fork();
    if (pid == 0) exit(0);
    CHECK_CHILD(pid);
  }
  CHECK(unlike(before, 1000, 1) < 0);
  free(before);
  return 0;
}
