// A C program whose plugin brings libstdc++ along, for itself alone: operator new(nothrow) of too much is NULL.
#define CASE_NO_MAIN
#include "case.h"
typedef void *(*new_nothrow)(size_t, const void *);
typedef void *(*new_plain)(size_t);
typedef void (*delete_plain)(void *);
static void *found(void *library, const char *name) {
  void *symbol = dlsym(library, name);
  CHECKF(symbol, "no %s", name);
  return symbol;
}
int main(void) {
  CHECK(!dlsym(RTLD_DEFAULT, "_ZSt15get_new_handlerv")); /* a C program indeed */
  void *library = dlopen("libstdc++.so.6", RTLD_NOW | RTLD_LOCAL);
  if (!library) SKIP("%s", dlerror());
  const void *nothrow = found(library, "_ZSt7nothrow");
  new_nothrow one = (new_nothrow)found(library, "_ZnwmRKSt9nothrow_t"), many = (new_nothrow)found(library, "_ZnamRKSt9nothrow_t");
  new_plain plain = (new_plain)found(library, "_Znwm");
  delete_plain gone = (delete_plain)found(library, "_ZdlPv");
  for (int i = 0; i < 3; i++) {
    CHECK(one(hide((size_t)1 << 62), nothrow) == NULL);
    CHECK(many(hide(SIZE_MAX), nothrow) == NULL);
    char *p = one(100, nothrow), *q = plain(5000);
    CHECK(p && q);
    memset(p, 1, 100), memset(q, 1, 5000);
    gone(p), gone(q);
  }
  return 0;
}
