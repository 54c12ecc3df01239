// A name that is none: one line, main runs.
#include "live_option_main.c"
