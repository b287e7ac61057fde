/*
 * The owner of an address's mailbox: accountd's answer, kept for a second, so
 * that a burst of mail for one user costs one question.
 */
#ifndef LOCAL_DELIVER_OWNER_H
#define LOCAL_DELIVER_OWNER_H

#include "client/account.h"

/* Like account_lookup of client/account.h. Only found accounts are kept: a new
 * user gets mail at once. */
enum account_status owner_find(const char *address, struct account *out);

#endif
