// A size with something after it.
#include "live_option_main.c"
