// weir-only
// Signals come as fast as they can; the handler takes and frees a large block or a mid one, and trims,
// while the loop does the same: the cache, the locks of the mid classes and the purging are met from inside.
#define CASE_NO_MAIN
#include "case.h"
static volatile long signals, rounds;
static volatile int stop;
static size_t handler_bytes;
static pthread_t main_thread;
static void handler(int number) {
  (void)number;
  int e = errno;
  char *p = malloc(handler_bytes);
  if (!p) FAIL("NULL in the handler");
  p[0] = p[handler_bytes - 1] = 1;
  free(p);
  if (++signals % 16 == 0) malloc_trim(0);
  errno = e;
}
static void *kicks(void *arg) {
  while (!stop) {
    pthread_kill(main_thread, SIGUSR1);
    for (volatile int i = 0; i < 300; i++) continue;
  }
  return arg;
}
static void *watches(void *arg) { /* a deadlock with oneself would last for ever */
  for (long last = -1; !stop; last = rounds) {
    for (int i = 0; i < 50 && !stop; i++) usleep(100000);
    if (!stop && rounds == last) FAIL("the loop stands still after %ld signals", signals);
  }
  return arg;
}
static char *p[2000];
static void storm(size_t bytes, double secs) {
  handler_bytes = bytes > MiB ? bytes + 4 * MiB : bytes;
  pthread_t kicker = start_thread(kicks, NULL), watcher = start_thread(watches, NULL);
  for (double end = seconds_now() + secs; seconds_now() < end; rounds++) {
    size_t count = bytes > MiB ? 20 : COUNT(p);
    for (size_t i = 0; i < count; i++) {
      CHECK(p[i] = malloc(bytes));
      p[i][0] = (char)i;
      if (bytes > MiB) free(p[i]), p[i] = NULL;
    }
    for (size_t i = 0; i < count; i += 2) free(p[i]);
    malloc_trim(0);
    for (size_t i = 1; i < count; i += 2) CHECK(!p[i] || p[i][0] == (char)i), free(p[i]);
  }
  stop = 1;
  join_thread(kicker), join_thread(watcher);
  stop = 0;
}
int main(void) {
  const char *pools = getenv("WEIR_POOLS");
  if (pools && strcmp(pools, "off") == 0) SKIP("mimalloc is not to be entered by handlers");
  struct sigaction a = {.sa_handler = handler, .sa_flags = SA_RESTART};
  main_thread = pthread_self();
  sigaction(SIGUSR1, &a, NULL);
  storm(66 * MiB, 3);
  storm(5000, 3);
  CHECKF(signals > 1000, "%ld signals", signals);
  return 0;
}
