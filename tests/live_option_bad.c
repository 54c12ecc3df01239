// A value that is none: one line, the default kept, main runs.
#include "live_option_main.c"
