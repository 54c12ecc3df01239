// WEIR_STRICT=1 does not mind good values.
#include "live_option_main.c"
