// Everything on the second backend.
#include "live_mixed.c"
