/*
 * The account of an address or a login name. The order of lookups is that of
 * local-deliver: virtual_alias_maps, alias_maps, then the account, each with
 * and without the extension.
 */
#ifndef ACCOUNTD_FIND_H
#define ACCOUNTD_FIND_H

#include "accountd/users.h"
#include "client/account.h"
#include "config/config.h"

/* Opens the tables. Ends the process if one is specified wrongly. */
void find_begin(const struct config *c);

/* Is there a mailbox, a system user who can have mail (system_receives), or an
 * alias for ADDRESS? OUT is the account then, or of an alias without a user. */
enum account_status find_recipient(const char *address, struct account *out);

/* The account of a mail address, or of a name without domain. */
enum account_status find_account(const char *name, struct account *out);

/* The account that logs in as NAME. *HASH gets its hash, or "" if PAM is to
 * be asked (OUT->virtual_user is false then) or nobody may log in; valid until
 * the next call of any function here. A bare name is a system user if
 * local_users is yes, else it belongs to the first of
 * virtual_mailbox_domains. OUT->user is always set, to the canonical name. */
enum account_status find_login(const char *name, struct account *out,
			       const char **hash);

/* May USER, a login name as `lookup` gives it, send as ADDRESS? */
enum account_status find_may_send(const char *user, const char *address);

#endif
