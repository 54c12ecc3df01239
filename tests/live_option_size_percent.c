// A share of what there is.
#include "live_option_main.c"
