// Through a busy life the next free descriptor number stays what it is.
#define CASE_NO_MAIN
#include "case.h"
static int next_number(void) {
  int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  CHECK(fd >= 0);
  close(fd);
  return fd;
}
static int open_numbers(void) {
  int n = 0;
  for (int fd = 0; fd < 2000; fd++) n += fcntl(fd, F_GETFD) >= 0;
  return n;
}
static void *body(void *arg) {
  for (size_t i = 0; i < 10000; i++) free(memset(malloc(i * 3), 1, i * 3));
  return arg;
}
int main(int argc, char **argv) {
  if (argc == 1) {
    CHECK(syscall(SYS_close_range, 3u, ~0u, 0) == 0); /* what the caller left open */
    execl("/proc/self/exe", argv[0], "clean", (char *)NULL);
    FAIL("exec: %s", strerror(errno));
  }
  int first = next_number(), had = open_numbers();
  CHECKF(had == 3, "%d descriptors open at the start", had);
  for (int i = 0; i < 10; i++) {
    run_thread(body, NULL);
    body(NULL);
    free(memset(malloc(30 * MiB), 1, 30 * MiB));
    usleep(100000);
    CHECKF(next_number() == first && open_numbers() == had, "next %d, was %d; %d open, were %d", next_number(), first, open_numbers(), had);
  }
  return 0;
}
