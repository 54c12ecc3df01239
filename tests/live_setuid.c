// weir-only
// A setuid program linked with the library reads none of its options; the same program without the bit does.
#define CASE_NO_MAIN
#include "case.h"
#include <sys/auxv.h>
#include <sys/stat.h>
static char dir[] = "/tmp/weir-setuid.XXXXXX";
static void remove_all(void) {
  char command[100];
  snprintf(command, sizeof command, "rm -rf %s", dir);
  if (system(command)) _exit(1);
}
static int run_helper(const char *path, int as_user) {
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    unsetenv("LD_PRELOAD");
    setenv("WEIR_STRICT", "1", 1);
    setenv("WEIR_POOL_MAX", "banana", 1);
    if (as_user && (setgid(65533) || setuid(65533))) _exit(50);
    dup2(open("/dev/null", O_WRONLY), 2);
    execl(path, path, (char *)NULL);
    _exit(51);
  }
  return wait_child(pid, 20);
}
int main(void) {
  const char *lib = getenv("TESTLIB");
  char command[600], path[100];
  if (geteuid() != 0) SKIP("needs root");
  CHECK(lib && mkdtemp(dir) && chmod(dir, 0755) == 0);
  atexit(remove_all);
  snprintf(path, sizeof path, "%s/helper", dir);
  snprintf(command, sizeof command,
           "cd %s && cp %s libweir.so && chmod 755 libweir.so && printf '%%s' '#include <stdlib.h>\n#include <sys/auxv.h>\n"
           "int main(void) { char *volatile p = malloc(100); free(p); return getauxval(AT_SECURE) ? 40 : 30; }' > h.c && "
           "env -u LD_PRELOAD ${CC:-cc} -o helper h.c -Wl,--no-as-needed ./libweir.so -Wl,-rpath,%s >/dev/null 2>&1",
           dir, lib, dir);
  if (system(command) != 0) {
    remove_all();
    SKIP("the helper does not compile here");
  }
  int plain = run_helper(path, 1);
  if (chown(path, 65534, 65534) || chmod(path, 04755)) FAIL("chmod: %s", strerror(errno));
  int secure = run_helper(path, 1);
  if (secure == 30) {
    remove_all();
    SKIP("setuid bits do not count here");
  }
  if (plain != 2) remove_all(), FAIL("without the bit: exit code %d, not 2: the options are not read at all", plain);
  if (secure != 40) remove_all(), FAIL("with the bit: exit code %d, not 40: the options are read", secure);
  return 0;
}
