// A daemon closes every descriptor 0..1023: allocation goes on, and no number is ours but 0, 1, 2 ... for it.
#define CASE_NO_MAIN
#include "case.h"
static void *body(void *arg) {
  for (size_t i = 0; i < 20000; i++) free(memset(malloc(i), 1, i));
  return arg;
}
int main(void) {
  body(NULL);
  free(memset(malloc(40 * MiB), 1, 40 * MiB));
  usleep(300000);
  for (int fd = 0; fd < 1024; fd++) close(fd);
  body(NULL);
  run_thread(body, NULL);
  usleep(500000);
  body(NULL);
  for (int fd = 0; fd < 20; fd++)
    if (open("/dev/null", O_RDWR) != fd) return 2; /* there is no stdout to say so */
  body(NULL);
  for (int fd = 0; fd < 20; fd++)
    if (write(fd, "x", 1) != 1) return 3; /* nobody closed what is the program's */
  pid_t pid = fork();
  if (pid == 0) {
    body(NULL);
    _exit(0);
  }
  int status;
  if (waitpid(pid, &status, 0) != pid || status) return 4;
  return 0;
}
