// Under a filter that kills, malloc makes only the calls that glibc's makes: mmap, munmap, mremap, mprotect, madvise, futex, brk.
#define CASE_NO_MAIN
#include "case.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
static const unsigned allowed[] = {SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise, SYS_futex,
#ifdef SYS_brk
                                   SYS_brk,
#endif
                                   SYS_write, SYS_exit_group, SYS_exit, SYS_rt_sigreturn};
static void lock_up(void) {
  struct sock_filter code[3 + COUNT(allowed) + 1];
  size_t n = 0;
  code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  for (size_t i = 0; i < COUNT(allowed); i++)
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[i], (unsigned char)(COUNT(allowed) - i), 0);
  code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog program = {(unsigned short)n, code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) SKIP("seccomp: %s", strerror(errno));
}
static void work(void) {
  uint64_t r = 3;
  char *p[200] = {0};
  for (int i = 0; i < 30000; i++) {
    size_t k = next_random(&r) % 200;
    free(p[k]);
    CHECK(p[k] = calloc(1, 1 + next_random(&r) % ((size_t)1 << (4 + next_random(&r) % 17))));
    p[k][0] = 1;
  }
  for (int i = 0; i < 200; i++) free(p[i]);
}
int main(void) {
  pid_t probe = fork();
  if (probe == 0) {
    lock_up();
    syscall(SYS_getpid); /* must kill, or the test shows nothing */
    _exit(0);
  }
  int code = wait_child(probe, 10);
  if (code == 77) return 77;
  CHECKF(code == 1000 + SIGSYS, "the filter does not bite: %d", code);
  free(malloc(100));
  lock_up();
  work();
  free(memset(malloc(100 * MiB), 1, 100 * MiB));
  char *p = realloc(malloc(70 * MiB), 150 * MiB);
  CHECK(p);
  free(p);
  CHECK(malloc(hide(PTRDIFF_MAX)) == NULL);
  malloc_trim(0);
  _exit(0);
}
