/*
 * Whose mailbox an address is: accountd's answer, kept for a second, so that
 * a burst of mail for one user costs one question.
 */
#ifndef LOCAL_DELIVER_OWNER_H
#define LOCAL_DELIVER_OWNER_H

#include "client/account.h"

/* As account_lookup of client/account.h. Only accounts that were found are
 * kept: a user made just now has mail at once. */
enum account_status owner_find(const char *address, struct account *out);

#endif
