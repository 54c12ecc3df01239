// weir-only
// Without options the blocks are weir's: else every test here would be one of glibc.
#define WANT_GLIBC 0
#include "live_only_this.c"
