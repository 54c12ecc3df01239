// A small cap on the pools: all the same work, served from elsewhere.
#include "live_mixed.c"
