// WEIR_EXCEPT names others: this program runs on weir.
#define WANT_GLIBC 0
#include "live_only_this.c"
