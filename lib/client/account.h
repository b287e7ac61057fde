/*
 * Questions to accountd: which users exist, where mail for an address goes,
 * who may send as whom, whether a password is correct. Every question has its
 * own deadline (half a minute, two for a password); no answer by then is
 * ACCOUNT_TEMP or AUTH_TEMP. Addresses and names are in canonical form
 * (address/address.h).
 */
#ifndef CLIENT_ACCOUNT_H
#define CLIENT_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "client/quota.h"

enum account_status {
	ACCOUNT_FOUND,
	ACCOUNT_NONE,	/* no such user: a permanent answer */
	ACCOUNT_TEMP	/* could not find out just now */
};

/* Bytes of a login name with its NUL: that of an address, 64 + 1 + 255. */
#define ACCOUNT_USER_SIZE 321

struct account {
	char user[ACCOUNT_USER_SIZE];	/* the login name, canonical: with
					 * domain for virtual users, bare for
					 * system users */
	char home[1024];
	char maildir[1024];	/* the INBOX: absolute path of the Maildir */
	uid_t uid;
	gid_t gid;
	bool virtual_user;
	struct quota quota;
	char extension[128];	/* what followed recipient_delimiter, or "" */
};

/* What a session needs of an account, in a packet: all but virtual_user and
 * extension. account_get leaves these as they are; false: it is not whole. */
void account_put(struct ipc_out *m, const struct account *a);
bool account_get(const struct ipc_in *m, struct account *a);

/* Is there a mailbox, a system user or an alias for ADDRESS (local@domain,
 * its domain one of ours)? Tries virtual users, virtual_alias_maps,
 * alias_maps, system users, each with and without the extension, in the
 * order that local-deliver uses. A program's user without a home of its own
 * does not count; a person's that is absent is ACCOUNT_TEMP. What was found is
 * kept for a second, so that a burst of mail for one costs one question; a new
 * user gets mail at once. *ROOM is what there was room for in the mailbox a
 * second ago at most, in bytes; INT64_MAX if there is no limit, or it is not
 * known, as long as the mailbox is not nearly full. */
enum account_status account_recipient(const char *address, int64_t *room);

/* Says that the mailbox of the login name USER is nearly full, so that
 * account_recipient will tell its room. Best effort; never waits. */
void account_nearly_full(const char *user);

/* The owner of the mailbox for the mail address or login name NAME, in the
 * caller's *OUT; only useful after ACCOUNT_FOUND. */
enum account_status account_lookup(const char *name, struct account *out);

/* The same for who logs in as NAME: a name without domain may be that of a
 * virtual user (accountd(8)). */
enum account_status account_lookup_login(const char *name,
					 struct account *out);

/* Which host serves the user who logs in as NAME? TEXT, SIZE bytes, gets its name
 * and how it is reached, or "" if this one does. ACCOUNT_NONE: nobody can log in
 * by that name. */
enum account_status account_served_by(const char *name, char *text,
				      size_t size);

/* May the logged-in USER send as ADDRESS (the user's own, with any extension,
 * an alias that leads only to the user, or by smtpd_sender_login_maps)?
 * ACCOUNT_FOUND: yes, ACCOUNT_NONE: no. */
enum account_status account_may_send(const char *user, const char *address);

/* A SASL exchange, steps in base64 as on the wire. */
enum account_auth {
	AUTH_OK,
	AUTH_CONTINUE,	/* send `challenge`, then come again */
	AUTH_FAILED,	/* wrong credentials, or malformed */
	AUTH_SOON,	/* right, but too soon after another login */
	AUTH_MANY,	/* right, but the user has too many sessions */
	AUTH_REFUSED,	/* by the host that serves the user: `reply` */
	AUTH_TEMP	/* could not find out just now */
};

struct account_auth_state {
	int sock;		/* connection of this exchange, -1 at start */
	char challenge[1024];	/* base64 for AUTH_CONTINUE */
	char user[ACCOUNT_USER_SIZE];	/* for AUTH_OK */
	char why[256];		/* for AUTH_FAILED, for the log */
	char reply[512];	/* for AUTH_REFUSED: the other host's NO or
				 * -ERR, without that word; for the client */
	/* Set before a step, with a session: input read ahead after the
	 * response, instead of that in account_client_info. */
	const char *pending;
	size_t npending;
};

struct account_client_info {
	const char *service;	/* "smtp", "imap", "pop3" */
	const char *client;	/* IP address */
	bool tls;
	const char *session;	/* NULL, or "imap"/"pop3": hand the
				 * connection over on success */
	int fd;			/* the connection then, else -1 */
	const char *tag;	/* IMAP: tag of the command, for the reply */
	const char *pending;	/* input read ahead */
	size_t npending;
	int ttl;		/* how often the login may be passed on; 0: as
				 * often as accountd lets it */
};

/* Begins with MECHANISM and the initial RESPONSE (NULL if none came). After
 * AUTH_CONTINUE go on with account_auth_step. Every other result ends the
 * exchange. With `session`, AUTH_OK means that the session now has the
 * connection: close it and write nothing more to it. */
enum account_auth account_auth_start(struct account_auth_state *st,
				     const struct account_client_info *info,
				     const char *mechanism,
				     const char *response);
enum account_auth account_auth_step(struct account_auth_state *st,
				    const char *response);
void account_auth_cancel(struct account_auth_state *st);

#endif
