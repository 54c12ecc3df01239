/* Symbols, plugins and other people's pointers. */
#include "case.h"

/* ---- the whole family comes from one library, whatever version a binary asks for ---- */
static const char *object_of(void *symbol) {
  Dl_info info;
  CHECK(symbol && dladdr(symbol, &info) && info.dli_fname);
  return info.dli_fname;
}
static void same_object(const char *name) {
  void *mine = dlsym(RTLD_DEFAULT, name);
  CHECKF(mine, "no %s", name);
  const char *theirs = object_of(dlsym(RTLD_DEFAULT, "malloc"));
  CHECKF(strcmp(object_of(mine), theirs) == 0, "malloc is in %s, %s in %s", theirs, name, object_of(mine));
}
#if defined __x86_64__
#define BASE_VERSION "GLIBC_2.2.5"
#else
#define BASE_VERSION "GLIBC_2.17"
#endif
static void same_version(const char *name, const char *version) {
  void *mine = dlsym(RTLD_DEFAULT, name), *versioned = dlvsym(RTLD_DEFAULT, name, version);
  CHECKF(versioned, "no %s@%s", name, version);
  CHECKF(mine == versioned, "%s is in %s, %s@%s in %s", name, object_of(mine), name, version, object_of(versioned));
}
#define FAMILY(name, version)              \
  CASE(symbol_##name) {                    \
    same_object(#name);                    \
    if (version) same_version(#name, version); \
  }
FAMILY(malloc, BASE_VERSION)
FAMILY(free, BASE_VERSION)
FAMILY(calloc, BASE_VERSION)
FAMILY(realloc, BASE_VERSION)
FAMILY(memalign, BASE_VERSION)
FAMILY(valloc, BASE_VERSION)
FAMILY(pvalloc, BASE_VERSION)
FAMILY(posix_memalign, BASE_VERSION)
FAMILY(malloc_usable_size, BASE_VERSION)
#if defined __x86_64__
FAMILY(aligned_alloc, "GLIBC_2.16")
FAMILY(reallocarray, "GLIBC_2.26")
#else
FAMILY(aligned_alloc, BASE_VERSION)
FAMILY(reallocarray, "GLIBC_2.26")
#endif
CASE(symbol_cfree) {
  void (*cfree_)(void *) = (void (*)(void *))(uintptr_t)dlvsym(RTLD_DEFAULT, "cfree", BASE_VERSION);
  if (!cfree_) SKIP("no cfree here");
  const char *theirs = object_of(dlsym(RTLD_DEFAULT, "malloc"));
  CHECKF(strcmp(object_of((void *)(uintptr_t)cfree_), theirs) == 0, "malloc is in %s, cfree in %s", theirs,
         object_of((void *)(uintptr_t)cfree_));
  for (size_t n = 1; n < 10000000; n *= 3) {
    char *p = malloc(n), *q = memalign(64, n);
    errno = 17;
    cfree_(p), cfree_(q);
    CHECK(errno == 17);
  }
  cfree_(NULL);
}
CASE(cfree_does_free) {
  void (*cfree_)(void *) = (void (*)(void *))(uintptr_t)dlvsym(RTLD_DEFAULT, "cfree", BASE_VERSION);
  if (!cfree_) SKIP("no cfree here");
  size_t before = rss_bytes();
  for (int i = 0; i < 100000; i++) cfree_(memset(malloc(2000), 1, 2000));
  CHECK(rss_bytes() < before + 16 * MiB);
}

/* ---- the C library's own blocks ---- */
static void *(*libc_malloc)(size_t);
static void (*libc_free)(void *);
static void find_libc(void) {
  void *h = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
  CHECK(h);
  libc_malloc = (void *(*)(size_t))(uintptr_t)dlsym(h, "malloc");
  libc_free = (void (*)(void *))(uintptr_t)dlsym(h, "free");
  CHECK(libc_malloc && libc_free);
}
CASE(libc_block_to_free) {
  find_libc();
  for (size_t n = 0; n < 30000000; n = n * 3 + 1) {
    char *p = libc_malloc(n), *q = libc_malloc(n);
    CHECK(p && q);
    memset(p, 1, n), memset(q, 2, n);
    errno = 71;
    free(p), free(q);
    CHECKF(errno == 71, "became %d", errno);
  }
}
CASE(libc_blocks_many_to_free) {
  find_libc();
  static char *p[5000];
  for (int round = 0; round < 20; round++) {
    for (uint64_t i = 0; i < 5000; i++) CHECK(p[i] = libc_malloc(16 + i % 300)), fill(p[i], 16 + i % 300, i);
    for (uint64_t i = 0; i < 5000; i++) CHECK(unlike(p[i], 16 + i % 300, i) < 0), free(p[i]);
  }
}
CASE(libc_block_to_realloc) {
  find_libc();
  for (size_t n = 1; n < 30000000; n *= 5) {
    char *p = libc_malloc(n);
    fill(p, n, 1);
    CHECK(p = realloc(p, n * 2));
    CHECKF(unlike(p, n, 1) < 0, "%zu grown", n);
    free(p);
    p = libc_malloc(n);
    fill(p, n, 1);
    CHECK(p = realloc(p, n / 2 + 1));
    CHECKF(unlike(p, n / 2 + 1, 1) < 0, "%zu shrunk", n);
    free(p);
    CHECK(hidep(realloc(libc_malloc(n), hide(0))) == NULL);
  }
}
CASE(libc_block_usable_size) {
  find_libc();
  for (size_t n = 1; n < 30000000; n *= 5) {
    char *p = libc_malloc(n);
    size_t usable = malloc_usable_size(p);
    CHECKF(usable >= n && usable <= n + 2 * 65536, "%zu: %zu", n, usable);
    fill(p, n, 1);
    free(p);
  }
}
static void *libc_takes(void *arg) {
  char **p = arg;
  for (int i = 0; i < 200; i++) CHECK(p[i] = libc_malloc((size_t)i * 30));
  return NULL;
}
CASE(libc_blocks_of_a_thread_to_free) {
  /* not of the main arena: glibc knows the owner by the chunk alone */
  find_libc();
  static char *p[200];
  for (int round = 0; round < 20; round++) {
    run_thread(libc_takes, p);
    for (int i = 0; i < 200; i++) free(p[i]);
  }
}
CASE(libc_blocks_are_given_back) {
  find_libc();
  size_t before = rss_bytes();
  for (int i = 0; i < 2000; i++) free(memset(libc_malloc(200000), 1, 200000));
  CHECKF(rss_bytes() < before + 16 * MiB, "RSS %zu -> %zu KiB", before >> 10, rss_bytes() >> 10);
}
CASE(libc_blocks_by_double_underscore) {
  void *(*f)(size_t) = (void *(*)(size_t))(uintptr_t)dlsym(RTLD_DEFAULT, "__libc_malloc");
  void *(*c)(size_t, size_t) = (void *(*)(size_t, size_t))(uintptr_t)dlsym(RTLD_DEFAULT, "__libc_calloc");
  void *(*r)(void *, size_t) = (void *(*)(void *, size_t))(uintptr_t)dlsym(RTLD_DEFAULT, "__libc_realloc");
  void *(*m)(size_t, size_t) = (void *(*)(size_t, size_t))(uintptr_t)dlsym(RTLD_DEFAULT, "__libc_memalign");
  CHECK(f && c && r && m);
  for (size_t n = 1; n < 3000000; n *= 3) {
    free(f(n)), free(c(1, n)), free(m(128, n)), free(r(NULL, n));
    char *p = r(f(n), n * 2);
    CHECK(p = realloc(p, n * 3));
    free(p);
  }
}

/* ---- a plugin, built here ---- */
static const char plugin_source[] =
    "#define _GNU_SOURCE\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <malloc.h>\n"
    "char *plugin_strdup(const char *s) { return strdup(s); }\n"
    "void *plugin_malloc(size_t n) { return malloc(n); }\n"
    "void *plugin_calloc(size_t n) { return calloc(1, n); }\n"
    "void *plugin_realloc(void *p, size_t n) { return realloc(p, n); }\n"
    "void *plugin_aligned(size_t n) { void *p; return posix_memalign(&p, 64, n) ? 0 : p; }\n"
    "void plugin_free(void *p) { free(p); }\n"
    "size_t plugin_usable(void *p) { return malloc_usable_size(p); }\n"
    "char *plugin_asprintf(int n) { char *p; return asprintf(&p, \"%*d\", n, n) < 0 ? 0 : p; }\n"
    "static char *kept; __attribute__((constructor)) static void in(void) { kept = malloc(3000); }\n"
    "__attribute__((destructor)) static void out(void) { free(kept); }\n";
static char plugin_dir[64], plugin_path[96];
static void plugin_remove(void) {
  unlink(plugin_path);
  rmdir(plugin_dir);
}
static void plugin_build(void) {
  snprintf(plugin_dir, sizeof plugin_dir, "/tmp/weir-plugin.XXXXXX");
  CHECK(mkdtemp(plugin_dir));
  snprintf(plugin_path, sizeof plugin_path, "%s/plugin.so", plugin_dir);
  atexit(plugin_remove);
  char command[256];
  snprintf(command, sizeof command, "env -u LD_PRELOAD ${CC:-cc} -fno-builtin -shared -fPIC -o %s -xc - 2>&1", plugin_path);
  FILE *f = popen(command, "w");
  CHECK(f && fputs(plugin_source, f) >= 0);
  if (pclose(f) != 0) {
    plugin_remove();
    SKIP("the plugin does not compile here");
  }
}
static struct {
  char *(*strdup)(const char *);
  void *(*malloc)(size_t), *(*calloc)(size_t), *(*realloc)(void *, size_t), *(*aligned)(size_t);
  void (*free)(void *);
  size_t (*usable)(void *);
  char *(*asprintf)(int);
} plugin;
static void *plugin_handle;
static void plugin_symbols(void) {
  CHECKF(plugin_handle, "%s", dlerror());
#define TAKE(name) CHECK(*(void **)&plugin.name = dlsym(plugin_handle, "plugin_" #name))
  TAKE(strdup), TAKE(malloc), TAKE(calloc), TAKE(realloc), TAKE(aligned), TAKE(free), TAKE(usable), TAKE(asprintf);
}
static void plugin_open(int flags) {
  plugin_build();
  plugin_handle = dlopen(plugin_path, flags);
  plugin_symbols();
}
#define DEEP (RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND)
static void theirs_freed_here(void) {
  for (size_t n = 1; n < 3000000; n *= 3) {
    char *p = plugin.malloc(n), *q = plugin.calloc(n), *r = plugin.aligned(n);
    CHECK(p && q && r && not_zero(q, n) < 0);
    memset(p, 1, n), memset(q, 1, n), memset(r, 1, n);
    free(p), free(q), free(r);
  }
  char *s = plugin.strdup("hello"), *t = plugin.asprintf(500);
  CHECK(strcmp(s, "hello") == 0 && strlen(t) == 500);
  free(s), free(t);
}
static void ours_freed_there(void) {
  for (size_t n = 1; n < 3000000; n *= 3) {
    plugin.free(malloc(n)), plugin.free(calloc(1, n)), plugin.free(memalign(64, n));
    plugin.free(realloc(malloc(3), n));
  }
  plugin.free(strdup("hello"));
  plugin.free(NULL);
}
static void both_realloc(void) {
  for (size_t n = 1; n < 3000000; n *= 3) {
    char *p = malloc(n);
    fill(p, n, 1);
    CHECK((p = plugin.realloc(p, n * 2)) && unlike(p, n, 1) < 0);
    CHECK((p = realloc(p, n * 3)) && unlike(p, n, 1) < 0);
    CHECK((p = plugin.realloc(p, n)) && unlike(p, n, 1) < 0);
    CHECK(malloc_usable_size(p) >= n && plugin.usable(p) >= n);
    free(p);
  }
}
CASE(deepbind_theirs_freed_here) { plugin_open(DEEP), theirs_freed_here(); }
CASE(deepbind_ours_freed_there) { plugin_open(DEEP), ours_freed_there(); }
CASE(deepbind_both_realloc) { plugin_open(DEEP), both_realloc(); }
CASE(deepbind_lazy) { plugin_open(RTLD_LAZY | RTLD_DEEPBIND), theirs_freed_here(), ours_freed_there(); }
CASE(deepbind_global) { plugin_open(RTLD_NOW | RTLD_GLOBAL | RTLD_DEEPBIND), ours_freed_there(), both_realloc(); }
CASE(deepbind_closed_and_opened) {
  plugin_build();
  for (int i = 0; i < 100; i++) {
    plugin_handle = dlopen(plugin_path, DEEP);
    plugin_symbols();
    char *p = plugin.strdup("kept"), *q = malloc(100);
    plugin.free(q);
    CHECK(dlclose(plugin_handle) == 0);
    CHECK(strcmp(p, "kept") == 0);
    free(p);
  }
}
static void *in_thread(void *arg) {
  (void)arg;
  theirs_freed_here(), ours_freed_there(), both_realloc();
  return NULL;
}
CASE(deepbind_in_a_thread) {
  plugin_open(DEEP);
  for (int i = 0; i < 5; i++) run_thread(in_thread, NULL);
}
CASE(plain_plugin) { plugin_open(RTLD_NOW | RTLD_LOCAL), theirs_freed_here(), ours_freed_there(), both_realloc(); }
CASE(plugin_opened_200_times) {
  plugin_build();
  size_t before = 0;
  for (int i = 0; i < 200; i++) {
    if (i == 50) before = rss_bytes();
    plugin_handle = dlopen(plugin_path, RTLD_NOW);
    plugin_symbols();
    free(plugin.malloc(1000));
    CHECK(dlclose(plugin_handle) == 0);
  }
  CHECKF(rss_bytes() < before + 4 * MiB, "RSS %zu -> %zu KiB", before >> 10, rss_bytes() >> 10);
}
CASE(plugin_found_by_a_relative_name) {
  /* the caller's place must be seen by the loader through any wrapper of dlopen */
  plugin_build();
  CHECK(chdir(plugin_dir) == 0);
  CHECK(!dlopen("plugin.so", RTLD_NOW)); /* no slash: the search path, not the current directory */
  CHECK(plugin_handle = dlopen("./plugin.so", RTLD_NOW));
  plugin_symbols();
  theirs_freed_here();
}
CASE(dlmopen_namespace_of_its_own) {
  plugin_build();
  plugin_handle = dlmopen(LM_ID_NEWLM, plugin_path, RTLD_NOW);
  plugin_symbols();
  char *p[50];
  for (int i = 0; i < 50; i++) CHECK(p[i] = plugin.malloc((size_t)i * 100)), memset(p[i], 1, (size_t)i * 100);
  for (int i = 0; i < 50; i++) { /* each side frees its own */
    char *q = malloc((size_t)i * 100);
    memset(q, 2, (size_t)i * 100);
    plugin.free(p[i]);
    free(q);
  }
  char *s = plugin.strdup("apart");
  CHECK(strcmp(s, "apart") == 0);
  plugin.free(s);
  CHECK(dlclose(plugin_handle) == 0);
}
CASE(dlopen_fails_politely) {
  CHECK(!dlopen("/no/such/thing.so", RTLD_NOW | RTLD_DEEPBIND));
  const char *why = dlerror();
  CHECKF(why && strstr(why, "/no/such/thing.so"), "%s", why ? why : "(null)");
  CHECK(!dlerror());
  CHECK(dlopen(NULL, RTLD_NOW));
}
