// Allocates before any constructor, in constructors of several priorities, and frees in main.
#define CASE_NO_MAIN
#include "case.h"
enum { STAGES = 4 };
static char *kept[STAGES][40];
static int ran;
static void stage(int at) {
  for (size_t i = 0; i < 40; i++) {
    CHECK(kept[at][i] = i % 3 ? malloc(i * i * 20) : calloc(1, i * i * 20));
    fill(kept[at][i], i * i * 20, i);
  }
  char *p = realloc(malloc(10), 50000);
  CHECK(p);
  free(p);
  ran |= 1 << at;
}
static void before_all(int argc, char **argv, char **env) {
  (void)argc, (void)argv, (void)env;
  stage(0);
}
__attribute__((section(".preinit_array"), used)) static void (*preinit)(int, char **, char **) = before_all;
__attribute__((constructor(101))) static void first(void) { stage(1); }
__attribute__((constructor(65000))) static void middle(void) { stage(2); }
__attribute__((constructor)) static void last(void) { stage(3); }
int main(void) {
  CHECKF(ran == 15, "stages %x", (unsigned)ran);
  for (int at = 0; at < STAGES; at++)
    for (size_t i = 0; i < 40; i++) CHECK(unlike(kept[at][i], i * i * 20, i) < 0), free(kept[at][i]);
  return 0;
}
