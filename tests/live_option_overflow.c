// More than there are.
#include "live_option_main.c"
