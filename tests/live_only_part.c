// A part of the name is not the name.
#define WANT_GLIBC 1
#include "live_only_this.c"
