// Two bad values, two lines, in whatever order.
#include "live_option_main.c"
