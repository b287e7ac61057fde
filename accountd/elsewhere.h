/*
 * Which users another host serves: by their lines in the users file, and by
 * login_proxy_maps. Nothing that a client says can name a host: the tables are
 * asked only for names in our domains, and for none that could be several words
 * of what they give.
 */
#ifndef ACCOUNTD_ELSEWHERE_H
#define ACCOUNTD_ELSEWHERE_H

#include "client/account.h"
#include "config/config.h"
#include "table/proxy.h"

enum elsewhere {
	ELSEWHERE_HERE,	  /* this host serves the user */
	ELSEWHERE_THERE,  /* *T says which other */
	ELSEWHERE_UNSURE  /* it cannot be said now, and the log says why */
};

/* Opens the tables. Ends the process if they are specified wrongly. */
void elsewhere_begin(const struct config *c);

/* Who serves USER, a canonical name as find_login gives it, of whom it also said
 * FOUND? Of names that are not found, only those of our domains are looked
 * for. */
enum elsewhere elsewhere_find(const char *user, enum account_status found,
			      struct proxy_target *t);

/* The time for a login at T, in milliseconds. */
int64_t elsewhere_patience_ms(const struct proxy_target *t);

#endif
