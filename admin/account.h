/* Who a user is, and how to become that user: for what touches a Maildir. */
#ifndef ADMIN_ACCOUNT_H
#define ADMIN_ACCOUNT_H

#include "admin/admin.h"
#include "client/account.h"

/* Asks accountd who NAME is. EX_OK, or the exit code after saying why. */
int admin_find_account(const struct admin *a, const char *name, struct account *u);

/* Asks accountd which host serves NAME: TEXT as of account_served_by. The same
 * results. */
int admin_find_host(const struct admin *a, const char *name, char *text,
		    size_t size);

/* Becomes U for good. EX_OK, or the exit code after saying why. */
int admin_become(const struct account *u);

#endif
