/* The limits of a user in the users file, in the words that Dovecot has. */
#ifndef TABLE_QUOTA_RULE_H
#define TABLE_QUOTA_RULE_H

#include <stdbool.h>

#include "client/quota.h"

/* What is not given is this: the parameters decide. */
#define QUOTA_DEFAULT (-1)

/* Finds userdb_quota_rule=*:storage=1G:messages=1000 among the words of EXTRA.
 * False: there is one that is not understood. */
bool quota_rule_find(const char *extra, struct quota *q);

#endif
