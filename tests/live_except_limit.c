// WEIR_EXCEPT names this program, which runs under ulimit -v and lowers it: nothing of its address space is weir's.
#define CASE_NO_MAIN
#include "case.h"
static void *body(void *arg) { return arg; }
static void need(const char *where, size_t bytes) {
  case_name = where;
  char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECKF(p != MAP_FAILED, "mmap of %zu MiB with %zu MiB mapped", bytes >> 20, virtual_bytes() >> 20);
  CHECK(munmap(p, bytes) == 0);
  CHECK((p = malloc(MiB)) && memset(p, 1, MiB));
  free(p);
  run_thread(body, NULL);
}
int main(int argc, char **argv) {
  struct rlimit limit = {160 * MiB, 160 * MiB}, is;
  if (argc == 1) {
    CHECKF(virtual_bytes() < 100 * MiB, "%zu MiB mapped", virtual_bytes() >> 20);
    if (setrlimit(RLIMIT_AS, &limit)) SKIP("setrlimit: %s", strerror(errno));
    CHECK(getrlimit(RLIMIT_AS, &is) == 0 && is.rlim_cur == limit.rlim_cur);
    need("limited late", 100 * MiB);
    execl("/proc/self/exe", argv[0], "limited", (char *)NULL);
    FAIL("exec: %s", strerror(errno));
  }
  need("limited early", 100 * MiB);
  limit.rlim_cur = 120 * MiB;
  CHECK(setrlimit(RLIMIT_AS, &limit) == 0 && getrlimit(RLIMIT_AS, &is) == 0 && is.rlim_cur == limit.rlim_cur);
  need("limited twice", 60 * MiB);
  return 0;
}
