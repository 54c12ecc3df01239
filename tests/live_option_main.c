// What the option tests run: a little life; exit code 0 if main was reached. Here with no option at all.
#define CASE_NO_MAIN
#include "case.h"
static void *body(void *arg) {
  for (size_t i = 0; i < 3000; i++) {
    char *p = calloc(1, i);
    CHECK(p && not_zero(p, i) < 0);
    memset(p, 1, i);
    CHECK((p = realloc(p, i * 3 + 1)) && (i == 0 || (p[0] == 1 && p[i - 1] == 1)));
    free(p);
  }
  return arg;
}
int main(void) {
  body(NULL);
  run_thread(body, NULL);
  free(memset(malloc(3 * MiB), 1, 3 * MiB));
  return 0;
}
