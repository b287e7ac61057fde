/*
 * Content of a table that is held in memory: pairs of strings. Between the
 * files of lib/table.
 */
#ifndef TABLE_MEMORY_H
#define TABLE_MEMORY_H

#include <stdbool.h>

#include "base/buf.h"

struct memory;

/* An empty one, to be freed; `void *` as in the table types. */
struct memory *memory_new(void);
void memory_free(void *memory);

/* Adds KEY, folded to lower case, with VALUE. NULL as VALUE marks a key
 * whose entry is faulty: a lookup gives ERR_TEMP. False if KEY exists already;
 * the first one stays. */
bool memory_add(struct memory *m, const char *key, const char *value);

/* The `get` of a table type: MEMORY is a struct memory. */
int memory_get(void *memory, const char *key, struct buf *value);

#endif
