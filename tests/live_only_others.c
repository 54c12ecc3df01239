// WEIR_ONLY names others: this program runs on glibc.
#define WANT_GLIBC 1
#include "live_only_this.c"
