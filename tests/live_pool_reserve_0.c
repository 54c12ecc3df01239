// No reserve of empty memory at all.
#include "live_mixed.c"
