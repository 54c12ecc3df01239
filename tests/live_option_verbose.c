// WEIR_VERBOSE=1 prints what is in force, by name.
#include "live_option_main.c"
