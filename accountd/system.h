/*
 * System users, from getpwnam_r(3). Answers are cached for some seconds, since
 * a directory may be slow and senders guess names.
 */
#ifndef ACCOUNTD_SYSTEM_H
#define ACCOUNTD_SYSTEM_H

#include "accountd/users.h"
#include "config/config.h"

/* Reads local_users and home_mailbox. Ends the process if home_mailbox is not a
 * path below the home. */
void system_begin(const struct config *c);

/* The user NAME (lower case, without domain), whose HASH is empty: PAM checks
 * the password. USERS_NONE for all if local_users is no. *USER is valid until
 * the next call. */
enum users_status system_find(const char *name, const struct user **user);

#endif
