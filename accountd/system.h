/*
 * System users, from getpwnam_r(3). Answers are cached for some seconds, since
 * a directory may be slow and senders guess names.
 */
#ifndef ACCOUNTD_SYSTEM_H
#define ACCOUNTD_SYSTEM_H

#include "accountd/users.h"
#include "client/account.h"
#include "config/config.h"

/* Reads local_users and home_mailbox. Ends the process if home_mailbox is not a
 * path below the home. */
void system_begin(const struct config *c);

/* The user NAME (lower case, without domain), whose HASH is empty: PAM checks
 * the password. USERS_NONE for all if local_users is no. *USER is valid until
 * the next call. */
enum users_status system_find(const char *name, const struct user **user);

/* Can mail be delivered to A, a system user: is the home, or the Maildir, a
 * directory of its own? Many that belong to programs have none: ACCOUNT_NONE.
 * That of a person may only be absent for a while, such as one that is not
 * mounted: ACCOUNT_TEMP. One that accountd may not see counts as there. */
enum account_status system_receives(const struct account *a);

#endif
