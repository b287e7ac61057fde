/*
 * Master users, who log in as others with a password of their own: those of
 * auth_master_user_maps, "user*master" with the separator
 * auth_master_user_separator, or by the authorization identity of SASL.
 */
#ifndef ACCOUNTD_MASTER_H
#define ACCOUNTD_MASTER_H

#include <stdbool.h>

#include "client/account.h"
#include "config/config.h"
#include "sasl/server.h"

/* Whom a client wants to be, and who it says it is. */
struct login_name {
	char user[SASL_NAME_MAX + 1];
	char master[SASL_NAME_MAX + 1]; /* "": the user */
};

/* Opens the table. Ends the process if it is specified wrongly. */
void master_begin(const struct config *c);

/* What NAME, and the authorization identity AS ("": none), mean. */
void master_split(const char *name, const char *as, struct login_name *out);

/* *HASH gets that of the master user NAME, valid until the next call. */
enum account_status master_find(const char *name, const char **hash);

#endif
