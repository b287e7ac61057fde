/*
 * Questions to accountd: who exists, where does mail for an address go, who
 * may send as whom, is this password right. Every question has a deadline of
 * its own (half a minute, for a password a whole one); no answer by then is
 * ACCOUNT_TEMP or AUTH_TEMP. Addresses and names are in canonical form
 * (address/address.h).
 */
#ifndef CLIENT_ACCOUNT_H
#define CLIENT_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum account_status {
	ACCOUNT_FOUND,
	ACCOUNT_NONE,	/* no such user: a permanent answer */
	ACCOUNT_TEMP	/* could not find out just now */
};

/* Bytes of a login name with its NUL: as long as a mailbox, 64 + 1 + 255. */
#define ACCOUNT_USER_SIZE 321

struct account {
	char user[ACCOUNT_USER_SIZE];	/* the login name, canonical: with domain
					 * for virtual users, bare for those of
					 * the system */
	char home[1024];
	char maildir[1024];	/* the INBOX: absolute path of the Maildir */
	uid_t uid;
	gid_t gid;
	bool virtual_user;
	char extension[128];	/* what followed recipient_delimiter, or "" */
};

/* Is there a mailbox, a system user or an alias for ADDRESS (local@domain,
 * its domain one of ours)? Tries virtual users, virtual_alias_maps,
 * alias_maps, system users, each with and without the extension, in the
 * order that local-deliver uses. */
enum account_status account_recipient(const char *address);

/* The mailbox owner behind the mail address or login name NAME, in *OUT, which
 * is the caller's; without ACCOUNT_FOUND it holds nothing of use. */
enum account_status account_lookup(const char *name, struct account *out);

/* May the logged-in USER send as ADDRESS (his own address, with any
 * extension, an alias that leads to him alone, or smtpd_sender_login_maps)?
 * ACCOUNT_FOUND: yes, ACCOUNT_NONE: no. */
enum account_status account_may_send(const char *user, const char *address);

/* A SASL exchange, steps in base64 as on the wire. */
enum account_auth {
	AUTH_OK,
	AUTH_CONTINUE,	/* send `challenge`, then come again */
	AUTH_FAILED,	/* wrong credentials, or malformed */
	AUTH_TEMP	/* could not find out just now */
};

struct account_auth_state {
	int sock;		/* connection of this exchange, -1 at start */
	char challenge[1024];	/* base64 for AUTH_CONTINUE */
	char user[ACCOUNT_USER_SIZE];	/* for AUTH_OK */
	char why[256];		/* for AUTH_FAILED, for the log */
	/* Set before a step, with a session: input read ahead behind the
	 * response, instead of what account_client_info said. */
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
};

/* Begins with MECHANISM and the initial RESPONSE (NULL if none came). After
 * AUTH_CONTINUE go on with account_auth_step. Every other result ends the
 * exchange. With `session`, AUTH_OK means that the session side has the
 * connection now: close it and say nothing more on it. */
enum account_auth account_auth_start(struct account_auth_state *st,
				     const struct account_client_info *info,
				     const char *mechanism,
				     const char *response);
enum account_auth account_auth_step(struct account_auth_state *st,
				    const char *response);
void account_auth_cancel(struct account_auth_state *st);

#endif
