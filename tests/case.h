/* case.h: helpers of the black-box tests, and the runner inside each conform_*.
 *
 * A conform program is a list of CASE(name) { ... } bodies. Run without
 * arguments it starts itself anew for each case (a fresh process, a time
 * limit), prints one line per failure and, last, "N passed, N failed".
 * Run with a name it runs that one case inline, which is what a debugger wants.
 * HELPER(name) is a case that only other cases start (case_run_helper).
 *
 * A live or stress program defines CASE_NO_MAIN first and has its own main;
 * there a failed CHECK ends the process with exit code 1, SKIP with 77.
 */
#ifndef WEIR_TESTS_CASE_H
#define WEIR_TESTS_CASE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KiB ((size_t)1 << 10)
#define MiB ((size_t)1 << 20)
#define GiB ((size_t)1 << 30)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define UNUSED __attribute__((unused))

static const char *case_name UNUSED = "main";

/* One line by write(2): works in a child, in a handler and under no memory. */
__attribute__((format(printf, 2, 3))) static UNUSED void case_say(const char *what, const char *format, ...) {
  char line[600];
  int n = snprintf(line, sizeof line, "%s %s: ", what, case_name);
  va_list args;
  va_start(args, format);
  n += vsnprintf(line + n, sizeof line - (size_t)n - 2, format, args);
  va_end(args);
  if (n > (int)sizeof line - 2) n = (int)sizeof line - 2;
  line[n++] = '\n';
  if (write(1, line, (size_t)n) < 0) _exit(3);
}

#define FAIL(...) (case_say("not ok", __VA_ARGS__), _exit(1))
#define SKIP(...) (case_say("skip", __VA_ARGS__), _exit(77))
#define CHECK(condition) ((condition) ? (void)0 : FAIL("%s (%s:%d)", #condition, __FILE__, __LINE__))
#define CHECKF(condition, format, ...) \
  ((condition) ? (void)0 : FAIL("%s, " format " (%s:%d)", #condition, __VA_ARGS__, __FILE__, __LINE__))

/* What the compiler must not reason about. */
static inline UNUSED size_t hide(size_t n) {
  __asm__ volatile("" : "+r"(n));
  return n;
}
static inline UNUSED void *hidep(void *p) {
  __asm__ volatile("" : "+r"(p) : : "memory");
  return p;
}

static inline UNUSED uint64_t mix64(uint64_t x) {
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93u;
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93u;
  return x ^ (x >> 32);
}
static inline UNUSED uint64_t next_random(uint64_t *state) { return mix64(*state += 0x9e3779b97f4a7c15u); }

/* A pattern in which every 8 bytes differ and depend on the seed; a shorter
 * fill is a prefix of a longer one. */
static UNUSED void fill(void *block, size_t bytes, uint64_t seed) {
  unsigned char *p = (unsigned char *)hidep(block);
  size_t i = 0;
  for (uint64_t word; i + 8 <= bytes; i += 8) word = mix64(seed + i), __builtin_memcpy(p + i, &word, 8);
  for (size_t k = 0; i + k < bytes; k++) p[i + k] = (unsigned char)(mix64(seed + i) >> 8 * k);
}
/* The first byte that is not as filled, or -1. */
static UNUSED long unlike(const void *block, size_t bytes, uint64_t seed) {
  const unsigned char *p = (const unsigned char *)hidep((void *)(uintptr_t)block);
  size_t i = 0;
  for (uint64_t word; i + 8 <= bytes; i += 8) {
    __builtin_memcpy(&word, p + i, 8);
    if (word != mix64(seed + i)) return (long)i;
  }
  for (size_t k = 0; i + k < bytes; k++)
    if (p[i + k] != (unsigned char)(mix64(seed + i) >> 8 * k)) return (long)(i + k);
  return -1;
}
/* For large blocks: both ends and one word per page. */
static UNUSED void fill_sparse(void *block, size_t bytes, uint64_t seed) {
  unsigned char *p = (unsigned char *)hidep(block);
  for (size_t i = 0; i + 8 <= bytes; i += 4096) {
    uint64_t word = mix64(seed + i);
    __builtin_memcpy(p + i, &word, 8);
  }
  if (bytes) p[bytes - 1] = (unsigned char)seed;
}
/* `last`: the block is still as long as it was filled. */
static UNUSED long unlike_sparse(const void *block, size_t bytes, uint64_t seed, int last) {
  const unsigned char *p = (const unsigned char *)hidep((void *)(uintptr_t)block);
  for (size_t i = 0; i + 8 <= bytes; i += 4096) {
    uint64_t word;
    __builtin_memcpy(&word, p + i, 8);
    if (word != mix64(seed + i) && !(i + 8 > bytes - 1)) return (long)i;
  }
  if (last && bytes && p[bytes - 1] != (unsigned char)seed) return (long)bytes - 1;
  return -1;
}
static UNUSED long not_zero(const void *block, size_t bytes) {
  const unsigned char *p = (const unsigned char *)hidep((void *)(uintptr_t)block);
  size_t i = 0;
  for (uint64_t word; i + 8 <= bytes; i += 8) {
    __builtin_memcpy(&word, p + i, 8);
    if (word) return (long)i;
  }
  for (; i < bytes; i++)
    if (p[i]) return (long)i;
  return -1;
}

/* /proc/self/statm: 0 = virtual, 1 = resident; bytes. No malloc. */
static UNUSED size_t statm_bytes(int field) {
  char text[128];
  int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  CHECK(fd >= 0);
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  CHECK(n > 0);
  text[n] = 0;
  char *at = text;
  size_t pages = strtoul(at, &at, 10);
  if (field) pages = strtoul(at, &at, 10);
  return pages * (size_t)sysconf(_SC_PAGESIZE);
}
static UNUSED size_t rss_bytes(void) { return statm_bytes(1); }
static UNUSED size_t virtual_bytes(void) { return statm_bytes(0); }

static UNUSED double seconds_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Ends only when the child does: exit code, or 1000 + signal. A child that
 * hangs is ended after `secs` and reported as 1000 + SIGKILL. */
static UNUSED int wait_child(pid_t pid, double secs) {
  int status;
  for (double end = seconds_now() + secs; seconds_now() < end; usleep(1000)) {
    pid_t got = waitpid(pid, &status, WNOHANG | __WALL);
    if (got == pid) return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
    if (got < 0 && errno != EINTR) FAIL("waitpid: %s", strerror(errno));
  }
  kill(pid, SIGKILL);
  waitpid(pid, &status, __WALL);
  return 1000 + SIGKILL;
}
#define CHECK_CHILD(pid)                                                                        \
  do {                                                                                          \
    int code_ = wait_child((pid), 20);                                                          \
    CHECKF(code_ == 0, "child ended with %d%s", code_, code_ == 1009 ? " (hung: killed)" : ""); \
  } while (0)

static UNUSED void join_thread(pthread_t t) {
  int e = pthread_join(t, NULL);
  CHECKF(e == 0, "%s", strerror(e));
}
static UNUSED pthread_t start_thread(void *(*body)(void *), void *arg) {
  pthread_t t;
  int e = pthread_create(&t, NULL, body, arg);
  if (e) FAIL("pthread_create: %s", strerror(e));
  return t;
}
static UNUSED void run_thread(void *(*body)(void *), void *arg) { join_thread(start_thread(body, arg)); }

#ifndef CASE_NO_MAIN
struct case_ {
  const char *name;
  void (*body)(void);
  struct case_ *next;
  int helper;
};
static struct case_ *case_first, **case_last = &case_first;
static const char *case_arg UNUSED; /* what a helper was given */

#define CASE_ADD(id, is_helper)                                       \
  static void case_##id(void);                                        \
  __attribute__((constructor)) static void case_add_##id(void) {      \
    static struct case_ self = {#id, case_##id, NULL, is_helper};     \
    *case_last = &self, case_last = &self.next;                       \
  }                                                                   \
  static void case_##id(void)
#define CASE(id) CASE_ADD(id, 0)
#define HELPER(id) CASE_ADD(id, 1)
#define CASE_SECONDS 25

/* A fresh process for one case; `limit`, if any, is set before its exec.
 * Returns the exit code or 1000 + signal. */
static UNUSED int case_start(const char *name, const char *arg, int resource, size_t limit) {
  pid_t pid = fork();
  if (pid < 0) FAIL("fork: %s", strerror(errno));
  if (pid == 0) {
    struct rlimit none = {0, 0}, bound = {limit, limit};
    setrlimit(RLIMIT_CORE, &none);
    alarm(CASE_SECONDS);
    if (resource >= 0 && setrlimit((__rlimit_resource_t)resource, &bound)) _exit(4);
    execl("/proc/self/exe", "case", name, arg, (char *)NULL);
    _exit(5);
  }
  int status;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) FAIL("waitpid: %s", strerror(errno));
  return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}
static UNUSED void case_run_helper(const char *name, const char *arg, int resource, size_t limit) {
  int code = case_start(name, arg, resource, limit);
  CHECKF(code == 0, "helper %s ended with %d", name, code);
}

int main(int argc, char **argv) {
  if (argc > 1) {
    for (struct case_ *c = case_first; c; c = c->next)
      if (strcmp(c->name, argv[1]) == 0) {
        case_name = c->name;
        case_arg = argc > 2 ? argv[2] : NULL;
        c->body();
        exit(0);
      }
    FAIL("no case %s", argv[1]);
  }
  int passed = 0, failed = 0;
  for (struct case_ *c = case_first; c; c = c->next) {
    if (c->helper) continue;
    case_name = c->name;
    int code = case_start(c->name, NULL, -1, 0);
    if (code == 77) continue;
    if (code == 0) {
      passed++;
      continue;
    }
    failed++;
    if (code == 1000 + SIGALRM)
      case_say("not ok", "not done after %d s", CASE_SECONDS);
    else if (code > 1000)
      case_say("not ok", "killed by signal %d (%s)", code - 1000, strsignal(code - 1000));
    else if (code != 1)
      case_say("not ok", "exit code %d", code);
  }
  char line[64];
  int n = snprintf(line, sizeof line, "%d passed, %d failed\n", passed, failed);
  return write(1, line, (size_t)n) != n || failed > 0;
}
#endif
#endif
