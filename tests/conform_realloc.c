/* realloc keeps the content, whatever it does; calloc is zero, whatever was there; usable size is what it says. */
#include "case.h"

/* ---- realloc ---- */
static void grow_and_check(size_t from, size_t to, char *neighbour, size_t neighbour_bytes) {
  char *p = malloc(hide(from));
  CHECK(p);
  fill(p, from, from);
  CHECKF(p = realloc(p, hide(to)), "%zu -> %zu", from, to);
  size_t kept = from < to ? from : to;
  long at = unlike(p, kept, from);
  CHECKF(at < 0, "%zu -> %zu lost byte %ld", from, to, at);
  CHECKF(malloc_usable_size(p) >= to, "%zu -> %zu: usable %zu", from, to, malloc_usable_size(p));
  fill(p, to, 99);
  if (neighbour) CHECKF(unlike(neighbour, neighbour_bytes, 5) < 0, "%zu -> %zu wrote into a neighbour", from, to);
  CHECK(unlike(p, to, 99) < 0);
  free(p);
}
CASE(realloc_grows_by_one_to_4096) {
  for (size_t n = 1; n <= 4096; n++) grow_and_check(n, n + 1, NULL, 0);
}
CASE(realloc_shrinks_by_one_from_4096) {
  for (size_t n = 4096; n > 1; n--) grow_and_check(n, n - 1, NULL, 0);
}
CASE(realloc_doubles_every_size_to_2000) {
  for (size_t n = 1; n <= 2000; n++) grow_and_check(n, 2 * n, NULL, 0);
}
CASE(realloc_halves_every_size_to_4000) {
  for (size_t n = 2; n <= 4000; n++) grow_and_check(n, n / 2, NULL, 0);
}
CASE(realloc_around_every_power_of_2) {
  for (size_t power = 16; power <= 4 * MiB; power *= 2)
    for (int a = -2; a <= 2; a++)
      for (int b = -2; b <= 2; b++) grow_and_check(power + (size_t)(long)a, power + (size_t)(long)b, NULL, 0);
}
CASE(realloc_around_every_eighth_of_a_power) {
  for (size_t power = 128; power <= MiB; power *= 2)
    for (size_t k = 0; k < 8; k++) {
      size_t bound = power + power / 8 * k;
      for (size_t d = 0; d < 3; d++) {
        grow_and_check(bound - 1 + d, bound + power / 8, NULL, 0);
        grow_and_check(bound + power / 8, bound - 1 + d, NULL, 0);
      }
    }
}
CASE(realloc_from_anything_to_anything) {
  static const size_t some[] = {1, 24, 100, 128, 1000, 3840, 4096, 5000, 16000, 32768, 40000, 65536, 131072, 300000, 1048576, 2000000, 8000000, 70000000};
  for (size_t i = 0; i < COUNT(some); i++)
    for (size_t j = 0; j < COUNT(some); j++) {
      char *neighbour = malloc(some[i] < 100000 ? some[i] : 100);
      size_t n = some[i] < 100000 ? some[i] : 100;
      fill(neighbour, n, 5);
      grow_and_check(some[i], some[j], neighbour, n);
      CHECK(unlike(neighbour, n, 5) < 0);
      free(neighbour);
    }
}
static void walk(uint64_t seed, int steps, int max_bit) {
  char *p = NULL;
  size_t had = 0;
  for (int i = 0; i < steps; i++) {
    size_t n = 1 + next_random(&seed) % ((size_t)1 << (4 + next_random(&seed) % (uint64_t)(max_bit - 3)));
    CHECK(p = realloc(p, n));
    size_t kept = n < had ? n : had;
    CHECKF(unlike(p, kept, 8) < 0, "%zu -> %zu", had, n);
    fill(p + kept, n - kept, 0);
    fill(p, n, 8);
    had = n;
  }
  free(p);
}
CASE(realloc_random_walk_to_1k) { walk(1, 100000, 10); }
CASE(realloc_random_walk_to_64k) { walk(2, 10000, 16); }
CASE(realloc_random_walk_to_4m) { walk(3, 500, 22); }
CASE(realloc_random_walk_to_256m) {
  uint64_t seed = 4;
  char *p = NULL;
  size_t had = 0;
  for (int i = 0; i < 60; i++) {
    size_t n = 1 + next_random(&seed) % ((size_t)1 << (20 + next_random(&seed) % 9));
    CHECK(p = realloc(p, n));
    CHECKF(unlike_sparse(p, n < had ? n : had, 8, n >= had) < 0, "%zu -> %zu", had, n);
    fill_sparse(p, n, 8);
    had = n;
  }
  free(p);
}
CASE(realloc_doubles_to_512m) {
  size_t n = 1;
  char *p = malloc(1);
  fill_sparse(p, n, 1);
  for (; n < 512 * MiB; n *= 2) {
    CHECKF(p = realloc(p, hide(2 * n)), "%zu", 2 * n);
    CHECKF(unlike_sparse(p, n, 1, 1) < 0, "to %zu", 2 * n);
    fill_sparse(p, 2 * n, 1);
  }
  for (; n > 1; n /= 2) {
    CHECKF(p = realloc(p, hide(n / 2)), "%zu", n / 2);
    CHECKF(unlike_sparse(p, n / 2, 1, 0) < 0, "to %zu", n / 2);
  }
  free(p);
}
CASE(realloc_in_small_steps_to_1m) {
  char *p = NULL;
  for (size_t n = 16, had = 0; n < MiB; had = n, n += 16 + n / 200) {
    CHECK(p = realloc(p, n));
    CHECKF(unlike_sparse(p, had, 6, 1) < 0, "to %zu", n);
    fill_sparse(p, n, 6);
  }
  free(p);
}
CASE(realloc_many_growing_side_by_side) {
  enum { SIDE = 20 };
  char *p[SIDE] = {0};
  for (size_t n = 8, had = 0; n < 300000; had = n, n += n / 4 + 8)
    for (uint64_t i = 0; i < SIDE; i++) {
      CHECK(p[i] = realloc(p[i], n + i));
      if (had) CHECKF(unlike(p[i], had + i, i) < 0, "block %zu to %zu", (size_t)i, n);
      fill(p[i], n + i, i);
    }
  for (uint64_t i = 0; i < SIDE; i++) free(p[i]);
}
CASE(realloc_shrink_then_neighbours_do_not_overlap) {
  for (size_t n = 200; n < 3000000; n *= 3) {
    char *p = malloc(n), *q[32];
    fill(p, n / 4, 3);
    CHECK((p = realloc(p, n / 4)) && unlike(p, n / 4, 3) < 0);
    fill(p, n / 4, 3);
    for (uint64_t i = 0; i < 32; i++) CHECK(q[i] = malloc(n / 4)), fill(q[i], n / 4, i);
    CHECKF(unlike(p, n / 4, 3) < 0, "%zu", n);
    for (uint64_t i = 0; i < 32; i++) CHECK(unlike(q[i], n / 4, i) < 0), free(q[i]);
    free(p);
  }
}
CASE(realloc_grow_in_place_does_not_eat_neighbours) {
  for (size_t n = 100; n < 2000000; n *= 3) {
    char *p[16];
    for (uint64_t i = 0; i < 16; i++) CHECK(p[i] = malloc(n)), fill(p[i], n, i);
    for (uint64_t i = 1; i < 16; i += 2) free(p[i]);
    for (uint64_t i = 0; i < 16; i += 4) CHECK(p[i] = realloc(p[i], 2 * n)), fill(p[i], 2 * n, i);
    for (uint64_t i = 0; i < 16; i += 2) CHECKF(unlike(p[i], i % 4 ? n : 2 * n, i) < 0, "%zu", n), free(p[i]);
  }
}
CASE(realloc_same_size_keeps_content) {
  for (size_t n = 1; n < 100 * MiB; n = n * 3 + 1) {
    char *p = malloc(n);
    fill_sparse(p, n, 1);
    CHECK((p = realloc(p, hide(n))) && unlike_sparse(p, n, 1, 1) < 0);
    free(p);
  }
}
CASE(realloc_to_usable_size_keeps_content) {
  for (size_t n = 1; n < 300000; n += n / 11 + 1) {
    char *p = malloc(n);
    size_t usable = malloc_usable_size(p);
    fill(p, usable, 1);
    CHECK((p = realloc(p, usable)) && unlike(p, usable, 1) < 0);
    CHECK((p = realloc(p, usable + 1)) && unlike(p, usable, 1) < 0);
    free(p);
  }
}
CASE(realloc_of_calloc_keeps_zeros) {
  for (size_t n = 1; n < 5000000; n = n * 2 + 7) {
    char *p = calloc(1, n);
    CHECK((p = realloc(p, n * 3)) && not_zero(p, n) < 0);
    free(p);
  }
}
CASE(realloc_shrink_gives_memory_back) {
  char *p = malloc(200 * MiB);
  memset(p, 1, 200 * MiB);
  size_t before = rss_bytes();
  CHECK(before > 190 * MiB);
  CHECK(p = realloc(p, 4096));
  CHECKF(rss_bytes() < 64 * MiB, "RSS %zu -> %zu KiB", before >> 10, rss_bytes() >> 10);
  CHECK(p[0] == 1 && p[4095] == 1);
  free(p);
}
CASE(realloc_does_not_leak) {
  size_t before = 0;
  for (int i = 0; i < 300; i++) {
    if (i == 50) before = rss_bytes();
    char *p = NULL;
    for (size_t n = 16; n < 4 * MiB; n *= 2) CHECK(p = realloc(p, n)), memset(p, 1, n);
    free(p);
  }
  CHECKF(rss_bytes() < before + 16 * MiB, "RSS %zu -> %zu KiB", before >> 10, rss_bytes() >> 10);
}
struct handed {
  char *p;
  size_t n;
};
static void *reallocs(void *arg) {
  struct handed *h = arg;
  CHECK(unlike(h->p, h->n, 1) < 0);
  CHECK(h->p = realloc(h->p, h->n * 2));
  CHECKF(unlike(h->p, h->n, 1) < 0, "%zu", h->n);
  h->n *= 2;
  fill(h->p, h->n, 1);
  return NULL;
}
CASE(realloc_by_other_threads) {
  for (size_t n = 5; n < 10000000; n *= 7) {
    struct handed h = {malloc(n), n};
    fill(h.p, n, 1);
    run_thread(reallocs, &h);
    run_thread(reallocs, &h);
    CHECK(unlike(h.p, h.n, 1) < 0);
    free(h.p);
  }
}

/* ---- calloc ---- */
static void dirty_then_calloc(size_t n, int blocks) {
  char *p[64];
  for (int i = 0; i < blocks; i++) CHECK(p[i] = malloc(hide(n))), memset(p[i], 0xa5, malloc_usable_size(p[i]));
  for (int i = 0; i < blocks; i++) free(p[i]);
  for (int i = 0; i < blocks; i++) {
    CHECK(p[i] = calloc(1, hide(n)));
    long at = not_zero(p[i], n);
    CHECKF(at < 0, "calloc(1, %zu): byte %ld", n, at);
  }
  for (int i = 0; i < blocks; i++) free(p[i]);
}
CASE(calloc_zero_every_size_to_2048) {
  for (size_t n = 1; n <= 2048; n++) dirty_then_calloc(n, 4);
}
CASE(calloc_zero_to_64k) {
  for (size_t n = 2048; n <= 65536; n += 211) dirty_then_calloc(n, 16);
}
CASE(calloc_zero_to_4m) {
  for (size_t n = 65536; n <= 4 * MiB; n += n / 13) dirty_then_calloc(n, 8);
}
CASE(calloc_zero_to_200m) {
  for (size_t n = 4 * MiB; n <= 200 * MiB; n += n / 2) dirty_then_calloc(n, 1);
}
CASE(calloc_zero_of_many_blocks) {
  for (size_t n = 16; n <= 16384; n *= 2) dirty_then_calloc(n, 64);
}
CASE(calloc_zero_when_only_the_ends_were_dirty) {
  for (size_t n = 16; n <= 8 * MiB; n = n * 3 / 2) {
    for (int i = 0; i < 6; i++) {
      char *p = malloc(n);
      p[0] = p[n - 1] = p[n / 2] = 1;
      free(p);
    }
    char *p = calloc(n, 1);
    CHECKF(p && not_zero(p, n) < 0, "%zu", n);
    free(p);
  }
}
CASE(calloc_zero_of_every_shape) {
  for (size_t count = 1; count < 3000; count = count * 3 + 1)
    for (size_t size = 1; size < 3000; size = size * 2 + 3) {
      char *p = malloc(count * size);
      memset(p, 1, count * size);
      free(p);
      CHECK((p = calloc(count, size)) && not_zero(p, count * size) < 0);
      memset(p, 1, count * size);
      free(p);
    }
}
CASE(calloc_zero_after_realloc_growth) {
  for (int round = 0; round < 20; round++) {
    char *p = NULL;
    for (size_t n = 16; n < 4 * MiB; n *= 2) {
      CHECK(p = realloc(p, n));
      memset(p, 0xbb, malloc_usable_size(p));
      char *q = calloc(1, n / 2);
      CHECKF(q && not_zero(q, n / 2) < 0, "%zu", n / 2);
      memset(q, 0xcc, n / 2);
      free(q);
    }
    free(p);
  }
}
CASE(calloc_zero_after_realloc_shrink) {
  for (size_t n = 64; n < 8 * MiB; n *= 2) {
    char *p[4], *q[8];
    for (int i = 0; i < 4; i++) CHECK(p[i] = malloc(n)), memset(p[i], 0xdd, n), p[i] = realloc(p[i], n / 4);
    for (int i = 0; i < 8; i++) CHECKF((q[i] = calloc(1, n / 4)) && not_zero(q[i], n / 4) < 0, "%zu", n), memset(q[i], 1, n / 4);
    for (int i = 0; i < 4; i++) free(p[i]);
    for (int i = 0; i < 8; i++) free(q[i]);
  }
}
CASE(calloc_zero_random_life) {
  enum { SLOTS = 300 };
  static char *p[SLOTS];
  uint64_t random = 12;
  for (int i = 0; i < 40000; i++) {
    size_t k = next_random(&random) % SLOTS, n = 1 + next_random(&random) % ((size_t)1 << (3 + next_random(&random) % 14));
    free(p[k]);
    CHECK(p[k] = calloc(1, n));
    long at = not_zero(p[k], n);
    CHECKF(at < 0, "calloc(1, %zu): byte %ld, step %d", n, at, i);
    memset(p[k], 0xff, malloc_usable_size(p[k]));
  }
}
CASE(calloc_zero_after_trim_and_a_second) {
  enum { N = 400 };
  static char *p[N];
  for (int round = 0; round < 2; round++) {
    for (size_t i = 0; i < N; i++) CHECK(p[i] = malloc(500 * (i + 1))), memset(p[i], 0xab, 500 * (i + 1));
    for (size_t i = 0; i < N; i++)
      if (i % 8) free(p[i]);
    if (round)
      sleep(1);
    else
      malloc_trim(0);
    for (size_t i = 0; i < N; i++)
      if (i % 8) {
        CHECK(p[i] = calloc(1, 500 * (i + 1)));
        CHECKF(not_zero(p[i], 500 * (i + 1)) < 0, "%zu", 500 * (i + 1));
      }
    for (size_t i = 0; i < N; i++) free(p[i]);
  }
}
static void *frees_all(void *arg) {
  char **p = arg;
  for (int i = 0; i < 200; i++) free(p[i]);
  return NULL;
}
CASE(calloc_zero_after_free_by_another_thread) {
  static char *p[200];
  for (size_t n = 10; n < 300000; n = n * 5 / 2) {
    for (int i = 0; i < 200; i++) CHECK(p[i] = malloc(n)), memset(p[i], 0x77, n);
    run_thread(frees_all, p);
    for (int i = 0; i < 200; i++) CHECKF((p[i] = calloc(1, n)) && not_zero(p[i], n) < 0, "%zu", n);
    run_thread(frees_all, p);
  }
}
static void *dirties_and_callocs(void *seed) {
  uint64_t random = (uint64_t)(uintptr_t)seed;
  for (int i = 0; i < 8000; i++) {
    size_t n = 1 + next_random(&random) % ((size_t)1 << (4 + next_random(&random) % 13));
    char *p = calloc(1, n);
    CHECKF(p && not_zero(p, n) < 0, "%zu", n);
    memset(p, 0xfe, n);
    free(p);
  }
  return NULL;
}
CASE(calloc_zero_in_8_threads) {
  pthread_t t[8];
  for (uintptr_t i = 0; i < 8; i++) t[i] = start_thread(dirties_and_callocs, (void *)(i + 1));
  for (int i = 0; i < 8; i++) join_thread(t[i]);
}
CASE(calloc_zero_of_dead_threads_memory) {
  for (uintptr_t i = 0; i < 20; i++) run_thread(dirties_and_callocs, (void *)(i + 100));
}
CASE(calloc_of_fresh_pages_touches_none) {
  size_t before = rss_bytes();
  char *p = calloc(1, hide(GiB));
  CHECK(p);
  CHECKF(rss_bytes() < before + 100 * MiB, "RSS %zu -> %zu KiB", before >> 10, rss_bytes() >> 10);
  for (size_t i = 0; i < GiB; i += 16 * MiB) CHECK(p[i] == 0);
  CHECK(p[GiB - 1] == 0);
  free(p);
}
CASE(calloc_zero_after_a_huge_free) {
  for (int i = 0; i < 3; i++) {
    char *p = malloc(150 * MiB);
    memset(p, 0x99, 150 * MiB);
    free(p);
    CHECK(p = calloc(150, MiB));
    CHECK(not_zero(p, 150 * MiB) < 0);
    free(p);
  }
}

/* ---- usable size ---- */
CASE(usable_of_null_is_0) { CHECK(malloc_usable_size(hidep(NULL)) == 0); }
CASE(usable_is_at_least_the_request) {
  for (size_t n = 0; n <= 70000; n += n < 5000 ? 1 : 97) {
    char *p = malloc(hide(n)), *q = calloc(1, hide(n)), *r = realloc(malloc(1), hide(n + 1));
    CHECKF(malloc_usable_size(p) >= n, "malloc(%zu): %zu", n, malloc_usable_size(p));
    CHECKF(malloc_usable_size(q) >= n, "calloc(%zu): %zu", n, malloc_usable_size(q));
    CHECKF(malloc_usable_size(r) >= n + 1, "realloc(%zu): %zu", n + 1, malloc_usable_size(r));
    free(p), free(q), free(r);
  }
}
CASE(usable_of_large_blocks) {
  for (size_t n = 65536; n <= 512 * MiB; n += n / 3) {
    char *p = malloc(hide(n));
    size_t usable = malloc_usable_size(p);
    CHECKF(p && usable >= n, "%zu: %zu", n, usable);
    p[usable - 1] = 1;
    free(p);
  }
}
CASE(usable_is_not_wild) {
  for (size_t n = 1; n <= 64 * MiB; n += n / 2 + 1) {
    char *p = malloc(hide(n));
    CHECKF(malloc_usable_size(p) <= 2 * n + 65536, "%zu: %zu", n, malloc_usable_size(p));
    free(p);
  }
}
CASE(usable_is_constant) {
  enum { N = 600 };
  static char *p[N];
  static size_t usable[N];
  for (size_t i = 0; i < N; i++) {
    CHECK(p[i] = malloc(i * i / 3));
    usable[i] = malloc_usable_size(p[i]);
  }
  for (size_t i = 0; i < N; i++) CHECKF(malloc_usable_size(p[i]) == usable[i], "%zu", i * i / 3);
  for (size_t i = 1; i < N; i += 2) memset(p[i], 0xff, usable[i]), free(p[i]);
  for (size_t i = 0; i < N; i += 2) CHECKF(malloc_usable_size(p[i]) == usable[i], "%zu after frees", i * i / 3);
  for (size_t i = 0; i < N; i += 2) {
    memset(p[i], 0xff, usable[i]);
    CHECKF(malloc_usable_size(p[i]) == usable[i], "%zu after a full write", i * i / 3);
    free(p[i]);
  }
}
static void *asks_usable(void *p) { return (void *)(uintptr_t)malloc_usable_size(p); }
CASE(usable_is_the_same_in_another_thread) {
  for (size_t n = 1; n < 100 * MiB; n *= 3) {
    char *p = malloc(n);
    void *seen;
    CHECK(pthread_join(start_thread(asks_usable, p), &seen) == 0);
    CHECKF((size_t)(uintptr_t)seen == malloc_usable_size(p), "%zu", n);
    free(p);
  }
}
static void usable_writable(size_t n, uint64_t live) {
  static char *p[128];
  static size_t usable[128];
  for (uint64_t i = 0; i < live; i++) {
    CHECK(p[i] = i % 3 == 1 ? calloc(1, hide(n)) : malloc(hide(n)));
    CHECK((usable[i] = malloc_usable_size(p[i])) >= n);
    fill(p[i], usable[i], i);
  }
  for (uint64_t i = 0; i < live; i++) CHECKF(unlike(p[i], usable[i], i) < 0, "blocks of %zu (usable %zu) overlap", n, usable[i]);
  for (uint64_t i = 0; i < live; i++) free(p[i]);
  for (uint64_t i = 0; i < live; i++) { /* frees left the lists whole */
    CHECK(p[i] = malloc(hide(n)));
    fill(p[i], malloc_usable_size(p[i]), i);
  }
  for (uint64_t i = 0; i < live; i++) CHECKF(unlike(p[i], n, i) < 0, "blocks of %zu overlap after reuse", n);
  for (uint64_t i = live; i-- > 0;) free(p[i]);
}
CASE(usable_is_writable_0_to_1100) {
  for (size_t n = 0; n <= 1100; n++) usable_writable(n, 70);
}
CASE(usable_is_writable_to_40k) {
  for (size_t n = 1100; n <= 40000; n += n / 40) usable_writable(n, 128);
}
CASE(usable_is_writable_to_2m) {
  for (size_t n = 40000; n <= 2 * MiB; n += n / 7) usable_writable(n, 12);
}
CASE(usable_is_writable_to_130m) {
  for (size_t n = 2 * MiB; n <= 130 * MiB; n += n / 2) usable_writable(n, 2);
}
CASE(usable_is_writable_after_realloc) {
  char *p[40] = {0};
  for (size_t n = 1; n < 60000; n += n / 3 + 1) {
    size_t usable[40];
    for (uint64_t i = 0; i < 40; i++) {
      CHECK(p[i] = realloc(p[i], n + i));
      usable[i] = malloc_usable_size(p[i]);
      CHECK(usable[i] >= n + i);
      fill(p[i], usable[i], i);
    }
    for (uint64_t i = 0; i < 40; i++) CHECKF(unlike(p[i], usable[i], i) < 0, "%zu", n + (size_t)i);
  }
  for (uint64_t i = 0; i < 40; i++) free(p[i]);
}
