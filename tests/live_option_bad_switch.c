// A switch that is neither on nor off.
#include "live_option_main.c"
