// Sizes as people write them.
#include "live_option_main.c"
