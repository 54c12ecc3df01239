// No helper thread.
#include "live_mixed.c"
