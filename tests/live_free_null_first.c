// free(NULL), free of another's block, realloc and malloc_usable_size as the very first call of a thread.
#define CASE_NO_MAIN
#include "case.h"
static void *body(void *arg) {
  void **a = arg;
  errno = 77;
  switch ((uintptr_t)a[0]) {
  case 0: free(hidep(NULL)); break;
  case 1: free(a[1]); break;
  case 2: CHECK(a[1] = realloc(a[1], 3000)); free(a[1]); break;
  case 3: CHECK(malloc_usable_size(a[1]) >= 100); free(a[1]); break;
  case 4: CHECK(!hidep(realloc(a[1], 0))); break;
  case 5: free(a[1]); free(hidep(NULL)); free(malloc(10)); break;
  }
  CHECK(errno == 77);
  return NULL;
}
int main(void) {
  free(hidep(NULL)); /* of this thread and process too */
  for (uintptr_t i = 0; i < 600; i++) {
    void *a[2] = {(void *)(i % 6), i % 6 ? malloc(100 + i * 50) : NULL};
    run_thread(body, a);
  }
  return 0;
}
