/* How many there are of each name. */
#ifndef LOGIN_PROXY_COUNT_H
#define LOGIN_PROXY_COUNT_H

struct map;
struct count;

/* One more in M, of NAME, until count_less. */
struct count *count_more(struct map *m, const char *name);
void count_less(struct map *m, struct count *c);

unsigned count_of(const struct map *m, const char *name);

#endif
