// flags: -std=c++17 -fsized-deallocation -Wno-sized-deallocation
// A program that replaces operator new(size_t) and operator delete(void*), and
// nothing else: by the standard every other plain form must end in these two.
// Each block carries a header, so a form that goes elsewhere is a crash or a
// wrong count.
#include "case.h"
#include <map>
#include <memory>
#include <new>
#include <sstream>
#include <string>
#include <vector>

static long news, deletes;
static const size_t header = 32;

void *operator new(size_t n) {
  char *p = static_cast<char *>(malloc(n + header));
  if (!p) throw std::bad_alloc();
  memcpy(p, "program's own block", 20);
  __atomic_add_fetch(&news, 1, __ATOMIC_RELAXED);
  return p + header;
}
void operator delete(void *p) noexcept {
  if (!p) return;
  char *block = static_cast<char *>(p) - header;
  if (memcmp(block, "program's own block", 20) != 0) FAIL("a block that is not the program's came to its delete");
  memset(block, 0, header);
  __atomic_add_fetch(&deletes, 1, __ATOMIC_RELAXED);
  free(block);
}

#define FORM(id, take, give)                                                            \
  CASE(own_##id) {                                                                      \
    for (size_t n = 1; n < 300000; n *= 3) {                                            \
      long had = news, gone = deletes;                                                  \
      void *p = hidep(take);                                                            \
      CHECK(p);                                                                         \
      CHECKF(news == had + 1, "%s did not come to the program's operator new", #take);  \
      fill(p, n, 1);                                                                    \
      CHECK(unlike(p, n, 1) < 0);                                                       \
      give;                                                                             \
      CHECKF(deletes == gone + 1, "%s did not come to the program's delete", #give);    \
    }                                                                                   \
  }
FORM(plain, ::operator new(n), ::operator delete(p))
FORM(sized, ::operator new(n), ::operator delete(p, n))
FORM(array, ::operator new[](n), ::operator delete[](p))
FORM(array_sized, ::operator new[](n), ::operator delete[](p, n))
FORM(nothrow, ::operator new(n, std::nothrow), ::operator delete(p, std::nothrow))
FORM(array_nothrow, ::operator new[](n, std::nothrow), ::operator delete[](p, std::nothrow))
FORM(nothrow_then_plain, ::operator new(n, std::nothrow), ::operator delete(p))
FORM(array_nothrow_then_sized, ::operator new[](n, std::nothrow), ::operator delete[](p, n))
CASE(own_aligned_stays_apart) {
  long had = news, gone = deletes;
  void *p = hidep(::operator new(1000, std::align_val_t(128)));
  CHECK(p && ((uintptr_t)p & 127) == 0);
  ::operator delete(p, std::align_val_t(128));
  CHECK(news == had && deletes == gone);
}
CASE(own_nothrow_of_a_throwing_new_is_null) {
  CHECK(!hidep(::operator new(hide(SIZE_MAX - 1000), std::nothrow)));
  CHECK(!hidep(::operator new[](hide(SIZE_MAX - 1000), std::nothrow)));
}
CASE(own_containers_and_streams) {
  long had = news;
  {
    std::map<int, std::string> m;
    std::vector<std::shared_ptr<std::string>> v;
    std::ostringstream o;
    for (int i = 0; i < 2000; i++) {
      m[i] = std::string(100, 'x');
      v.push_back(std::make_shared<std::string>(50, 'y'));
      o << i;
    }
    CHECK(news > had + 5000 && o.str().size() == 6890);
  }
  CHECKF(news - had == deletes, "%ld news, %ld deletes", news - had, deletes);
}
