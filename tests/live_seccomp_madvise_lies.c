// A filter lets madvise do nothing and return 0, as some sandboxes do: calloc on recycled memory is zero all the same.
#define CASE_NO_MAIN
#include "case.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
static void madvise_does_nothing(void) {
  struct sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                               BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 0),
                               BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  struct sock_fprog program = {COUNT(code), code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) SKIP("seccomp: %s", strerror(errno));
}
static const size_t sizes[] = {100, 3000, 5000, 20000, 60000, 300000, 2 * MiB, 8 * MiB, 60 * MiB, 80 * MiB};
int main(void) {
  madvise_does_nothing();
  CHECK(madvise((void *)1, 1, 12345) == 0); /* the filter bites */
  for (int round = 0; round < 3; round++) {
    for (size_t i = 0; i < COUNT(sizes); i++)
      for (int again = 0; again < 2; again++) {
        char *p = calloc(1, sizes[i]);
        CHECK(p);
        long at = not_zero(p, sizes[i]);
        CHECKF(at < 0, "calloc(%zu), round %d: byte %ld", sizes[i], round, at);
        memset(p, 0x5a, malloc_usable_size(p));
        free(p);
        if (again) malloc_trim(0);
      }
    if (round == 1) { /* mid blocks purged between live ones */
      static char *p[400];
      for (int i = 0; i < 400; i++) p[i] = memset(malloc(10000), 0x5a, 10000);
      for (int i = 0; i < 400; i += 2) free(p[i]);
      malloc_trim(0);
      for (int i = 0; i < 400; i += 2) CHECK((p[i] = calloc(1, 10000)) && not_zero(p[i], 10000) < 0);
      for (int i = 0; i < 400; i++) free(p[i]);
    }
  }
  return 0;
}
