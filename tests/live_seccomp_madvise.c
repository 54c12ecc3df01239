// A filter lets madvise fail with EPERM or EINVAL: calloc on recycled memory is zero all the same.
#define CASE_NO_MAIN
#include "case.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
static void forbid_madvise(unsigned error) {
  struct sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                               BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
                               BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  struct sock_fprog program = {COUNT(code), code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) SKIP("seccomp: %s", strerror(errno));
}
static void work(void) {
  static char *p[600];
  for (int round = 0; round < 6; round++) {
    for (size_t i = 0; i < 600; i++) {
      size_t n = i % 40 ? i * 61 : i * 5000;
      CHECK(p[i] = calloc(1, n));
      CHECKF(not_zero(p[i], n) < 0, "calloc(%zu), round %d", n, round);
      memset(p[i], 0xff, malloc_usable_size(p[i]));
    }
    for (size_t i = 0; i < 600; i++)
      if (i % 17 || round % 2) free(p[i]), p[i] = NULL;
    malloc_trim(0);
    if (round == 3) sleep(1);
    for (size_t i = 0; i < 600; i++) free(p[i]);
    char *large = malloc(100 * MiB);
    memset(large, 0xff, 100 * MiB);
    free(large);
    CHECK((large = calloc(1, 100 * MiB)) && not_zero(large, 100 * MiB) < 0);
    free(large);
  }
}
int main(void) {
  for (int i = 0; i < 2; i++) {
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
      work();
      forbid_madvise(i ? EPERM : EINVAL);
      CHECK(madvise(NULL, 0, MADV_NORMAL) != 0); /* the filter bites */
      work();
      exit(0);
    }
    int code = wait_child(pid, 40);
    if (code == 77) return 77;
    CHECKF(code == 0, "%d", code);
  }
  return 0;
}
