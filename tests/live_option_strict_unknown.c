// An unknown name under WEIR_STRICT=1.
#include "live_option_main.c"
