// Under WEIR_STRICT=1 a bad value ends the process with 2 before main.
#include "live_option_main.c"
