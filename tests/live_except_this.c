// WEIR_EXCEPT names this program: it runs on glibc.
#define WANT_GLIBC 1
#include "live_only_this.c"
