/*
 * A hash table from strings to pointers. The hash is SipHash-2-4 with a random
 * key for each process, so that strangers cannot choose keys that collide.
 * Values belong to the caller.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map;

struct map *map_new(void);
void map_free(struct map **m);	/* the values are not touched */

/* The value of KEY, or NULL. */
void *map_get(const struct map *m, const char *key);

/* Sets KEY (copied) to VALUE (not NULL); gives the former value or NULL. */
void *map_put(struct map *m, const char *key, void *value);

/* Removes KEY; gives the former value or NULL. */
void *map_remove(struct map *m, const char *key);

size_t map_count(const struct map *m);

/* Walks all entries in any order; start with *POS = 0. Gives the key, and the
 * value in *VALUE, or NULL at the end. The entry just given may be removed
 * during the walk; any other change makes the walk undefined. */
const char *map_next(const struct map *m, size_t *pos, void **value);

/* The keyed hash itself. */
uint64_t map_hash(const void *data, size_t n);

#endif
