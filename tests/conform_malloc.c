/* malloc, free, calloc, realloc, reallocarray as a program can observe them under glibc 2.36. */
#include "case.h"

/* Sizes on and around every bound an allocator may have. */
static const size_t sizes[] = {
    1, 7, 8, 15, 16, 17, 24, 25, 31, 32, 33, 48, 64, 100, 127, 128, 129, 255, 256, 257, 500, 512, 1000, 1023, 1024,
    1025, 1500, 2047, 2048, 2049, 3839, 3840, 3841, 4095, 4096, 4097, 6000, 8192, 8193, 12000, 16384, 16385, 20000,
    32767, 32768, 32769, 50000, 65535, 65536, 65537, 100000, 131072, 131073, 200000, 262144, 262145, 500000, 524288,
    1048575, 1048576, 1048577, 1500000, 2097152, 3000000, 4194304, 4194305, 10000000, 33554432, 33554433, 67108864,
    67108865, 100000000};
/* As a program can ask for them, but no machine can give. */
static const size_t absurd[] = {(size_t)PTRDIFF_MAX,
                                (size_t)PTRDIFF_MAX + 1,
                                (size_t)PTRDIFF_MAX - 1,
                                (size_t)PTRDIFF_MAX - 4096,
                                SIZE_MAX,
                                SIZE_MAX - 1,
                                SIZE_MAX - 7,
                                SIZE_MAX - 8,
                                SIZE_MAX - 15,
                                SIZE_MAX - 16,
                                SIZE_MAX - 31,
                                SIZE_MAX - 4095,
                                SIZE_MAX - 4096,
                                SIZE_MAX - 65536,
                                SIZE_MAX - (1 << 21),
                                SIZE_MAX / 2,
                                SIZE_MAX / 2 + 1,
                                (size_t)1 << 62,
                                (size_t)1 << 56,
                                (size_t)1 << 48,
                                (size_t)1 << 47};

#define IS_ENOMEM(call)                                                             \
  do {                                                                              \
    errno = 0;                                                                      \
    void *got_ = hidep(call);                                                       \
    int e_ = errno;                                                                 \
    CHECKF(got_ == NULL, "%s gave a block", #call);                                 \
    CHECKF(e_ == ENOMEM, "%s left errno = %d, not ENOMEM", #call, e_);              \
  } while (0)

/* ---- size 0 ---- */
CASE(malloc_0_is_unique) {
  enum { N = 2000 };
  static char *p[N];
  for (int i = 0; i < N; i++) {
    CHECK(p[i] = malloc(hide(0)));
    for (int j = 0; j < i; j++) CHECKF(p[i] != p[j], "blocks %d and %d are one", i, j);
  }
  char *one = malloc(hide(1));
  for (int i = 0; i < N; i++) CHECK(p[i] != one);
  for (int i = 0; i < N; i++) free(p[i]);
  free(one);
}
CASE(malloc_0_is_writable_as_far_as_usable) {
  char *p = malloc(hide(0)), *q = malloc(hide(0));
  CHECK(p && q);
  size_t n = malloc_usable_size(p), m = malloc_usable_size(q);
  fill(p, n, 1), fill(q, m, 2);
  CHECK(unlike(p, n, 1) < 0 && unlike(q, m, 2) < 0);
  free(p), free(q);
}
CASE(malloc_0_then_realloc) {
  char *p = realloc(malloc(hide(0)), hide(5000));
  CHECK(p);
  fill(p, 5000, 1);
  CHECK(unlike(p, 5000, 1) < 0);
  free(p);
}
CASE(calloc_of_0_is_unique) {
  char *p[6] = {calloc(hide(0), hide(0)), calloc(hide(0), hide(8)), calloc(hide(8), hide(0)),
                calloc(hide(0), SIZE_MAX), calloc(SIZE_MAX, hide(0)), malloc(hide(0))};
  for (int i = 0; i < 6; i++) {
    CHECKF(p[i], "%d", i);
    for (int j = 0; j < i; j++) CHECK(p[i] != p[j]);
  }
  for (int i = 0; i < 6; i++) free(p[i]);
}
CASE(realloc_null_0_is_a_block) {
  char *p = realloc(NULL, hide(0)), *q = realloc(NULL, hide(0));
  CHECK(p && q && p != q);
  free(p), free(q);
}
CASE(reallocarray_null_0_is_a_block) {
  char *p = reallocarray(NULL, hide(0), hide(8)), *q = reallocarray(NULL, hide(8), hide(0));
  CHECK(p && q && p != q);
  free(p), free(q);
}

/* ---- realloc(p, 0) frees and returns NULL ---- */
#define REALLOC_0(id, size)                                            \
  CASE(realloc_to_0_frees_##id) {                                      \
    for (int i = 0; i < 20; i++) {                                     \
      char *p = malloc(hide(size));                                    \
      CHECK(p);                                                        \
      p[0] = 1, p[(size)-1] = 1;                                       \
      errno = 7777;                                                    \
      p = hidep(realloc(p, hide(0)));                                  \
      int e = errno;                                                   \
      CHECK(p == NULL);                                                \
      CHECKF(e == 7777, "errno became %d", e);                         \
    }                                                                  \
  }
REALLOC_0(24, 24)
REALLOC_0(1000, 1000)
REALLOC_0(20k, 20000)
REALLOC_0(300k, 300000)
REALLOC_0(5m, 5000000)
REALLOC_0(100m, 100000000)
CASE(realloc_to_0_does_not_leak) {
  for (int i = 0; i < 2000; i++) CHECK(hidep(realloc(malloc(hide(1000)), hide(0))) == NULL);
  size_t before = rss_bytes();
  for (int i = 0; i < 100000; i++) {
    char *p = malloc(hide(1000));
    fill(p, 1000, 1);
    CHECK(hidep(realloc(p, hide(0))) == NULL);
  }
  size_t after = rss_bytes();
  CHECKF(after < before + 16 * MiB, "RSS %zu -> %zu KiB", before >> 10, after >> 10);
}
CASE(reallocarray_to_0_frees) {
  char *p = malloc(hide(100));
  CHECK(hidep(reallocarray(p, hide(0), hide(8))) == NULL);
  p = malloc(hide(100));
  CHECK(hidep(reallocarray(p, hide(8), hide(0))) == NULL);
}
CASE(realloc_null_is_malloc) {
  for (size_t i = 0; i < COUNT(sizes); i++) {
    char *p = realloc(NULL, hide(sizes[i]));
    CHECKF(p, "%zu", sizes[i]);
    fill_sparse(p, sizes[i], i);
    CHECK(unlike_sparse(p, sizes[i], i, 1) < 0);
    free(p);
  }
}

/* ---- more than there is ---- */
CASE(malloc_absurd_is_enomem) {
  for (size_t i = 0; i < COUNT(absurd); i++) IS_ENOMEM(malloc(hide(absurd[i])));
}
CASE(malloc_ptrdiff_max_is_enomem) { IS_ENOMEM(malloc(hide(PTRDIFF_MAX))); }
CASE(malloc_just_over_ptrdiff_max_is_enomem) {
  for (size_t k = 1; k < 100000; k += 61) IS_ENOMEM(malloc(hide((size_t)PTRDIFF_MAX + k)));
}
CASE(malloc_last_64k_sizes_are_enomem) {
  for (size_t k = 0; k < 65600; k++) IS_ENOMEM(malloc(hide(SIZE_MAX - k)));
}
CASE(malloc_every_high_power_is_enomem) {
  for (int bit = 47; bit < 64; bit++) {
    IS_ENOMEM(malloc(hide((size_t)1 << bit)));
    IS_ENOMEM(malloc(hide(((size_t)1 << bit) + 1)));
    IS_ENOMEM(malloc(hide((((size_t)1 << bit) - 1) | (size_t)1 << 47)));
  }
}
CASE(malloc_works_after_enomem) {
  for (int i = 0; i < 1000; i++) {
    IS_ENOMEM(malloc(hide(absurd[i % COUNT(absurd)])));
    char *p = malloc(hide(100 + (size_t)i));
    CHECK(p);
    fill(p, 100, 3);
    CHECK(unlike(p, 100, 3) < 0);
    free(p);
  }
}
CASE(calloc_overflow_is_enomem) {
  static const size_t pairs[][2] = {{SIZE_MAX, 2},
                                    {2, SIZE_MAX},
                                    {SIZE_MAX, SIZE_MAX},
                                    {SIZE_MAX / 2 + 1, 2},
                                    {(size_t)1 << 32, (size_t)1 << 32},
                                    {((size_t)1 << 32) + 1, ((size_t)1 << 32) + 1},
                                    {SIZE_MAX / 16 + 1, 16},
                                    {SIZE_MAX / 24 + 1, 24},
                                    {3, SIZE_MAX / 3 + 1},
                                    {(size_t)1 << 63, 2},
                                    {((size_t)1 << 63) + 8, 2},
                                    {((size_t)1 << 61) + 2, 8}};
  for (size_t i = 0; i < COUNT(pairs); i++) IS_ENOMEM(calloc(hide(pairs[i][0]), hide(pairs[i][1])));
}
CASE(calloc_absurd_is_enomem) {
  for (size_t i = 0; i < COUNT(absurd); i++) {
    IS_ENOMEM(calloc(1, hide(absurd[i])));
    IS_ENOMEM(calloc(hide(absurd[i]), 1));
  }
}
CASE(realloc_null_absurd_is_enomem) {
  for (size_t i = 0; i < COUNT(absurd); i++) IS_ENOMEM(realloc(NULL, hide(absurd[i])));
}
#define REALLOC_FAIL(id, size)                                                        \
  CASE(realloc_that_fails_keeps_##id) {                                               \
    char *p = malloc(hide(size));                                                     \
    CHECK(p);                                                                         \
    fill(p, size, 9);                                                                 \
    for (size_t i = 0; i < COUNT(absurd); i++) IS_ENOMEM(realloc(p, hide(absurd[i]))); \
    CHECK(unlike(p, size, 9) < 0);                                                    \
    CHECK(malloc_usable_size(p) >= (size));                                           \
    p = realloc(p, hide((size) + 100));                                               \
    CHECK(p && unlike(p, size, 9) < 0);                                               \
    free(p);                                                                          \
  }
REALLOC_FAIL(1, 1)
REALLOC_FAIL(100, 100)
REALLOC_FAIL(3000, 3000)
REALLOC_FAIL(16k, 16384)
REALLOC_FAIL(300k, 300000)
REALLOC_FAIL(3m, 3000000)
REALLOC_FAIL(100m, 100000000)
CASE(reallocarray_overflow_keeps_the_block) {
  char *p = malloc(hide(100));
  fill(p, 100, 4);
  IS_ENOMEM(reallocarray(p, hide(SIZE_MAX), hide(2)));
  IS_ENOMEM(reallocarray(p, hide(SIZE_MAX / 2 + 1), hide(2)));
  IS_ENOMEM(reallocarray(p, hide((size_t)1 << 32), hide((size_t)1 << 32)));
  IS_ENOMEM(reallocarray(p, hide(((size_t)1 << 61) + 2), hide(8)));
  IS_ENOMEM(reallocarray(p, hide(1), hide(PTRDIFF_MAX)));
  CHECK(unlike(p, 100, 4) < 0);
  free(p);
}
CASE(reallocarray_null_overflow_is_enomem) {
  IS_ENOMEM(reallocarray(NULL, hide(SIZE_MAX), hide(2)));
  IS_ENOMEM(reallocarray(NULL, hide((size_t)1 << 63), hide(2)));
  IS_ENOMEM(reallocarray(NULL, hide(((size_t)1 << 63) + 8), hide(2)));
}
CASE(reallocarray_grows_as_realloc) {
  char *p = NULL;
  for (size_t n = 1; n < 5000; n += 37) {
    size_t had = n == 1 ? 0 : (n - 37) * 24;
    CHECK(p = reallocarray(p, n, 24));
    CHECK(unlike(p, had, 6) < 0);
    fill(p, n * 24, 6);
  }
  free(p);
}

/* ---- errno ---- */
#define ERRNO_FREE(id, size)                                                    \
  CASE(free_keeps_errno_##id) {                                                 \
    for (int i = 0; i < 5; i++) {                                               \
      char *p = malloc(hide(size)), *q = calloc(1, hide(size));                 \
      CHECK(p && q);                                                            \
      p[(size)-1] = q[(size)-1] = 1;                                            \
      errno = 12345 + i;                                                        \
      free(p), free(q);                                                         \
      CHECKF(errno == 12345 + i, "became %d", errno);                           \
    }                                                                           \
  }
ERRNO_FREE(8, 8)
ERRNO_FREE(500, 500)
ERRNO_FREE(10k, 10000)
ERRNO_FREE(100k, 100000)
ERRNO_FREE(2m, 2000000)
ERRNO_FREE(64m, 64 * MiB)
ERRNO_FREE(200m, 200 * MiB)
ERRNO_FREE(700m, 700 * MiB)
CASE(free_keeps_errno_huge_aligned) {
  for (size_t align = 4096; align <= 256 * MiB; align *= 16) {
    char *p = memalign(align, hide(100000)), *q = memalign(align, hide(10 * MiB));
    CHECK(p && q);
    errno = 4242;
    free(p), free(q);
    CHECKF(errno == 4242, "became %d for %zu", errno, align);
  }
}
CASE(free_keeps_errno_many) {
  enum { N = 20000 };
  static char *p[N];
  for (int round = 0; round < 4; round++) {
    for (int i = 0; i < N; i++) CHECK(p[i] = malloc(sizes[(size_t)(i * 7) % 40]));
    errno = 31337;
    for (int i = 0; i < N; i++) {
      free(p[i]);
      CHECKF(errno == 31337, "became %d at %d", errno, i);
    }
  }
}
CASE(free_null_keeps_errno) {
  errno = 99;
  free(hidep(NULL));
  CHECK(errno == 99);
}
CASE(success_keeps_errno) {
  for (size_t i = 0; i < COUNT(sizes); i++) {
    errno = 66;
    char *p = malloc(hide(sizes[i]));
    CHECKF(p && errno == 66, "malloc(%zu): errno %d", sizes[i], errno);
    p = realloc(p, hide(sizes[i] * 2));
    CHECKF(p && errno == 66, "realloc(%zu): errno %d", sizes[i] * 2, errno);
    free(p);
    p = calloc(1, hide(sizes[i]));
    CHECKF(p && errno == 66, "calloc(%zu): errno %d", sizes[i], errno);
    free(p);
  }
}
static void *allocates_first(void *kept) {
  errno = 67;
  char *p = malloc(hide(100));
  *(int *)kept = errno;
  free(p);
  return NULL;
}
CASE(first_malloc_of_a_thread_keeps_errno) {
  int e = -1;
  for (int i = 0; i < 20; i++) {
    run_thread(allocates_first, &e);
    CHECKF(e == 67, "%d", e);
  }
}

/* ---- content ---- */
CASE(every_size_to_4096_at_once) {
  static char *p[4097];
  for (size_t n = 0; n <= 4096; n++) {
    CHECK(p[n] = malloc(hide(n)));
    fill(p[n], n, n);
  }
  for (size_t n = 0; n <= 4096; n++) CHECKF(unlike(p[n], n, n) < 0, "size %zu overwritten", n);
  for (size_t n = 0; n <= 4096; n += 2) free(p[n]);
  for (size_t n = 1; n <= 4096; n += 2) CHECKF(unlike(p[n], n, n) < 0, "size %zu overwritten by free", n);
  for (size_t n = 0; n <= 4096; n += 2) CHECK(p[n] = malloc(hide(n))), fill(p[n], n, n + 1);
  for (size_t n = 1; n <= 4096; n += 2) CHECKF(unlike(p[n], n, n) < 0, "size %zu handed out twice", n);
  for (size_t n = 0; n <= 4096; n++) free(p[n]);
}
CASE(sampled_sizes_at_once) {
  enum { EACH = 4 };
  static char *p[COUNT(sizes)][EACH];
  for (size_t i = 0; i < COUNT(sizes); i++)
    for (size_t k = 0; k < EACH; k++) {
      CHECKF(p[i][k] = malloc(hide(sizes[i])), "%zu", sizes[i]);
      fill_sparse(p[i][k], sizes[i], i * EACH + k);
    }
  for (size_t i = 0; i < COUNT(sizes); i++)
    for (size_t k = 0; k < EACH; k++) {
      CHECKF(unlike_sparse(p[i][k], sizes[i], i * EACH + k, 1) < 0, "%zu overwritten", sizes[i]);
      free(p[i][k]);
    }
}
CASE(malloc_256m_and_1g) {
  for (size_t n = 256 * MiB; n <= GiB; n *= 2) {
    char *p = malloc(hide(n)), *q = malloc(hide(n + 1));
    CHECKF(p && q, "%zu", n);
    p[0] = p[n / 2] = p[n - 1] = 1, q[0] = q[n / 2] = q[n] = 2;
    CHECK(p[0] == 1 && p[n / 2] == 1 && p[n - 1] == 1);
    free(p), free(q);
  }
}
enum { MANY = 100000 };
static char *many[MANY];
static uint32_t many_order[MANY];
static size_t many_size(int i) { return 1 + mix64((uint64_t)i) % 300; }
static void many_take(void) {
  for (int i = 0; i < MANY; i++) {
    CHECK(many[i] = malloc(many_size(i)));
    fill(many[i], many_size(i), (uint64_t)i);
  }
}
static void many_give(int i) {
  CHECKF(unlike(many[i], many_size(i), (uint64_t)i) < 0, "block %d", i);
  free(many[i]);
}
CASE(hundred_thousand_fifo) {
  for (int round = 0; round < 3; round++) {
    many_take();
    for (int i = 0; i < MANY; i++) many_give(i);
  }
}
CASE(hundred_thousand_lifo) {
  for (int round = 0; round < 3; round++) {
    many_take();
    for (int i = MANY; i-- > 0;) many_give(i);
  }
}
CASE(hundred_thousand_random) {
  uint64_t random = 5;
  for (int i = 0; i < MANY; i++) many_order[i] = (uint32_t)i;
  for (int round = 0; round < 3; round++) {
    many_take();
    for (uint32_t i = MANY - 1; i > 0; i--) {
      uint32_t j = (uint32_t)(next_random(&random) % (i + 1)), t = many_order[i];
      many_order[i] = many_order[j], many_order[j] = t;
    }
    for (int i = 0; i < MANY; i++) many_give((int)many_order[i]);
  }
}
CASE(random_sizes_and_lives) {
  enum { SLOTS = 500 };
  static struct {
    char *p;
    size_t n;
  } s[SLOTS];
  uint64_t random = 77;
  for (int i = 0; i < 60000; i++) {
    size_t k = next_random(&random) % SLOTS;
    CHECKF(unlike(s[k].p, s[k].n, k) < 0, "slot %zu of %zu bytes, step %d", k, s[k].n, i);
    free(s[k].p);
    s[k].n = next_random(&random) % ((size_t)1 << (4 + next_random(&random) % 14));
    CHECK(s[k].p = malloc(s[k].n));
    fill(s[k].p, s[k].n, k);
  }
  for (size_t k = 0; k < SLOTS; k++) CHECK(unlike(s[k].p, s[k].n, k) < 0), free(s[k].p);
}

/* ---- nothing is lost ---- */
#define NO_LEAK(id, size, times)                                                                         \
  CASE(free_gives_back_##id) {                                                                           \
    for (int i = 0; i < (times) / 10; i++) free(memset(malloc(hide(size)), 1, size));                    \
    size_t before = rss_bytes(), reserved = virtual_bytes();                                             \
    for (int i = 0; i < (times); i++) {                                                                  \
      char *p = malloc(hide(size));                                                                      \
      CHECK(p);                                                                                          \
      free(memset(p, 1, size));                                                                          \
    }                                                                                                    \
    CHECKF(rss_bytes() < before + 8 * MiB + 2 * (size), "RSS %zu -> %zu KiB", before >> 10, rss_bytes() >> 10); \
    CHECKF(virtual_bytes() < reserved + 128 * MiB + 4 * (size), "virtual %zu -> %zu KiB", reserved >> 10,      \
           virtual_bytes() >> 10);                                                                       \
  }
NO_LEAK(100, 100, 1000000)
NO_LEAK(3000, 3000, 100000)
NO_LEAK(30k, 30000, 20000)
NO_LEAK(300k, 300000, 2000)
NO_LEAK(3m, 3000000, 200)
NO_LEAK(90m, 90000000, 20)
CASE(free_gives_back_mixed) {
  uint64_t random = 9;
  size_t before = 0;
  enum { SLOTS = 400 };
  static char *p[SLOTS];
  for (int i = 0; i < 200000; i++) {
    if (i == 50000) before = rss_bytes();
    size_t k = next_random(&random) % SLOTS, n = 1 + next_random(&random) % ((size_t)1 << (next_random(&random) % 17));
    free(p[k]);
    CHECK(p[k] = malloc(n));
    memset(p[k], 1, n);
  }
  CHECKF(rss_bytes() < before * 2 + 16 * MiB, "RSS %zu -> %zu KiB", before >> 10, rss_bytes() >> 10);
}

/* ---- names that C23 brings; absent from glibc 2.36 ---- */
typedef void sized_free(void *, size_t);
typedef void aligned_free(void *, size_t, size_t);
CASE(free_sized) {
  sized_free *f = (sized_free *)(uintptr_t)dlsym(RTLD_DEFAULT, "free_sized");
  if (!f) SKIP("no free_sized here");
  for (size_t i = 0; i < COUNT(sizes); i++) {
    char *p = malloc(sizes[i]), *q = calloc(1, sizes[i]), *r = realloc(malloc(3), sizes[i]);
    errno = 55;
    f(p, sizes[i]), f(q, sizes[i]), f(r, sizes[i]);
    CHECK(errno == 55);
  }
  f(NULL, 0), f(NULL, 100);
  f(malloc(0), 0);
}
CASE(free_sized_does_free) {
  sized_free *f = (sized_free *)(uintptr_t)dlsym(RTLD_DEFAULT, "free_sized");
  if (!f) SKIP("no free_sized here");
  size_t before = rss_bytes();
  for (int i = 0; i < 100000; i++) f(memset(malloc(2000), 1, 2000), 2000);
  CHECK(rss_bytes() < before + 16 * MiB);
}
CASE(free_aligned_sized) {
  aligned_free *f = (aligned_free *)(uintptr_t)dlsym(RTLD_DEFAULT, "free_aligned_sized");
  if (!f) SKIP("no free_aligned_sized here");
  for (size_t align = 16; align <= 4 * MiB; align *= 2)
    for (size_t n = align; n <= 4 * align; n += align) {
      char *p = aligned_alloc(align, n);
      CHECK(p);
      p[n - 1] = 1;
      errno = 56;
      f(p, align, n);
      CHECK(errno == 56);
    }
  f(NULL, 64, 64);
}
