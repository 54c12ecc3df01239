// flags: -std=c++17 -Wno-mismatched-new-delete -fsized-deallocation
// operator new and delete in every form, and what the library builds on them.
#include "case.h"
#include <deque>
#include <exception>
#include <functional>
#include <future>
#include <iostream>
#include <list>
#include <map>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <new>
#include <regex>
#include <sstream>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>
#include <algorithm>

using std::align_val_t;
using std::nothrow;
static const size_t sizes[] = {0, 1, 8, 16, 17, 24, 100, 128, 500, 1000, 3840, 4097, 10000, 40000, 100000, 1000000, 5000000, 70000000};
static const size_t absurd[] = {(size_t)PTRDIFF_MAX, (size_t)PTRDIFF_MAX + 1, SIZE_MAX, SIZE_MAX - 8, SIZE_MAX - 16,
                                SIZE_MAX - 4096, SIZE_MAX / 2 + 2, (size_t)1 << 62, (size_t)1 << 48};
/* libstdc++ 12 rounds the size up to the alignment and wraps: not beyond this. */
static const size_t absurd_aligned[] = {(size_t)PTRDIFF_MAX, (size_t)PTRDIFF_MAX + 1, SIZE_MAX - 16 * MiB, (size_t)1 << 62, (size_t)1 << 48};
static bool aligned_to(void *p, size_t a) { return ((uintptr_t)p & (a - 1)) == 0; }

template <class Take, class Give> static void pairs(Take take, Give give, size_t align = 16) {
  for (size_t n : sizes) {
    void *p[5];
    for (uint64_t i = 0; i < 5; i++) {
      p[i] = hidep(take(n));
      CHECKF(p[i] && aligned_to(p[i], align) && malloc_usable_size(p[i]) >= n, "%zu: %p", n, p[i]);
      for (uint64_t k = 0; k < i; k++) CHECKF(p[k] != p[i], "%zu", n);
      if (n < 200000)
        fill(p[i], n, i);
      else
        fill_sparse(p[i], n, i);
    }
    for (uint64_t i = 0; i < 5; i++) {
      CHECKF((n < 200000 ? unlike(p[i], n, i) : unlike_sparse(p[i], n, i, 1)) < 0, "%zu", n);
      errno = 91;
      give(p[i], n);
      CHECKF(errno == 91, "errno became %d", errno);
    }
  }
}
#define TAKE(expression) [](size_t n) -> void * { (void)n; return expression; }
#define GIVE(expression) [](void *p, size_t n) { (void)n; expression; }
CASE(new_delete) { pairs(TAKE(::operator new(n)), GIVE(::operator delete(p))); }
CASE(new_delete_sized) { pairs(TAKE(::operator new(n)), GIVE(::operator delete(p, n))); }
CASE(new_delete_nothrow) { pairs(TAKE(::operator new(n, nothrow)), GIVE(::operator delete(p, nothrow))); }
CASE(new_nothrow_delete) { pairs(TAKE(::operator new(n, nothrow)), GIVE(::operator delete(p))); }
CASE(new_array) { pairs(TAKE(::operator new[](n)), GIVE(::operator delete[](p))); }
CASE(new_array_sized) { pairs(TAKE(::operator new[](n)), GIVE(::operator delete[](p, n))); }
CASE(new_array_nothrow) { pairs(TAKE(::operator new[](n, nothrow)), GIVE(::operator delete[](p, nothrow))); }
#define ALIGNED_PAIRS(a)                                                                                         \
  CASE(new_aligned_##a) {                                                                                        \
    pairs(TAKE(::operator new(n, align_val_t(a))), GIVE(::operator delete(p, align_val_t(a))), a);               \
    pairs(TAKE(::operator new(n, align_val_t(a))), GIVE(::operator delete(p, n, align_val_t(a))), a);            \
    pairs(TAKE(::operator new(n, align_val_t(a), nothrow)), GIVE(::operator delete(p, align_val_t(a), nothrow)), a); \
  }                                                                                                              \
  CASE(new_array_aligned_##a) {                                                                                  \
    pairs(TAKE(::operator new[](n, align_val_t(a))), GIVE(::operator delete[](p, align_val_t(a))), a);           \
    pairs(TAKE(::operator new[](n, align_val_t(a))), GIVE(::operator delete[](p, n, align_val_t(a))), a);        \
    pairs(TAKE(::operator new[](n, align_val_t(a), nothrow)), GIVE(::operator delete[](p, align_val_t(a), nothrow)), a); \
  }
ALIGNED_PAIRS(8)
ALIGNED_PAIRS(32)
ALIGNED_PAIRS(64)
ALIGNED_PAIRS(256)
ALIGNED_PAIRS(4096)
ALIGNED_PAIRS(65536)
ALIGNED_PAIRS(2097152)

CASE(delete_null_in_every_form) {
  void *p = hidep(nullptr);
  ::operator delete(p), ::operator delete[](p), ::operator delete(p, (size_t)8), ::operator delete[](p, (size_t)8);
  ::operator delete(p, nothrow), ::operator delete[](p, nothrow);
  ::operator delete(p, align_val_t(64)), ::operator delete[](p, align_val_t(64));
  ::operator delete(p, (size_t)8, align_val_t(64)), ::operator delete[](p, (size_t)8, align_val_t(64));
  ::operator delete(p, align_val_t(64), nothrow), ::operator delete[](p, align_val_t(64), nothrow);
}
CASE(new_and_free_are_one_family) {
  for (size_t n : sizes) {
    free(hidep(::operator new(n))), free(hidep(::operator new[](n))), free(hidep(::operator new(n, align_val_t(128))));
    ::operator delete(hidep(malloc(n))), ::operator delete[](hidep(calloc(1, n))), ::operator delete(hidep(memalign(64, n)));
    free(hidep(realloc(::operator new(n), n + 100)));
  }
  ::operator delete(hidep(strdup("text")));
}
CASE(delete_does_free) {
  size_t before = rss_bytes();
  for (int i = 0; i < 30000; i++) {
    ::operator delete(memset(::operator new(2000), 1, 2000));
    ::operator delete[](memset(::operator new[](2000), 1, 2000), (size_t)2000);
    ::operator delete(memset(::operator new(2000, align_val_t(64)), 1, 2000), (size_t)2000, align_val_t(64));
  }
  CHECKF(rss_bytes() < before + 16 * MiB, "RSS %zu -> %zu KiB", before >> 10, rss_bytes() >> 10);
}

/* ---- failure ---- */
template <class F> static bool throws_bad_alloc(F f) {
  try {
    hidep(f());
  } catch (const std::bad_alloc &e) {
    CHECK(e.what() && e.what()[0]);
    return true;
  }
  return false;
}
#define THROWS(id, sizes_, expression)                                                               \
  CASE(throws_##id) {                                                                                \
    for (size_t n : sizes_)                                                                          \
      for (int i = 0; i < 3; i++) CHECKF(throws_bad_alloc([&] { return expression; }), "size %zx", n); \
    ::operator delete(::operator new(10));                                                           \
  }
THROWS(new, absurd, ::operator new(hide(n)))
THROWS(new_array, absurd, ::operator new[](hide(n)))
THROWS(new_aligned, absurd_aligned, ::operator new(hide(n), align_val_t(64)))
THROWS(new_array_aligned, absurd_aligned, ::operator new[](hide(n), align_val_t(4096)))
THROWS(new_aligned_huge, absurd_aligned, ::operator new(hide(n), align_val_t(4 * MiB)))
#define GIVES_NULL(id, sizes_, expression)                        \
  CASE(null_from_##id) {                                          \
    for (size_t n : sizes_) CHECKF(!hidep(expression), "%zx", n); \
  }
GIVES_NULL(nothrow, absurd, ::operator new(hide(n), nothrow))
GIVES_NULL(array_nothrow, absurd, ::operator new[](hide(n), nothrow))
GIVES_NULL(aligned_nothrow, absurd_aligned, ::operator new(hide(n), align_val_t(64), nothrow))
GIVES_NULL(array_aligned_nothrow, absurd_aligned, ::operator new[](hide(n), align_val_t(64), nothrow))
CASE(bad_alloc_derives_from_exception) {
  try {
    hidep(::operator new(hide(SIZE_MAX - 100)));
  } catch (const std::exception &e) {
    CHECK(strstr(e.what(), "bad_alloc"));
    return;
  }
  FAIL("nothing thrown");
}
struct twelve {
  int a, b, c;
};
CASE(array_length_overflow) {
  for (size_t n : {SIZE_MAX / 12 + 1, SIZE_MAX / 4, SIZE_MAX / 2, SIZE_MAX}) {
    bool thrown = false;
    try {
      hidep(new twelve[hide(n)]);
    } catch (const std::bad_alloc &) { /* bad_array_new_length, or from operator new itself (clang) */
      thrown = true;
    }
    CHECKF(thrown, "%zx", n);
  }
  int length = -1;
  __asm__ volatile("" : "+r"(length));
  CHECK(throws_bad_alloc([&] { return (void *)new int[(size_t)(long)length]; }));
}
CASE(bad_alloc_in_a_thread) {
  bool thrown = false;
  std::thread t([&] { thrown = throws_bad_alloc([] { return ::operator new(hide(SIZE_MAX - 100)); }); });
  t.join();
  CHECK(thrown);
}
CASE(bad_alloc_a_thousand_times) {
  for (int i = 0; i < 1000; i++) CHECK(throws_bad_alloc([] { return ::operator new(hide((size_t)PTRDIFF_MAX)); }));
}
CASE(bad_alloc_uncaught_by_noexcept_terminates) {
  pid_t pid = fork();
  if (pid == 0) {
    std::set_terminate([] { _exit(33); });
    [&]() noexcept { hidep(::operator new(hide(SIZE_MAX - 100))); }();
    _exit(0);
  }
  int code = wait_child(pid, 10);
  CHECKF(code == 33, "%d", code);
}
HELPER(vector_until_bad_alloc) {
  std::vector<std::unique_ptr<char[]>> blocks;
  bool thrown = false;
  try {
    while (blocks.size() < 3000) blocks.emplace_back(new char[MiB]);
  } catch (const std::bad_alloc &) {
    thrown = true;
  }
  CHECK(thrown);
  blocks.clear();
  std::string again(1000, 'x');
  CHECK(again.size() == 1000);
}
CASE(bad_alloc_under_a_limit) { case_run_helper("vector_until_bad_alloc", NULL, RLIMIT_AS, 300 * MiB); }

/* ---- the new-handler ---- */
static int handler_calls;
static void handler_gives_up_at_5() {
  if (++handler_calls == 5) std::set_new_handler(nullptr);
}
#define HANDLER(id, expression, is_null)                              \
  CASE(handler_is_called_until_it_gives_up_##id) {                    \
    std::set_new_handler(handler_gives_up_at_5);                      \
    size_t n = hide(SIZE_MAX - 1000);                                 \
    bool null = false;                                                \
    bool thrown = throws_bad_alloc([&] {                              \
      void *p = expression;                                           \
      null = hidep(p) == nullptr;                                     \
      return p;                                                       \
    });                                                               \
    CHECKF(handler_calls == 5, "%d calls", handler_calls);            \
    CHECK(is_null ? null : thrown);                                   \
  }
HANDLER(new, ::operator new(n), false)
HANDLER(new_array, ::operator new[](n), false)
HANDLER(new_nothrow, ::operator new(n, nothrow), true)
HANDLER(new_array_nothrow, ::operator new[](n, nothrow), true)
HANDLER(new_aligned, ::operator new(n, align_val_t(64)), false)
HANDLER(new_aligned_nothrow, ::operator new(n, align_val_t(64), nothrow), true)
static void set_as(rlim_t bytes) {
  struct rlimit r;
  getrlimit(RLIMIT_AS, &r);
  r.rlim_cur = bytes;
  CHECK(setrlimit(RLIMIT_AS, &r) == 0);
}
static void handler_makes_room() {
  if (++handler_calls == 3) set_as(RLIM_INFINITY);
  CHECK(handler_calls < 4);
}
CASE(handler_makes_room_and_new_succeeds) {
  set_as(virtual_bytes() + 16 * MiB);
  std::set_new_handler(handler_makes_room);
  char *p = static_cast<char *>(::operator new(hide(600 * MiB)));
  CHECKF(handler_calls == 3, "%d calls", handler_calls);
  p[0] = p[600 * MiB - 1] = 1;
  ::operator delete(p);
}
CASE(handler_makes_room_and_nothrow_new_succeeds) {
  set_as(virtual_bytes() + 16 * MiB);
  std::set_new_handler(handler_makes_room);
  void *p = ::operator new(hide(600 * MiB), nothrow);
  CHECKF(p && handler_calls == 3, "%d calls", handler_calls);
  ::operator delete(p);
}
CASE(handler_makes_room_and_aligned_new_succeeds) {
  set_as(virtual_bytes() + 16 * MiB);
  std::set_new_handler(handler_makes_room);
  void *p = ::operator new(hide(600 * MiB), align_val_t(8192));
  CHECKF(p && aligned_to(p, 8192) && handler_calls == 3, "%d calls", handler_calls);
  ::operator delete(p, align_val_t(8192));
}
struct my_bad : std::bad_alloc {};
static void handler_throws() {
  handler_calls++;
  throw my_bad();
}
CASE(handler_that_throws_reaches_the_caller) {
  std::set_new_handler(handler_throws);
  bool mine = false;
  try {
    hidep(::operator new(hide(SIZE_MAX - 100)));
  } catch (const my_bad &) {
    mine = true;
  }
  CHECK(mine && handler_calls == 1);
}
CASE(handler_that_throws_makes_nothrow_null) {
  std::set_new_handler(handler_throws);
  CHECK(!hidep(::operator new(hide(SIZE_MAX - 100), nothrow)) && handler_calls == 1);
  CHECK(!hidep(::operator new[](hide(SIZE_MAX - 100), nothrow)) && handler_calls == 2);
  CHECK(!hidep(::operator new(hide(SIZE_MAX - 100), align_val_t(64), nothrow)) && handler_calls == 3);
}
CASE(handler_is_not_called_by_malloc_nor_on_success) {
  std::set_new_handler(handler_throws);
  CHECK(malloc(hide(SIZE_MAX - 100)) == nullptr);
  for (size_t n : sizes) ::operator delete(::operator new(n));
  CHECK(handler_calls == 0);
}
CASE(handler_is_kept_by_get_new_handler) {
  CHECK(std::get_new_handler() == nullptr);
  CHECK(std::set_new_handler(handler_throws) == nullptr);
  CHECK(std::get_new_handler() == handler_throws);
}

/* ---- expressions ---- */
static int live_objects;
struct counted {
  char body[40];
  counted() { live_objects++; }
  ~counted() { live_objects--; }
};
CASE(new_expressions) {
  for (size_t n = 0; n < 300; n++) {
    counted *one = new counted, *many = new counted[n], *quiet = new (nothrow) counted;
    CHECK(live_objects == (int)n + 2);
    delete one;
    delete[] many;
    delete quiet;
    CHECK(live_objects == 0);
  }
}
struct throws_in_constructor {
  char body[3000];
  throws_in_constructor() {
    memset(body, 1, sizeof body);
    throw 7;
  }
};
CASE(constructor_that_throws_does_not_leak) {
  size_t before = 0;
  for (int i = 0; i < 30000; i++) {
    if (i == 3000) before = rss_bytes();
    try {
      hidep(new throws_in_constructor);
    } catch (int) {
    }
  }
  CHECK(rss_bytes() < before + 8 * MiB);
}
struct alignas(256) wide {
  char body[700];
};
CASE(overaligned_class) {
  for (int i = 0; i < 200; i++) {
    wide *one = new wide, *many = new wide[5];
    CHECK(aligned_to(one, 256) && aligned_to(many, 256));
    memset((void *)one, 1, sizeof *one), memset((void *)many, 2, 5 * sizeof *many);
    delete one;
    delete[] many;
  }
  std::vector<wide> v(100);
  CHECK(aligned_to(v.data(), 256));
}

/* ---- the library on top ---- */
CASE(containers) {
  std::map<int, std::string> m;
  std::unordered_map<std::string, int> u;
  std::list<std::string> l;
  std::deque<int> d;
  std::vector<std::string> v;
  for (int i = 0; i < 5000; i++) {
    std::string s(static_cast<size_t>(i % 200), static_cast<char>('a' + i % 26));
    m[i] = s, u[s] = i, l.push_back(s), d.push_front(i), v.push_back(s);
  }
  for (int i = 0; i < 5000; i++) {
    CHECK(m[i].size() == static_cast<size_t>(i % 200) && v[static_cast<size_t>(i)] == m[i] && d[static_cast<size_t>(4999 - i)] == i);
  }
  for (int i = 0; i < 5000; i += 2) m.erase(i), l.pop_front(), d.pop_back();
  CHECK(m.size() == 2500 && l.size() == 2500 && d.size() == 2500);
}
CASE(strings_and_streams) {
  std::ostringstream o;
  for (int i = 0; i < 20000; i++) o << i << ' ';
  std::istringstream in(o.str());
  for (int i = 0, k; i < 20000; i++) CHECK((in >> k) && k == i);
  std::string s;
  for (int i = 0; i < 100000; i++) s += "ab";
  CHECK(s.size() == 200000 && s.find('c') == std::string::npos);
}
CASE(stable_sort_and_temporary_buffers) {
  std::vector<std::pair<int, int>> v;
  for (int i = 0; i < 100000; i++) v.emplace_back(static_cast<int>(mix64(static_cast<uint64_t>(i)) % 100), i);
  std::stable_sort(v.begin(), v.end(), [](auto &a, auto &b) { return a.first < b.first; });
  for (size_t i = 1; i < v.size(); i++) CHECK(v[i - 1] < v[i]);
}
CASE(shared_and_weak_pointers_across_threads) {
  auto shared = std::make_shared<std::vector<int>>(1000, 7);
  std::weak_ptr<std::vector<int>> weak = shared;
  std::vector<std::thread> t;
  for (int i = 0; i < 8; i++) t.emplace_back([copy = shared] { for (int x : *copy) CHECK(x == 7); });
  shared.reset();
  for (auto &x : t) x.join();
  CHECK(weak.expired());
}
CASE(futures_and_functions) {
  std::vector<std::future<std::string>> f;
  for (int i = 0; i < 50; i++) f.push_back(std::async(std::launch::async, [i] { return std::string(static_cast<size_t>(i) * 100, 'x'); }));
  for (size_t i = 0; i < 50; i++) CHECK(f[i].get().size() == i * 100);
  std::function<int(int)> g = [big = std::string(500, 'y')](int n) { return n + static_cast<int>(big.size()); };
  CHECK(g(1) == 501);
}
CASE(exceptions_many_and_nested) {
  int caught = 0;
  for (int i = 0; i < 5000; i++) {
    try {
      try {
        throw std::runtime_error(std::string(static_cast<size_t>(i % 300), 'e'));
      } catch (...) {
        std::throw_with_nested(std::logic_error("outer"));
      }
    } catch (const std::exception &e) {
      try {
        std::rethrow_if_nested(e);
      } catch (const std::runtime_error &inner) {
        caught += strlen(inner.what()) == static_cast<size_t>(i % 300);
      }
    }
  }
  CHECK(caught == 5000);
}
CASE(exception_pointer_from_another_thread) {
  for (int i = 0; i < 100; i++) {
    std::exception_ptr e;
    std::thread([&] {
      try {
        throw std::string(1000, 'z');
      } catch (...) {
        e = std::current_exception();
      }
    }).join();
    try {
      std::rethrow_exception(e);
    } catch (const std::string &s) {
      CHECK(s.size() == 1000);
      continue;
    }
    FAIL("nothing thrown");
  }
}
CASE(regex_and_locale) {
  std::regex r("(\\w+)@(\\w+)\\.com");
  std::smatch m;
  std::string s = "mail someone@example.com now";
  CHECK(std::regex_search(s, m, r) && m[1] == "someone" && m[2] == "example");
  std::locale l("C");
  CHECK(std::use_facet<std::ctype<char>>(l).toupper('a') == 'A');
}
CASE(memory_resources) {
  std::pmr::monotonic_buffer_resource mono;
  std::pmr::unsynchronized_pool_resource pool;
  std::pmr::vector<std::pmr::string> a(&mono), b(&pool);
  for (int i = 0; i < 3000; i++) a.emplace_back(100, 'm'), b.emplace_back(100, 'p');
  CHECK(a[2999].size() == 100 && b[2999].size() == 100);
  for (size_t align = 1; align <= 4096; align *= 2) {
    void *p = std::pmr::new_delete_resource()->allocate(1000, align);
    CHECK(aligned_to(p, align));
    std::pmr::new_delete_resource()->deallocate(p, 1000, align);
  }
}
static thread_local std::string tls_text;
static thread_local std::vector<std::string> tls_list;
CASE(thread_local_objects) {
  for (int i = 0; i < 200; i++)
    std::thread([i] {
      tls_text.assign(static_cast<size_t>(i) * 10, 'q');
      tls_list.assign(20, tls_text);
      CHECK(tls_list[19] == tls_text);
    }).join();
}
static struct before_main {
  std::string text = std::string(300, 'b');
  std::map<int, int> map{{1, 2}};
} before_main_object;
CASE(objects_made_before_main) { CHECK(before_main_object.text.size() == 300 && before_main_object.map[1] == 2); }
