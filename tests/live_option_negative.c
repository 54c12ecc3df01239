// A negative size.
#include "live_option_main.c"
