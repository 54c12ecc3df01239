// An empty value is bad as well.
#include "live_option_main.c"
