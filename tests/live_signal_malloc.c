// weir-only
// A handler mallocs every millisecond wherever the loop is. Not legal, but common, and glibc hangs on it.
// The fast path is not re-entrant, so loop and handler use different sizes: what meets are the slow paths.
#define CASE_NO_MAIN
#include "case.h"
#include <sys/time.h>
static volatile int signals, large;
static char *kept[64];
static size_t had[64];
static void handler(int number) {
  (void)number;
  int e = errno;
  size_t k = (size_t)signals % 64;
  if (unlike(kept[k], had[k], k) >= 0) FAIL("the handler's block %zu of %zu bytes was overwritten", k, had[k]);
  free(kept[k]);
  had[k] = large ? 20000 + k * 2000 : 16 + k * 15;
  if (!(kept[k] = malloc(had[k]))) FAIL("NULL in the handler");
  fill(kept[k], had[k], k);
  signals++;
  errno = e;
}
static char *p[3000];
static size_t size[3000];
static void loop(uint64_t *r, size_t slots, size_t least, size_t most) {
  for (double end = seconds_now() + 4; seconds_now() < end;)
    for (int i = 0; i < 100; i++) {
      size_t k = next_random(r) % slots;
      if (unlike_sparse(p[k], size[k], k, 1) >= 0) FAIL("the loop's block %zu was overwritten", k);
      free(p[k]);
      size[k] = least + next_random(r) % (most - least);
      CHECK(p[k] = malloc(size[k]));
      fill_sparse(p[k], size[k], k);
    }
}
static void change_sizes(int handler_takes_large) {
  sigset_t all, old;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, &old);
  for (int k = 0; k < 64; k++) free(kept[k]), kept[k] = NULL, had[k] = 0;
  for (int k = 0; k < 3000; k++) free(p[k]), p[k] = NULL, size[k] = 0;
  large = handler_takes_large;
  sigprocmask(SIG_SETMASK, &old, NULL);
}
int main(void) {
  struct itimerval every = {{0, 1000}, {0, 1000}};
  struct sigaction a = {.sa_handler = handler, .sa_flags = SA_RESTART};
  uint64_t r = 2;
  const char *pools = getenv("WEIR_POOLS");

  if (pools && strcmp(pools, "off") == 0) SKIP("mimalloc is not to be entered by handlers");
  sigaction(SIGALRM, &a, NULL);
  setitimer(ITIMER_REAL, &every, NULL);
  loop(&r, 60, 20000, 3000000);
  change_sizes(1);
  loop(&r, 3000, 1, 10000);
  change_sizes(0);
  CHECKF(signals > 1000, "%d signals", signals);
  return 0;
}
