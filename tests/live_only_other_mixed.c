// The pass-through: a program not named in WEIR_ONLY does the mixed work on glibc.
#include "live_mixed.c"
