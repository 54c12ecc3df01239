// WEIR_EXCEPT names this program, which runs under ulimit -v and lowers it: its address space is its own,
// though it allocates before weir can read its options.
#define CASE_NO_MAIN
#include "case.h"
static char *early[40];
static void before_all(int argc, char **argv, char **env) {
  (void)argv, (void)env;
  for (size_t i = 0; i < 40 && argc == 1; i++) fill(early[i] = malloc(i * i * 40), i * i * 40, i);
}
__attribute__((section(".preinit_array"), used)) static void (*preinit)(int, char **, char **) = before_all;
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
  struct rlimit limit = {260 * MiB, 260 * MiB}, is;
  for (size_t i = 0; i < 40 && argc == 1; i++) {
    CHECK(malloc_usable_size(early[i]) >= i * i * 40 && (early[i] = realloc(early[i], i * i * 40 + 1)));
    CHECK(unlike(early[i], i * i * 40, i) < 0), free(early[i]);
  }
  if (argc == 1) {
    CHECKF(virtual_bytes() < 150 * MiB, "%zu MiB mapped", virtual_bytes() >> 20);
    if (setrlimit(RLIMIT_AS, &limit)) SKIP("setrlimit: %s", strerror(errno));
    CHECK(getrlimit(RLIMIT_AS, &is) == 0 && is.rlim_cur == limit.rlim_cur);
    need("limited late", 100 * MiB);
    execl("/proc/self/exe", argv[0], "limited", (char *)NULL);
    FAIL("exec: %s", strerror(errno));
  }
  need("limited early", 180 * MiB);
  limit.rlim_cur = 220 * MiB;
  CHECK(setrlimit(RLIMIT_AS, &limit) == 0 && getrlimit(RLIMIT_AS, &is) == 0 && is.rlim_cur == limit.rlim_cur);
  need("limited twice", 150 * MiB);
  return 0;
}
