// Plugins keep RTLD_DEEPBIND if asked to.
#include "live_option_main.c"
