/* Memory that the C library allocates and the program frees, or the other way round. */
#include "case.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <execinfo.h>
#include <glob.h>
#include <grp.h>
#include <iconv.h>
#include <ifaddrs.h>
#include <langinfo.h>
#include <limits.h>
#include <link.h>
#include <locale.h>
#include <netdb.h>
#include <obstack.h>
#include <pwd.h>
#include <regex.h>
#include <search.h>
#include <semaphore.h>
#include <spawn.h>
#include <wchar.h>
#include <wordexp.h>
#define obstack_chunk_alloc malloc
#define obstack_chunk_free free

CASE(strdup_of_every_length) {
  static char text[5000];
  for (size_t n = 0; n < 5000; n += n < 300 ? 1 : 53) {
    memset(text, 'a' + (int)(n % 26), n), text[n] = 0;
    char *p = strdup(text), *q = strndup(text, n / 2);
    CHECK(p && q && strcmp(p, text) == 0 && strlen(q) == n / 2 && malloc_usable_size(p) >= n + 1);
    free(p), free(q);
  }
}
CASE(strdup_then_realloc) {
  char *p = strdup("hello");
  CHECK(p = realloc(p, 100000));
  CHECK(strcmp(p, "hello") == 0);
  free(p);
  wchar_t *w = wcsdup(L"wide");
  CHECK(wcscmp(w, L"wide") == 0);
  free(w);
}
CASE(getline_allocates_and_grows) {
  FILE *f = tmpfile();
  CHECK(f);
  for (int i = 0; i < 200; i++) fprintf(f, "%0*d\n", 1 + i * i, i);
  rewind(f);
  char *line = NULL;
  size_t room = 0;
  for (int i = 0; i < 200; i++) {
    ssize_t n = getline(&line, &room, f);
    CHECKF(n >= 2 && (size_t)n < room + 1 && atoi(line + (n > 10 ? n - 8 : 0)) == i, "line %d: %zd", i, n);
  }
  free(line);
  fclose(f);
}
CASE(getline_into_our_block) {
  FILE *f = fmemopen((void *)(uintptr_t) "a line which is longer than eight bytes\nb\n", 42, "r");
  size_t room = 8;
  char *line = malloc(room);
  CHECK(getline(&line, &room, f) == 40 && room >= 41);
  CHECK(getdelim(&line, &room, 'b', f) == 1 && line[0] == 'b');
  free(line);
  fclose(f);
}
CASE(asprintf_small_and_large) {
  for (int n = 1; n < 3000000; n *= 7) {
    char *p = NULL;
    CHECK(asprintf(&p, "%*d", n, 7) == n && p[n - 1] == '7');
    CHECK(p = realloc(p, (size_t)n * 2 + 1));
    CHECK(p[n - 1] == '7');
    free(p);
  }
}
CASE(open_memstream_is_ours_after_close) {
  for (int n = 0; n < 200000; n = n * 5 + 1) {
    char *p = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&p, &size);
    for (int i = 0; i < n; i++) putc('a' + i % 26, f);
    CHECK(fclose(f) == 0 && size == (size_t)n && p[n] == 0);
    CHECK(p = realloc(p, size + 5000));
    for (int i = 0; i < n; i++) CHECK(p[i] == 'a' + i % 26);
    free(p);
  }
}
CASE(open_wmemstream_is_ours_after_close) {
  wchar_t *p = NULL;
  size_t size = 0;
  FILE *f = open_wmemstream(&p, &size);
  for (int i = 0; i < 5000; i++) fputwc(L'x', f);
  fclose(f);
  CHECK(size == 5000 && p[4999] == L'x' && p[5000] == 0);
  free(p);
}
CASE(fmemopen_with_a_block_of_its_own) {
  FILE *f = fmemopen(NULL, 3000, "w+");
  for (int i = 0; i < 2900; i++) putc('q', f);
  rewind(f);
  for (int i = 0; i < 2900; i++) CHECK(getc(f) == 'q');
  fclose(f);
}
CASE(setvbuf_with_our_block) {
  FILE *f = tmpfile();
  char *buffer = malloc(70000);
  CHECK(setvbuf(f, buffer, _IOFBF, 70000) == 0);
  for (int i = 0; i < 100000; i++) putc('z', f);
  fclose(f);
  free(buffer);
}
CASE(a_hundred_open_files) {
  FILE *f[100];
  for (int i = 0; i < 100; i++) CHECK((f[i] = fopen("/proc/self/status", "r")) && getc(f[i]) == 'N');
  for (int i = 0; i < 100; i++) CHECK(fclose(f[i * 37 % 100]) == 0);
}
CASE(getcwd_and_realpath_allocate) {
  char *p = getcwd(NULL, 0), *q = realpath("/proc/self/exe", NULL), *r = get_current_dir_name();
  CHECK(p && q && r && p[0] == '/' && q[0] == '/' && strcmp(p, r) == 0);
  free(p), free(q), free(r);
}
CASE(scandir_is_ours) {
  struct dirent **list;
  int n = scandir("/etc", &list, NULL, alphasort);
  CHECK(n > 10);
  for (int i = 1; i < n; i++) CHECK(strcoll(list[i - 1]->d_name, list[i]->d_name) <= 0);
  for (int i = 0; i < n; i++) free(list[i]);
  free(list);
}
CASE(opendir_closedir) {
  for (int i = 0; i < 100; i++) {
    DIR *d = opendir("/proc/self");
    CHECK(d && readdir(d));
    closedir(d);
  }
}
CASE(glob_and_wordexp) {
  glob_t g;
  CHECK(glob("/etc/*", 0, NULL, &g) == 0 && g.gl_pathc > 10);
  globfree(&g);
  wordexp_t w;
  CHECK(wordexp("one \"two three\" $HOME", &w, 0) == 0 && w.we_wordc >= 2 && strcmp(w.we_wordv[1], "two three") == 0);
  wordfree(&w);
}
CASE(environment_many_times) {
  char name[32], value[300];
  for (int i = 0; i < 3000; i++) {
    snprintf(name, sizeof name, "NAME_%d", i % 100);
    snprintf(value, sizeof value, "%0*d", 1 + i % 290, i);
    CHECK(setenv(name, value, 1) == 0 && strcmp(getenv(name), value) == 0);
    if (i % 7 == 0) CHECK(unsetenv(name) == 0 && !getenv(name));
  }
  char *p = strdup("PUT=here");
  CHECK(putenv(p) == 0 && strcmp(getenv("PUT"), "here") == 0);
  unsetenv("PUT");
  free(p);
  clearenv();
  CHECK(!getenv("NAME_1"));
}
static int by_number(const void *a, const void *b) { return *(const int *)a < *(const int *)b ? -1 : *(const int *)a > *(const int *)b; }
CASE(tsearch_tdestroy) {
  void *root = NULL;
  for (int i = 0; i < 5000; i++) {
    int *n = malloc(sizeof *n);
    *n = (i * 7919) % 5000;
    CHECK(*(int **)tsearch(n, &root, by_number) == n);
  }
  int key = 42;
  int **found = tfind(&key, &root, by_number);
  CHECK(found && **found == 42);
  tdestroy(root, free);
}
CASE(hsearch_hdestroy) {
  CHECK(hcreate(500));
  static char names[500][8];
  for (int i = 0; i < 500; i++) {
    snprintf(names[i], 8, "k%d", i);
    ENTRY e = {names[i], names[i]};
    CHECK(hsearch(e, ENTER));
  }
  ENTRY e = {names[77], NULL}, *f = hsearch(e, FIND);
  CHECK(f && f->data == names[77]);
  hdestroy();
}
CASE(regex_compiles_and_frees) {
  for (int i = 0; i < 50; i++) {
    regex_t r;
    CHECK(regcomp(&r, "^([a-z]+)[0-9]{2,30}(x|y|zz)*$", REG_EXTENDED) == 0);
    CHECK(regexec(&r, "abc1234zzx", 0, NULL, 0) == 0 && regexec(&r, "1abc", 0, NULL, 0) != 0);
    regfree(&r);
  }
}
CASE(getaddrinfo_numeric) {
  struct addrinfo hint = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV}, *list = NULL;
  CHECK(getaddrinfo("127.0.0.1", "80", &hint, &list) == 0 && list);
  freeaddrinfo(list);
  struct ifaddrs *interfaces = NULL;
  CHECK(getifaddrs(&interfaces) == 0);
  freeifaddrs(interfaces);
}
CASE(printf_that_allocates) {
  char *p = malloc(20000);
  CHECK(snprintf(p, 20000, "%.9000Lf", (long double)1 / 3) == 9002 && strncmp(p, "0.33333", 7) == 0);
  CHECK(snprintf(p, 20000, "%15000s", "end") == 15000 && p[14999] == 'd');
  free(p);
}
CASE(sscanf_that_allocates) {
  char *a = NULL, *b = NULL;
  CHECK(sscanf("first second", "%ms %m[a-z]", &a, &b) == 2 && !strcmp(a, "first") && !strcmp(b, "second"));
  free(a), free(b);
}
CASE(qsort_of_large_arrays) {
  int n = 300000, *p = malloc((size_t)n * sizeof *p);
  for (int i = 0; i < n; i++) p[i] = (int)(mix64((uint64_t)i) >> 33);
  qsort(p, (size_t)n, sizeof *p, by_number);
  for (int i = 1; i < n; i++) CHECK(p[i - 1] <= p[i]);
  free(p);
}
CASE(iconv_and_locales) {
  iconv_t c = iconv_open("UTF-16", "UTF-8");
  if (c == (iconv_t)-1) c = iconv_open("UCS-4LE", "UTF-8");
  CHECK(c != (iconv_t)-1);
  iconv_close(c);
  locale_t l = newlocale(LC_ALL_MASK, "C.UTF-8", NULL);
  CHECK(l);
  locale_t m = duplocale(l);
  CHECK(m && nl_langinfo_l(CODESET, m));
  freelocale(m), freelocale(l);
  CHECK(setlocale(LC_ALL, "C.UTF-8") && setlocale(LC_ALL, "C"));
}
CASE(backtrace_symbols_are_ours) {
  void *frames[20];
  int n = backtrace(frames, 20);
  char **names = backtrace_symbols(frames, n);
  CHECK(n > 0 && names && names[0][0]);
  free(names);
}
CASE(obstack_of_many_objects) {
  struct obstack o;
  obstack_init(&o);
  for (int i = 1; i < 20000; i++) memset(obstack_alloc(&o, i % 500), i, (size_t)(i % 500));
  obstack_free(&o, NULL);
}
CASE(popen_and_system) {
  FILE *f = popen("echo hello", "r");
  char line[20] = "";
  CHECK(f && fgets(line, sizeof line, f) && strcmp(line, "hello\n") == 0);
  CHECK(pclose(f) == 0);
  CHECK(system("exit 3") == 3 << 8);
}
CASE(posix_spawn_with_actions) {
  posix_spawn_file_actions_t a;
  CHECK(posix_spawn_file_actions_init(&a) == 0);
  for (int i = 0; i < 50; i++) CHECK(posix_spawn_file_actions_adddup2(&a, 2, 20 + i) == 0);
  char *argv[] = {(char *)(uintptr_t) "true", NULL};
  pid_t pid;
  CHECK(posix_spawnp(&pid, "true", &a, NULL, argv, environ) == 0);
  posix_spawn_file_actions_destroy(&a);
  CHECK_CHILD(pid);
}
CASE(passwd_and_groups) {
  for (int i = 0; i < 20; i++) CHECK(getpwnam("root") && getgrgid(0));
  endpwent(), endgrent();
}
CASE(dlerror_after_a_failing_dlsym) {
  for (int i = 0; i < 500; i++) {
    CHECK(dlsym(RTLD_DEFAULT, "no_such_symbol_anywhere") == NULL && dlerror() != NULL);
    CHECK(dlopen("libnosuchthing.so", RTLD_NOW) == NULL && dlerror() != NULL);
  }
}
static int dl_count;
static int count_object(struct dl_phdr_info *info, size_t size, void *arg) {
  (void)info, (void)size, (void)arg;
  char *p = malloc(1000); /* allocates under the loader's lock */
  CHECK(p);
  free(p);
  dl_count++;
  return 0;
}
CASE(malloc_inside_dl_iterate_phdr) {
  dl_iterate_phdr(count_object, NULL);
  CHECK(dl_count >= 3);
}
CASE(named_semaphore_and_timer) {
  char name[40];
  snprintf(name, sizeof name, "/weir-test-%d", getpid());
  sem_t *s = sem_open(name, O_CREAT, 0600, 1);
  if (s == SEM_FAILED) SKIP("sem_open: %s", strerror(errno));
  sem_unlink(name);
  CHECK(sem_wait(s) == 0 && sem_close(s) == 0);
}
static volatile int timer_fired;
static void timer_thread(union sigval v) {
  free(malloc(5000));
  timer_fired = v.sival_int;
}
CASE(timer_with_a_thread) {
  timer_t t;
  struct sigevent e = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = timer_thread, .sigev_value = {.sival_int = 7}};
  struct itimerspec in = {.it_value = {0, 1000000}};
  CHECK(timer_create(CLOCK_MONOTONIC, &e, &t) == 0 && timer_settime(t, 0, &in, NULL) == 0);
  for (int i = 0; i < 5000 && !timer_fired; i++) usleep(1000);
  CHECK(timer_fired == 7);
  timer_delete(t);
}
static int exits;
static void at_exit(void) {
  char *p = malloc(100);
  CHECK(p);
  free(p);
  if (++exits == 2000) _exit(0);
}
HELPER(exits_2000_times) {
  for (int i = 0; i < 2000; i++) CHECK(atexit(at_exit) == 0);
  exit(9); /* the list is calloc'ed by libc; the last handler makes it 0 */
}
CASE(two_thousand_atexit_handlers) { case_run_helper("exits_2000_times", NULL, -1, 0); }
