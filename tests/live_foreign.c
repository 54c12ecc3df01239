// glibc's own blocks come to our free, realloc and malloc_usable_size, from main and threads, in any order.
#define CASE_NO_MAIN
#include "case.h"
static void *(*libc_malloc)(size_t);
static char *kept[2000];
static size_t kept_bytes(size_t i) { return 1 + mix64(i) % (i % 50 ? 2000 : 400000); }
static void *takes(void *arg) {
  for (size_t i = 0; i < 2000; i++) CHECK(kept[i] = i % 2 ? libc_malloc(kept_bytes(i)) : malloc(kept_bytes(i))), fill(kept[i], kept_bytes(i), i);
  return arg;
}
static void *gives(void *arg) {
  for (size_t i = 0; i < 2000; i++) {
    CHECK(malloc_usable_size(kept[i]) >= kept_bytes(i));
    if (i % 3 == 0) CHECK(kept[i] = realloc(kept[i], kept_bytes(i) * 2));
    CHECKF(unlike(kept[i], kept_bytes(i), i) < 0, "block %zu", i);
    errno = 8;
    free(kept[i]);
    CHECK(errno == 8);
  }
  return arg;
}
int main(void) {
  void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
  CHECK(libc);
  libc_malloc = (void *(*)(size_t))(uintptr_t)dlsym(libc, "malloc");
  CHECK(libc_malloc);
  for (int i = 0; i < 10; i++) takes(NULL), gives(NULL);
  for (int i = 0; i < 10; i++) run_thread(takes, NULL), gives(NULL);
  for (int i = 0; i < 10; i++) takes(NULL), run_thread(gives, NULL);
  size_t before = rss_bytes();
  for (int i = 0; i < 50; i++) run_thread(takes, NULL), run_thread(gives, NULL);
  CHECKF(rss_bytes() < before + 64 * MiB, "RSS %zu -> %zu KiB", before >> 10, rss_bytes() >> 10);
  return 0;
}
