// weir-only
// Signals come as fast as they can; the handler takes and frees a large block and trims, or many mid ones, while
// the loop does the same: they meet in the cache, in the locks of the mid classes and in purging. The hit paths
// are not for handlers, so loop and handler use different sizes.
#define CASE_NO_MAIN
#include "case.h"
#include <sys/time.h>
static volatile long signals, rounds;
static volatile int stop, armed;
static size_t handler_bytes;
static void next_in(int microseconds) {
  struct itimerval timer = {{0, 0}, {0, microseconds}};
  setitimer(ITIMER_REAL, &timer, NULL);
}
static void handler(int number) {
  (void)number;
  int e = errno;
  char *taken[20]; /* more mid blocks than a thread keeps at hand */
  size_t count = handler_bytes > MiB ? 1 : COUNT(taken);
  for (size_t i = 0; i < count; i++) {
    if (!(taken[i] = malloc(handler_bytes))) FAIL("NULL in the handler");
    taken[i][0] = taken[i][handler_bytes - 1] = 1;
  }
  for (size_t i = 0; i < count; i++) free(taken[i]);
  if (++signals % 64 == 0 && count == 1) malloc_trim(0);
  if (armed) next_in(60); /* from now: the loop shall have its turn */
  errno = e;
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
  handler_bytes = bytes > MiB ? bytes + 4 * MiB : bytes + 2000;
  armed = 1;
  next_in(1);
  for (double end = seconds_now() + secs; seconds_now() < end; rounds++) {
    size_t count = bytes > MiB ? 20 : COUNT(p);
    for (size_t i = 0; i < count; i++) {
      CHECK(p[i] = malloc(bytes));
      p[i][0] = (char)i;
      if (bytes > MiB) free(p[i]), p[i] = NULL;
    }
    for (size_t i = 0; i < count; i += 2) free(p[i]);
    for (int i = 0; i < 10; i++) malloc_trim(0); /* most of them only look */
    for (size_t i = 1; i < count; i += 2) CHECK(!p[i] || p[i][0] == (char)i), free(p[i]);
  }
  armed = 0;
  next_in(0);
}
int main(void) {
  const char *pools = getenv("WEIR_POOLS");
  if (pools && strcmp(pools, "off") == 0) SKIP("mimalloc is not to be entered by handlers");
  struct sigaction a = {.sa_handler = handler, .sa_flags = SA_RESTART};
  sigset_t alarms;
  sigemptyset(&alarms), sigaddset(&alarms, SIGALRM);
  sigaction(SIGALRM, &a, NULL);
  pthread_sigmask(SIG_BLOCK, &alarms, NULL);
  pthread_t watcher = start_thread(watches, NULL);
  pthread_sigmask(SIG_UNBLOCK, &alarms, NULL);
  storm(66 * MiB, 3);
  storm(5000, 3);
  stop = 1;
  join_thread(watcher);
  CHECKF(signals > 100, "%ld signals", signals);
  return 0;
}
