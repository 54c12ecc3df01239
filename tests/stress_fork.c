// args: 6 10
// long: 12 120
// timeout: 90
/* stress_fork [THREADS [SECONDS [SEED]]]
 * Busy threads, and two of them fork all the time: children check and free
 * what the parent had, allocate, start threads, fork again and exit, while
 * threads of the parent come and go. A child that hangs or fails is reported
 * with the seed. */
#define CASE_NO_MAIN
#include "case.h"

enum { KEPT = 400, OWN = 150 };
static uint64_t seed;
static volatile int stop;
static char *kept[KEPT];
static long forks;
#define BAD(...) (case_say("not ok", __VA_ARGS__), case_say("seed", "%llu", (unsigned long long)seed), _exit(1))

static size_t kept_bytes(size_t i) { return 1 + mix64(i) % (i % 30 ? 1500 : 150000); }
static void *life(void *arg) {
  uint64_t r = (uint64_t)(uintptr_t)arg;
  struct {
    char *p;
    size_t n;
  } own[OWN] = {{0}};
  int steps = (int)(next_random(&r) % 40000);
  for (int i = 0; i < steps && !stop; i++) {
    size_t k = next_random(&r) % OWN;
    if (unlike(own[k].p, own[k].n, k) >= 0) BAD("block of %zu bytes is wrong", own[k].n);
    free(own[k].p);
    own[k].n = next_random(&r) % ((size_t)1 << (4 + next_random(&r) % (next_random(&r) % 8 ? 8 : 15)));
    if (!(own[k].p = malloc(own[k].n))) BAD("no block of %zu bytes", own[k].n);
    fill(own[k].p, own[k].n, k);
    if (next_random(&r) % 4000 == 0) usleep(500);
  }
  for (size_t k = 0; k < OWN; k++) {
    if (unlike(own[k].p, own[k].n, k) >= 0) BAD("block of %zu bytes is wrong", own[k].n);
    free(own[k].p);
  }
  return NULL;
}
static void *short_life(void *arg) {
  for (size_t i = 0; i < 500; i++) free(memset(malloc(i * 7), 1, i * 7));
  return arg;
}
__attribute__((noreturn)) static void in_child(uint64_t r, int depth) {
  for (size_t i = 0; i < KEPT; i++) {
    if (unlike(kept[i], kept_bytes(i), i) >= 0) BAD("the parent's block %zu is wrong in a child", i);
    if (next_random(&r) % 2) {
      free(kept[i]);
      if (!(kept[i] = malloc(kept_bytes(i)))) BAD("no block in a child");
      fill(kept[i], kept_bytes(i), i);
    }
  }
  for (size_t i = 0; i < 300; i++) {
    char *p = calloc(1, i * 11);
    if (!p || not_zero(p, i * 11) >= 0) BAD("calloc in a child");
    memset(p, 1, i * 11);
    free(p);
  }
  if (r % 3 == 0) run_thread(short_life, NULL);
  if (depth < 2 && r % 4 == 0) {
    pid_t pid = fork();
    if (pid == 0) { in_child(r * 7 + 1, depth + 1); }
    int code = wait_child(pid, 20);
    if (code) BAD("grandchild ended with %d%s", code, code == 1009 ? " (hung)" : "");
  }
  if (r % 5 == 0) exit(0);
  _exit(0);
}
static void *forker(void *arg) {
  uint64_t r = (uint64_t)(uintptr_t)arg;
  while (!stop) {
    uint64_t childs = next_random(&r);
    free(malloc(childs % 100000));
    pid_t pid = childs % 10 == 9 ? _Fork() : fork();
    if (pid < 0) BAD("fork: %s", strerror(errno));
    if (pid == 0) {
      if (childs % 10 == 9) _exit(0); /* in a busy process _Fork's child may use nothing of glibc's */
      in_child(childs, 0);
    }
    int code = wait_child(pid, 20);
    if (code) BAD("child ended with %d%s", code, code == 1009 ? " (hung)" : "");
    __atomic_add_fetch(&forks, 1, __ATOMIC_RELAXED);
  }
  return NULL;
}
int main(int argc, char **argv) {
  int threads = argc > 1 ? atoi(argv[1]) : 6;
  double secs = argc > 2 ? atof(argv[2]) : 10;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  seed = argc > 3 ? strtoull(argv[3], NULL, 10) : mix64((uint64_t)now.tv_nsec ^ (uint64_t)getpid()) % 1000000000;
  if (threads < 1 || threads > 256) return 2;
  for (size_t i = 0; i < KEPT; i++) kept[i] = malloc(kept_bytes(i)), fill(kept[i], kept_bytes(i), i);
  uint64_t r = seed;
  pthread_t t[256], f[2];
  for (int i = 0; i < threads; i++) t[i] = start_thread(life, (void *)(uintptr_t)(next_random(&r) >> 1));
  for (int i = 0; i < 2; i++) f[i] = start_thread(forker, (void *)(uintptr_t)(next_random(&r) >> 1));
  for (double end = seconds_now() + secs; seconds_now() < end;)
    for (int i = 0; i < threads && seconds_now() < end; i++) {
      join_thread(t[i]);
      t[i] = start_thread(life, (void *)(uintptr_t)(next_random(&r) >> 1));
    }
  stop = 1;
  for (int i = 0; i < threads; i++) join_thread(t[i]);
  for (int i = 0; i < 2; i++) join_thread(f[i]);
  for (size_t i = 0; i < KEPT; i++) {
    if (unlike(kept[i], kept_bytes(i), i) >= 0) BAD("kept block %zu is wrong", i);
    free(kept[i]);
  }
  if (forks < 20) BAD("only %ld forks", forks);
  printf("seed %llu, %ld forks\n", (unsigned long long)seed, forks);
  return 0;
}
