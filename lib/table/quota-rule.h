/* The limits of a user in the users file, in the words that Dovecot has. */
#ifndef TABLE_QUOTA_RULE_H
#define TABLE_QUOTA_RULE_H

#include <stdbool.h>

#include "base/buf.h"
#include "client/quota.h"

/* Finds userdb_quota_rule=*:storage=1G:messages=1000 among the words of EXTRA,
 * and userdb_quota_rule2=Trash:storage=+10% and so on, whose rules go to TREES,
 * separated by spaces. What is not given is QUOTA_DEFAULT: the parameters
 * decide. False: there is one that is not understood, or they are too many. */
bool quota_rule_find(const char *extra, struct quota_limits *q,
		     struct buf *trees);

/* Adds a rule to TREES. False: it is none about a folder, or there are too
 * many. */
bool quota_rule_add(struct buf *trees, const char *rule);

#endif
