/* Threads, fork and signals, as far as plain glibc promises them. */
#include "case.h"
#include <limits.h>
#include <setjmp.h>

/* ---- one thread's blocks freed by another ---- */
enum { BATCH = 300 };
struct batch {
  char *p[BATCH];
  size_t n;
  uint64_t seed;
  int aligned;
};
static void *takes(void *arg) {
  struct batch *b = arg;
  for (uint64_t i = 0; i < BATCH; i++) {
    CHECK(b->p[i] = b->aligned ? memalign(256, b->n) : malloc(b->n));
    fill(b->p[i], b->n, b->seed + i);
  }
  return NULL;
}
static void *gives(void *arg) {
  struct batch *b = arg;
  for (uint64_t i = 0; i < BATCH; i++) {
    CHECKF(unlike(b->p[i], b->n, b->seed + i) < 0, "block %d of %zu", (int)i, b->n);
    CHECK(malloc_usable_size(b->p[i]) >= b->n);
    free(b->p[i]);
  }
  return NULL;
}
static const size_t batch_sizes[] = {1, 24, 100, 500, 2000, 3840, 4096, 9000, 32768, 40000, 70000, 200000};
static struct batch batches[8];
#define EACH_SIZE(b)                                            \
  for (size_t size_at_ = 0; size_at_ < COUNT(batch_sizes); size_at_++) \
    if (((b)->n = batch_sizes[size_at_], (b)->seed = (b)->n, 1))
CASE(freed_after_the_thread_ended) {
  EACH_SIZE(&batches[0]) run_thread(takes, &batches[0]), gives(&batches[0]);
}
CASE(freed_by_a_younger_thread) {
  EACH_SIZE(&batches[0]) run_thread(takes, &batches[0]), run_thread(gives, &batches[0]);
}
CASE(mains_blocks_freed_by_a_thread) {
  EACH_SIZE(&batches[0]) takes(&batches[0]), run_thread(gives, &batches[0]);
}
CASE(aligned_freed_after_the_thread_ended) {
  batches[0].aligned = 1;
  EACH_SIZE(&batches[0]) run_thread(takes, &batches[0]), gives(&batches[0]);
}
CASE(large_freed_by_a_thread) {
  for (size_t n = MiB; n <= 128 * MiB; n *= 2) {
    char *p = malloc(n);
    CHECK(p);
    fill_sparse(p, n, 1);
    run_thread((void *(*)(void *))(uintptr_t)free, p);
    CHECK(p = malloc(n));
    fill_sparse(p, n, 2);
    CHECK(unlike_sparse(p, n, 2, 1) < 0);
    free(p);
  }
}
static void *takes_large(void *arg) {
  struct batch *b = arg;
  for (uint64_t i = 0; i < 8; i++) CHECK(b->p[i] = malloc(b->n)), fill_sparse(b->p[i], b->n, i);
  return NULL;
}
CASE(large_of_a_dead_thread) {
  for (size_t n = MiB; n <= 100 * MiB; n *= 3) {
    batches[0].n = n;
    run_thread(takes_large, &batches[0]);
    for (uint64_t i = 0; i < 8; i++) CHECK(unlike_sparse(batches[0].p[i], n, i, 1) < 0), free(batches[0].p[i]);
  }
}
CASE(eight_dead_threads_blocks_survive_new_threads) {
  for (uint64_t i = 0; i < 8; i++) batches[i].n = batch_sizes[i], batches[i].seed = i * 1000, run_thread(takes, &batches[i]);
  struct batch more = {.n = 300, .seed = 1};
  for (int i = 0; i < 20; i++) run_thread(takes, &more), run_thread(gives, &more);
  for (int i = 0; i < 8; i++) gives(&batches[i]);
}
CASE(blocks_in_use_survive_their_threads_neighbours) {
  /* half of a thread's blocks are freed here, then other threads take over its memory */
  for (size_t n = 16; n <= 20000; n *= 3) {
    struct batch *b = &batches[0], *c = &batches[1];
    b->n = c->n = n, b->seed = 1, c->seed = 100000;
    run_thread(takes, b);
    for (int i = 0; i < BATCH; i += 2) free(b->p[i]);
    run_thread(takes, c);
    for (uint64_t i = 1; i < BATCH; i += 2) CHECKF(unlike(b->p[i], n, 1 + i) < 0, "%zu", n), free(b->p[i]);
    gives(c);
  }
}
struct ring {
  void *volatile slot[64];
};
static struct ring ring;
static void *ring_producer(void *arg) {
  (void)arg;
  for (uint64_t i = 0; i < 200000; i++) {
    size_t n = 16 + mix64(i) % 500;
    uint64_t *p = malloc(n);
    CHECK(p);
    p[0] = n, p[1] = i;
    fill(p + 2, n - 16, i);
    while (__atomic_load_n(&ring.slot[i % 64], __ATOMIC_ACQUIRE)) sched_yield();
    __atomic_store_n(&ring.slot[i % 64], p, __ATOMIC_RELEASE);
  }
  return NULL;
}
CASE(producer_and_consumer) {
  pthread_t t = start_thread(ring_producer, NULL);
  for (uint64_t i = 0; i < 200000; i++) {
    uint64_t *p;
    while (!(p = __atomic_load_n(&ring.slot[i % 64], __ATOMIC_ACQUIRE))) sched_yield();
    __atomic_store_n(&ring.slot[i % 64], NULL, __ATOMIC_RELEASE);
    CHECK(p[1] == i && unlike(p + 2, p[0] - 16, i) < 0);
    free(p);
  }
  join_thread(t);
}
static pthread_barrier_t barrier;
static void *first_at_once(void *arg) {
  pthread_barrier_wait(&barrier);
  struct batch *b = arg;
  takes(b);
  pthread_barrier_wait(&barrier);
  gives(b);
  return NULL;
}
CASE(first_malloc_of_8_threads_at_once) {
  pthread_barrier_init(&barrier, NULL, 8);
  for (int round = 0; round < 30; round++) {
    pthread_t t[8];
    for (uint64_t i = 0; i < 8; i++) batches[i].n = 8 + i * 50, batches[i].seed = i, t[i] = start_thread(first_at_once, &batches[i]);
    for (int i = 0; i < 8; i++) join_thread(t[i]);
  }
}
static void *only_frees(void *p) {
  free(p);
  return NULL;
}
CASE(thread_that_only_frees) {
  for (int i = 0; i < 500; i++) run_thread(only_frees, malloc((size_t)i * 41));
}
static void *only_frees_null(void *p) {
  free(hidep(p));
  return NULL;
}
CASE(thread_that_only_frees_null) {
  for (int i = 0; i < 100; i++) run_thread(only_frees_null, NULL);
}
static void *only_reallocs(void *p) { return realloc(p, 5000); }
CASE(thread_whose_first_call_is_realloc) {
  for (int i = 0; i < 100; i++) {
    char *p = malloc(50);
    fill(p, 50, 1);
    void *q;
    CHECK(pthread_join(start_thread(only_reallocs, p), &q) == 0 && q && unlike(q, 50, 1) < 0);
    free(q);
  }
}
static void *enomem_in_thread(void *arg) {
  (void)arg;
  errno = 0;
  CHECK(malloc(hide(SIZE_MAX - 100)) == NULL && errno == ENOMEM);
  errno = 0;
  void *p = (void *)(uintptr_t)1;
  CHECK(posix_memalign(&p, 64, hide(SIZE_MAX)) == ENOMEM && p == (void *)(uintptr_t)1);
  return NULL;
}
CASE(enomem_as_first_call_of_a_thread) {
  errno = 5;
  for (int i = 0; i < 20; i++) run_thread(enomem_in_thread, NULL);
  CHECK(errno == 5);
}
static void *small_life(void *arg) {
  char *p[20];
  for (size_t i = 0; i < 20; i++) CHECK(p[i] = malloc(i * 100)), fill(p[i], i * 100, i);
  for (size_t i = 0; i < 20; i++) CHECK(unlike(p[i], i * 100, i) < 0), free(p[i]);
  return arg;
}
CASE(a_thousand_threads_in_turn) {
  for (int i = 0; i < 1000; i++) run_thread(small_life, NULL);
}
CASE(a_hundred_threads_at_once) {
  pthread_t t[100];
  for (int round = 0; round < 5; round++) {
    for (int i = 0; i < 100; i++) t[i] = start_thread(small_life, NULL);
    for (int i = 0; i < 100; i++) join_thread(t[i]);
  }
}
static int detached_done;
static void *detached_life(void *arg) {
  small_life(arg);
  __atomic_add_fetch(&detached_done, 1, __ATOMIC_SEQ_CST);
  return NULL;
}
CASE(detached_threads) {
  for (int i = 0; i < 200; i++) pthread_detach(start_thread(detached_life, NULL));
  for (int i = 0; i < 10000 && __atomic_load_n(&detached_done, __ATOMIC_SEQ_CST) < 200; i++) usleep(1000);
  CHECK(detached_done == 200);
}
static void cleanup(void *p) { free(p); }
static void *cancelled(void *arg) {
  char *p = malloc(1000);
  pthread_cleanup_push(cleanup, p);
  for (;;) free(malloc(500)), usleep(100);
  pthread_cleanup_pop(1);
  return arg;
}
CASE(cancelled_threads) {
  for (int i = 0; i < 50; i++) {
    pthread_t t = start_thread(cancelled, NULL);
    usleep(500);
    CHECK(pthread_cancel(t) == 0);
    join_thread(t);
  }
}
static __thread char tls_block[20000];
static void *big_tls(void *arg) {
  memset(tls_block, 1, sizeof tls_block);
  small_life(arg);
  CHECK(tls_block[0] == 1 && tls_block[19999] == 1);
  return NULL;
}
CASE(thread_with_a_large_tls) {
  for (int i = 0; i < 50; i++) run_thread(big_tls, NULL);
}
static pthread_key_t key;
static int key_calls;
static void key_end(void *p) {
  __atomic_add_fetch(&key_calls, 1, __ATOMIC_SEQ_CST);
  char *q = malloc(2000);
  fill(q, 2000, 1);
  CHECK(unlike(q, 2000, 1) < 0);
  free(p), free(q);
}
static void *uses_key(void *arg) {
  CHECK(pthread_setspecific(key, malloc(300)) == 0);
  return arg;
}
CASE(key_destructor_frees_and_mallocs) {
  CHECK(pthread_key_create(&key, key_end) == 0);
  for (int i = 0; i < 200; i++) run_thread(uses_key, NULL);
  CHECK(key_calls == 200);
}
CASE(every_key_there_is) {
  /* keys from 32 up live in memory that glibc callocs and frees */
  static pthread_key_t all[PTHREAD_KEYS_MAX];
  int n = 0;
  while (n < PTHREAD_KEYS_MAX && pthread_key_create(&all[n], free) == 0) n++;
  CHECKF(n > 900, "%d keys", n);
  for (int i = 0; i < n; i++) CHECK(pthread_setspecific(all[i], malloc((size_t)i)) == 0);
  for (int i = 0; i < n; i++) CHECK(pthread_getspecific(all[i]));
  for (int i = 0; i < n; i++) free(pthread_getspecific(all[i])), pthread_key_delete(all[i]);
}
CASE(small_stacks) {
  pthread_attr_t a;
  pthread_attr_init(&a);
  CHECK(pthread_attr_setstacksize(&a, 64 * KiB) == 0);
  for (int i = 0; i < 100; i++) {
    pthread_t t;
    CHECK(pthread_create(&t, &a, small_life, NULL) == 0);
    join_thread(t);
  }
  pthread_attr_destroy(&a);
}

/* ---- fork ---- */
CASE(fork_child_owns_the_blocks) {
  struct batch *b = &batches[0];
  EACH_SIZE(b) {
    takes(b);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
      gives(b);
      takes(b);
      gives(b);
      _exit(0);
    }
    CHECK_CHILD(pid);
    gives(b);
  }
}
CASE(fork_child_writes_do_not_reach_the_parent) {
  char *p = malloc(100000);
  fill(p, 100000, 1);
  pid_t pid = fork();
  if (pid == 0) {
    memset(p, 0, 100000);
    CHECK(p = realloc(p, 300000));
    free(p);
    exit(0);
  }
  CHECK_CHILD(pid);
  CHECK(unlike(p, 100000, 1) < 0);
  free(p);
}
CASE(fork_ten_deep) {
  char *p = malloc(5000);
  fill(p, 5000, 1);
  for (int depth = 0; depth < 10; depth++) {
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid) {
      CHECK_CHILD(pid);
      if (depth) _exit(0);
      return;
    }
    CHECK(unlike(p, 5000, 1) < 0);
    CHECK(p = realloc(p, 5000 + (size_t)depth * 3000));
    small_life(NULL);
  }
  free(p);
  _exit(0);
}
CASE(fork_500_children) {
  for (int i = 0; i < 500; i++) {
    char *p = malloc((size_t)i * 10 + 1);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
      free(p);
      small_life(NULL);
      _exit(0);
    }
    CHECK_CHILD(pid);
    free(p);
  }
}
CASE(fork_20_living_children) {
  pid_t pid[20];
  for (int i = 0; i < 20; i++) {
    CHECK((pid[i] = fork()) >= 0);
    if (pid[i] == 0) {
      for (int k = 0; k < 200; k++) small_life(NULL);
      exit(0);
    }
  }
  for (int i = 0; i < 20; i++) CHECK_CHILD(pid[i]);
}
static void *forks(void *arg) {
  struct batch *b = arg;
  takes(b);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    gives(b);
    run_thread(small_life, NULL);
    exit(0);
  }
  CHECK_CHILD(pid);
  gives(b);
  return NULL;
}
CASE(fork_from_a_thread) {
  EACH_SIZE(&batches[0]) run_thread(forks, &batches[0]);
}
static volatile int stop;
static void *churns(void *arg) {
  while (!stop) small_life(arg);
  return NULL;
}
CASE(fork_while_others_allocate) {
  pthread_t t[4];
  for (int i = 0; i < 4; i++) t[i] = start_thread(churns, NULL);
  batches[0].n = 200;
  takes(&batches[0]);
  for (int i = 0; i < 100; i++) {
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
      gives(&batches[0]);
      small_life(NULL);
      _exit(0);
    }
    CHECK_CHILD(pid);
  }
  stop = 1;
  for (int i = 0; i < 4; i++) join_thread(t[i]);
  gives(&batches[0]);
}
CASE(fork_child_starts_threads) {
  for (int i = 0; i < 20; i++) {
    takes((batches[0].n = 100, &batches[0]));
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
      run_thread(gives, &batches[0]);
      run_thread(small_life, NULL);
      exit(0);
    }
    CHECK_CHILD(pid);
    gives(&batches[0]);
  }
}
CASE(calloc_in_a_fork_child_is_zero) {
  char *p[100];
  for (int i = 0; i < 100; i++) CHECK(p[i] = malloc((size_t)i * 200 + 1)), memset(p[i], 0xff, (size_t)i * 200 + 1);
  for (int i = 0; i < 100; i++) free(p[i]);
  pid_t pid = fork();
  if (pid == 0) {
    for (int i = 0; i < 100; i++) CHECK((p[i] = calloc(1, (size_t)i * 200 + 1)) && not_zero(p[i], (size_t)i * 200 + 1) < 0);
    _exit(0);
  }
  CHECK_CHILD(pid);
}
static int atfork_calls;
static void atfork_mallocs(void) {
  char *p = malloc(700);
  CHECK(p);
  memset(p, 1, 700);
  free(p);
  atfork_calls++;
}
CASE(atfork_handlers_that_malloc) {
  CHECK(pthread_atfork(atfork_mallocs, atfork_mallocs, atfork_mallocs) == 0);
  pthread_t t = start_thread(churns, NULL);
  for (int i = 0; i < 50; i++) {
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
      small_life(NULL);
      _exit(0);
    }
    CHECK_CHILD(pid);
  }
  stop = 1;
  join_thread(t);
  CHECK(atfork_calls == 100);
}
CASE(vfork_and_exec) {
  for (int i = 0; i < 50; i++) {
    char *p = malloc(100);
    pid_t pid = vfork();
    CHECK(pid >= 0);
    if (pid == 0) {
      execlp("true", "true", (char *)NULL);
      _exit(9);
    }
    CHECK_CHILD(pid);
    free(p);
  }
}
CASE(exec_in_a_fork_child_of_a_busy_process) {
  pthread_t t[2];
  for (int i = 0; i < 2; i++) t[i] = start_thread(churns, NULL);
  for (int i = 0; i < 30; i++) {
    pid_t pid = fork();
    if (pid == 0) {
      setenv("FROM", "child", 1);
      execlp("sh", "sh", "-c", "test \"$FROM\" = child", (char *)NULL);
      _exit(9);
    }
    CHECK_CHILD(pid);
  }
  stop = 1;
  for (int i = 0; i < 2; i++) join_thread(t[i]);
}

/* ---- signals, taken at points where malloc is not running ---- */
static char *signal_block;
static int signal_count;
static void signal_mallocs(int number) {
  (void)number;
  char *p = malloc(1000 + (size_t)signal_count * 100);
  CHECK(p);
  memset(p, 2, 1000);
  free(signal_block);
  signal_block = p;
  signal_count++;
}
CASE(handler_mallocs_at_raise) {
  signal(SIGUSR2, signal_mallocs);
  for (int i = 0; i < 200; i++) {
    char *p = malloc(500);
    raise(SIGUSR2);
    free(p);
  }
  CHECK(signal_count == 200);
  free(signal_block);
}
CASE(handler_mallocs_in_sigsuspend) {
  signal(SIGUSR2, signal_mallocs);
  sigset_t block, old;
  sigemptyset(&block), sigaddset(&block, SIGUSR2);
  timer_t timer;
  struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
  struct itimerspec in = {{0, 2000000}, {0, 2000000}};
  CHECK(timer_create(CLOCK_MONOTONIC, &e, &timer) == 0);
  sigprocmask(SIG_BLOCK, &block, &old);
  CHECK(timer_settime(timer, 0, &in, NULL) == 0);
  while (signal_count < 100) {
    small_life(NULL);
    sigsuspend(&old); /* the only place where the signal gets through */
  }
  timer_delete(timer);
}
CASE(handler_on_its_own_stack) {
  stack_t stack = {.ss_sp = malloc(64 * KiB), .ss_size = 64 * KiB};
  CHECK(sigaltstack(&stack, NULL) == 0);
  struct sigaction a = {.sa_handler = signal_mallocs, .sa_flags = SA_ONSTACK};
  sigaction(SIGUSR2, &a, NULL);
  for (int i = 0; i < 100; i++) raise(SIGUSR2);
  CHECK(signal_count == 100);
  stack.ss_flags = SS_DISABLE;
  sigaltstack(&stack, NULL);
  free(stack.ss_sp);
}
static sigjmp_buf back;
static void signal_jumps(int number) {
  signal_mallocs(number);
  siglongjmp(back, 1);
}
CASE(siglongjmp_out_of_a_handler) {
  signal(SIGUSR2, signal_jumps);
  for (volatile int i = 0; i < 100; i++) {
    if (!sigsetjmp(back, 1)) {
      raise(SIGUSR2);
      FAIL("not reached");
    }
    small_life(NULL);
  }
  CHECK(signal_count == 100);
}
CASE(sigsegv_handler_mallocs) {
  signal(SIGSEGV, signal_jumps);
  for (volatile int i = 0; i < 20; i++)
    if (!sigsetjmp(back, 1)) {
      *(volatile char *)hidep(NULL) = 1;
      FAIL("not reached");
    }
  CHECK(signal_count == 20);
}
CASE(sigchld_handler_mallocs_and_reaps) {
  signal(SIGCHLD, signal_mallocs);
  for (int i = 0; i < 50; i++) {
    int had = signal_count;
    pid_t pid = fork();
    if (pid == 0) _exit(0);
    while (signal_count == had) usleep(200);
    CHECK_CHILD(pid);
  }
}
static void *signalled_thread(void *arg) {
  (void)arg;
  int seen = 0;
  for (sigset_t s; seen < 100; seen++) {
    int number;
    sigemptyset(&s), sigaddset(&s, SIGUSR2);
    CHECK(sigwait(&s, &number) == 0);
    small_life(NULL);
    __atomic_add_fetch(&signal_count, 1, __ATOMIC_SEQ_CST);
  }
  return NULL;
}
CASE(sigwait_thread) {
  sigset_t s;
  sigemptyset(&s), sigaddset(&s, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &s, NULL);
  pthread_t t = start_thread(signalled_thread, NULL);
  for (int i = 0; i < 100; i++) {
    CHECK(pthread_kill(t, SIGUSR2) == 0);
    while (__atomic_load_n(&signal_count, __ATOMIC_SEQ_CST) <= i) usleep(100);
  }
  join_thread(t);
}
