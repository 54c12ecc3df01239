/* Under resource limits malloc says NULL and ENOMEM, and works again when there is memory. */
#include "case.h"

/* Allocates until it is told no, at most `most` bytes; returns how many bytes it got. */
static size_t exhaust(size_t size, size_t most) {
  char **chain = NULL;
  size_t got = 0, chained = 0;
  errno = 0;
  while (got < most) {
    char **p = malloc(hide(size));
    if (!p) break;
    p[0] = (char *)chain;
    ((char *)p)[size - 1] = 1;
    chain = p;
    got += size, chained++;
  }
  if (got < most) CHECKF(errno == ENOMEM, "malloc(%zu) failed after %zu MiB with errno %d", size, got >> 20, errno);
  while (chain) {
    char **next = (char **)chain[0];
    free(chain);
    chain = next, chained--;
  }
  CHECK(chained == 0);
  return got;
}
static void works(void) {
  for (int i = 0; i < 200; i++) {
    char *p = malloc(hide((size_t)i * 20 + 1)), *q = calloc(1, (size_t)i + 1);
    CHECKF(p && q, "block of %d", i * 20 + 1);
    fill(p, (size_t)i * 20 + 1, 1);
    CHECK(not_zero(q, (size_t)i + 1) < 0 && unlike(p, (size_t)i * 20 + 1, 1) < 0);
    free(p), free(q);
  }
}
static void limit_now(int resource, size_t bytes) {
  struct rlimit r;
  CHECK(getrlimit((__rlimit_resource_t)resource, &r) == 0);
  r.rlim_cur = bytes;
  CHECK(setrlimit((__rlimit_resource_t)resource, &r) == 0);
}

/* ---- a limit before the start, as ulimit sets it ---- */
HELPER(refuses_1g_and_works) {
  works();
  errno = 0;
  CHECK(malloc(hide(GiB)) == NULL && errno == ENOMEM);
  errno = 0;
  CHECK(calloc(hide(1024), MiB) == NULL && errno == ENOMEM);
  works();
}
HELPER(exhausts) {
  size_t size = (size_t)atol(case_arg), most = 3 * GiB;
  for (int round = 0; round < 3; round++) {
    size_t got = exhaust(size, most);
    CHECKF(got < most, "%zu MiB given", got >> 20);
    CHECKF(got >= 4 * MiB, "only %zu KiB given in round %d", got >> 10, round);
    works();
  }
}
CASE(as_1g_refuses_1g) { case_run_helper("refuses_1g_and_works", NULL, RLIMIT_AS, GiB); }
CASE(as_256m_refuses_1g) { case_run_helper("refuses_1g_and_works", NULL, RLIMIT_AS, 256 * MiB); }
CASE(as_64m_refuses_1g) { case_run_helper("refuses_1g_and_works", NULL, RLIMIT_AS, 64 * MiB); }
CASE(as_24m_refuses_1g) { case_run_helper("refuses_1g_and_works", NULL, RLIMIT_AS, 24 * MiB); }
CASE(as_2g_exhausted_by_100_bytes) { case_run_helper("exhausts", "100", RLIMIT_AS, 2 * GiB); }
CASE(as_200m_exhausted_by_100_bytes) { case_run_helper("exhausts", "100", RLIMIT_AS, 200 * MiB); }
CASE(as_200m_exhausted_by_5k) { case_run_helper("exhausts", "5000", RLIMIT_AS, 200 * MiB); }
CASE(as_200m_exhausted_by_100k) { case_run_helper("exhausts", "100000", RLIMIT_AS, 200 * MiB); }
CASE(as_200m_exhausted_by_3m) { case_run_helper("exhausts", "3000000", RLIMIT_AS, 200 * MiB); }
CASE(as_200m_exhausted_by_70m) { case_run_helper("exhausts", "70000000", RLIMIT_AS, 200 * MiB); }
CASE(as_48m_exhausted_by_1000_bytes) { case_run_helper("exhausts", "1000", RLIMIT_AS, 48 * MiB); }
CASE(data_1g_refuses_1g) { case_run_helper("refuses_1g_and_works", NULL, RLIMIT_DATA, GiB); }
CASE(data_64m_refuses_1g) { case_run_helper("refuses_1g_and_works", NULL, RLIMIT_DATA, 64 * MiB); }
CASE(data_16m_refuses_1g) { case_run_helper("refuses_1g_and_works", NULL, RLIMIT_DATA, 16 * MiB); }
CASE(data_100m_exhausted_by_100_bytes) { case_run_helper("exhausts", "100", RLIMIT_DATA, 100 * MiB); }
CASE(data_100m_exhausted_by_20k) { case_run_helper("exhausts", "20000", RLIMIT_DATA, 100 * MiB); }
CASE(data_100m_exhausted_by_1m) { case_run_helper("exhausts", "1000000", RLIMIT_DATA, 100 * MiB); }

HELPER(fills_a_share) {
  /* of a limit of 256 MiB at least 100 MiB must be there for use */
  enum { N = 1000 };
  static char *p[N];
  for (uint64_t i = 0; i < N; i++) {
    CHECKF(p[i] = malloc(100 * KiB), "no block after %zu KiB", (size_t)i * 100);
    fill(p[i], 100 * KiB, i);
  }
  for (uint64_t i = 0; i < N; i++) CHECK(unlike(p[i], 100 * KiB, i) < 0), free(p[i]);
}
CASE(as_256m_gives_100m) { case_run_helper("fills_a_share", NULL, RLIMIT_AS, 256 * MiB); }
CASE(data_256m_gives_100m) { case_run_helper("fills_a_share", NULL, RLIMIT_DATA, 256 * MiB); }

static void *thread_under_limit(void *arg) {
  (void)arg;
  size_t got = 0;
  char *chain = NULL;
  for (char *p; got < 3 * GiB && (p = malloc(10000)); got += 10000) *(char **)p = chain, chain = p;
  CHECK(got < 3 * GiB);
  for (char *next; chain; chain = next) next = *(char **)chain, free(chain);
  return NULL;
}
HELPER(four_threads_exhaust) {
  pthread_t t[4];
  for (int i = 0; i < 4; i++) t[i] = start_thread(thread_under_limit, NULL);
  for (int i = 0; i < 4; i++) join_thread(t[i]);
  works();
}
CASE(as_300m_exhausted_by_four_threads) { case_run_helper("four_threads_exhaust", NULL, RLIMIT_AS, 300 * MiB); }
HELPER(realloc_until_null) {
  size_t n = 1000;
  char *p = malloc(n), *q;
  fill(p, n, 1);
  for (; n < 3 * GiB; n += n / 2) {
    errno = 0;
    if (!(q = realloc(p, n + n / 2))) break;
    p = q;
    CHECK(unlike_sparse(p, 8, 1, 0) < 0);
  }
  CHECK(n < 3 * GiB && errno == ENOMEM);
  CHECK(unlike(p, 1000, 1) < 0);
  p[n - 1] = 1;
  free(p);
  works();
}
CASE(as_200m_realloc_until_null) { case_run_helper("realloc_until_null", NULL, RLIMIT_AS, 200 * MiB); }
CASE(data_200m_realloc_until_null) { case_run_helper("realloc_until_null", NULL, RLIMIT_DATA, 200 * MiB); }
HELPER(aligned_until_null) {
  for (size_t align = 64; align <= 16 * MiB; align *= 64) {
    void *chain = NULL, *p = NULL;
    size_t got = 0;
    int e = 0;
    for (; got < 3 * GiB && (e = posix_memalign(&p, align, 100000)) == 0; got += 100000) *(void **)p = chain, chain = p;
    CHECKF(e == ENOMEM, "alignment %zu: %d", align, e);
    errno = 0;
    CHECK(memalign(align, 90 * MiB) == NULL || got > 100 * MiB);
    for (void *next; chain; chain = next) next = *(void **)chain, free(chain);
  }
  works();
}
CASE(as_200m_aligned_until_null) { case_run_helper("aligned_until_null", NULL, RLIMIT_AS, 200 * MiB); }
HELPER(libc_calls_under_no_memory) {
  size_t long_bytes = 50 * MiB; /* a text of mmap's, not of malloc's */
  char *big = mmap(NULL, long_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(big != MAP_FAILED);
  memset(big, 'x', long_bytes - 1);
  void *chain = NULL;
  for (size_t n = 8 * MiB; n >= 64; n /= 2)
    for (void *p; (p = malloc(n));) *(void **)p = chain, chain = p;
  errno = 0;
  CHECK(strdup(big) == NULL && errno == ENOMEM);
  char *text = NULL;
  CHECK(asprintf(&text, "%s", big) < 0);
  for (void *next; chain; chain = next) next = *(void **)chain, free(chain);
  CHECK((text = strdup("again")) && strcmp(text, "again") == 0);
  free(text);
}
CASE(as_150m_strdup_is_null) { case_run_helper("libc_calls_under_no_memory", NULL, RLIMIT_AS, 150 * MiB); }
HELPER(forks_under_limit) {
  char *p = malloc(10000);
  fill(p, 10000, 1);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    CHECK(unlike(p, 10000, 1) < 0);
    CHECK(exhaust(50000, 3 * GiB) < 3 * GiB);
    works();
    _exit(0);
  }
  CHECK_CHILD(pid);
  works();
}
CASE(as_200m_fork) { case_run_helper("forks_under_limit", NULL, RLIMIT_AS, 200 * MiB); }

/* ---- a limit set while running ---- */
CASE(as_set_late_refuses_large) {
  free(malloc(hide(100)));
  limit_now(RLIMIT_AS, virtual_bytes() + 64 * MiB);
  errno = 0;
  CHECK(malloc(hide(GiB)) == NULL && errno == ENOMEM);
  errno = 0;
  CHECK(malloc(hide(200 * MiB)) == NULL && errno == ENOMEM);
  works();
}
CASE(as_set_late_is_a_bound) {
  free(malloc(hide(100)));
  limit_now(RLIMIT_AS, virtual_bytes() + 64 * MiB);
  size_t got = exhaust(MiB, 2 * GiB);
  CHECKF(got < 2 * GiB, "%zu MiB given", got >> 20);
  works();
}
CASE(as_lowered_and_raised) {
  limit_now(RLIMIT_AS, virtual_bytes() + 8 * MiB);
  errno = 0;
  CHECK(malloc(hide(500 * MiB)) == NULL && errno == ENOMEM);
  limit_now(RLIMIT_AS, RLIM_INFINITY);
  char *p = malloc(hide(500 * MiB));
  CHECK(p);
  p[500 * MiB - 1] = 1;
  free(p);
  works();
}
CASE(as_0_keeps_what_is_there) {
  char *p = malloc(hide(5000));
  fill(p, 5000, 1);
  limit_now(RLIMIT_AS, 0);
  errno = 0;
  CHECK(malloc(hide(300 * MiB)) == NULL && errno == ENOMEM);
  errno = 0;
  CHECK(realloc(p, hide(300 * MiB)) == NULL && errno == ENOMEM);
  CHECK(unlike(p, 5000, 1) < 0);
  for (int i = 0; i < 1000; i++) free(malloc(hide(100)));
  errno = 3;
  free(p);
  CHECK(errno == 3);
}
CASE(data_set_late_refuses_large) {
  free(malloc(hide(100)));
  limit_now(RLIMIT_DATA, 64 * MiB);
  errno = 0;
  CHECK(malloc(hide(GiB)) == NULL && errno == ENOMEM);
  works();
}
CASE(data_set_late_is_a_bound) {
  free(malloc(hide(100)));
  limit_now(RLIMIT_DATA, 64 * MiB);
  size_t got = exhaust(MiB, 2 * GiB);
  CHECKF(got < 2 * GiB, "%zu MiB given", got >> 20);
  works();
}
CASE(as_refusal_is_not_for_ever) {
  for (size_t i = 0; i < 20; i++) {
    size_t n = (400 + 50 * i) * MiB; /* larger than any block kept from before */
    limit_now(RLIMIT_AS, virtual_bytes() + 4 * MiB);
    errno = 0;
    CHECK(malloc(hide(n)) == NULL && errno == ENOMEM);
    limit_now(RLIMIT_AS, RLIM_INFINITY);
    char *p = malloc(hide(n));
    CHECKF(p, "round %zu", i);
    free(p);
  }
}

/* ---- limits that have nothing to do with memory ---- */
HELPER(plain_work) {
  works();
  char *p = malloc(100 * MiB);
  CHECK(p);
  fill_sparse(p, 100 * MiB, 1);
  CHECK(unlike_sparse(p, 100 * MiB, 1, 1) < 0);
  free(p);
}
HELPER(threads_work) {
  for (int i = 0; i < 10; i++) {
    pthread_attr_t a;
    pthread_attr_init(&a);
    pthread_attr_setstacksize(&a, 256 * KiB);
    pthread_t t;
    CHECK(pthread_create(&t, &a, (void *(*)(void *))(uintptr_t)works, NULL) == 0);
    join_thread(t);
    pthread_attr_destroy(&a);
  }
}
CASE(stack_unlimited) { case_run_helper("plain_work", NULL, RLIMIT_STACK, RLIM_INFINITY); }
CASE(stack_unlimited_threads) { case_run_helper("threads_work", NULL, RLIMIT_STACK, RLIM_INFINITY); }
CASE(stack_1g) { case_run_helper("threads_work", NULL, RLIMIT_STACK, GiB); }
CASE(stack_256k) { case_run_helper("plain_work", NULL, RLIMIT_STACK, 256 * KiB); }
CASE(stack_set_late) {
  limit_now(RLIMIT_STACK, 128 * KiB);
  works();
  run_thread((void *(*)(void *))(uintptr_t)works, NULL);
}
CASE(no_files) {
  limit_now(RLIMIT_NOFILE, 0);
  works();
  char *p = malloc(30 * MiB);
  CHECK(p);
  memset(p, 1, 30 * MiB);
  free(p);
}
CASE(no_file_size) { case_run_helper("plain_work", NULL, RLIMIT_FSIZE, 0); }
CASE(no_locked_memory) { case_run_helper("plain_work", NULL, RLIMIT_MEMLOCK, 0); }
CASE(no_core) { case_run_helper("plain_work", NULL, RLIMIT_CORE, 0); }
