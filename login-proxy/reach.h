/*
 * Which hosts can be reached. While one cannot, a single login at a time tries
 * it, and all others are told so at once: otherwise the users of a host that is
 * down would fill the processes in which all logins begin.
 */
#ifndef LOGIN_PROXY_REACH_H
#define LOGIN_PROXY_REACH_H

#include <stdbool.h>

struct reach;

void reach_setup(void);

/* A login is about to try the host NAME. NULL: it is down, and another login
 * tries it. */
struct reach *reach_begin(const char *name);

/* The attempt is over: did the host ANSWER? */
void reach_end(struct reach *r, bool answered);

/* The attempt was given up, and nothing is known. */
void reach_cancel(struct reach *r);

#endif
