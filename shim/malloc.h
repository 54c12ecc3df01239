/*
 * malloc: the exported family, without libc's header and its attributes.
 */
#ifndef WEIR_SHIM_MALLOC_H
#define WEIR_SHIM_MALLOC_H

#include <stddef.h>

void *malloc(size_t bytes);
void free(void *p);
void *calloc(size_t count, size_t each);
void *realloc(void *p, size_t bytes);
void *reallocarray(void *p, size_t count, size_t each);
int posix_memalign(void **result, size_t align, size_t bytes);
void *memalign(size_t align, size_t bytes);
void *aligned_alloc(size_t align, size_t bytes);
void *valloc(size_t bytes);
void *pvalloc(size_t bytes);
size_t malloc_usable_size(void *p);
void cfree(void *p);
void free_sized(void *p, size_t bytes);
void free_aligned_sized(void *p, size_t align, size_t bytes);
int malloc_trim(size_t pad);

#endif
