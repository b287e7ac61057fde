/*
 * Where a user's logins go who is served by another host: the words of
 * login_proxy_maps and of the users file, which are those of Dovecot's passdb:
 *
 *     proxy host=imap.example.org ssl=yes destuser=ann
 *
 * There may be a password in them.
 */
#ifndef TABLE_PROXY_H
#define TABLE_PROXY_H

#include <stdbool.h>

enum proxy_tls { PROXY_STARTTLS, PROXY_TLS, PROXY_CLEAR };

struct proxy_target {
	char host[256];	   /* name or IP address */
	char ip[46];	   /* where to connect, or "": what HOST is */
	int port;	   /* 0: that of the protocol; for all but … */
	int imap_port;	   /* … these, unless they are 0 */
	int pop3_port;
	enum proxy_tls tls;
	bool any_cert;	   /* whoever shows it */
	char user[321];	   /* the name there, or "": the same */
	char master[321];  /* who logs in for the user there, or "" */
	char pass[1025];   /* the password there, or "": the user's */
	bool maybe;	   /* HOST may be this one: then it serves the user */
	bool nopassword;   /* HOST checks the password, nobody here */
	bool forwards;	   /* HOST is told who the client is */
	int timeout_s;	   /* for the login there; 0: login_proxy_timeout */
};

/* Does TEXT, words separated by spaces, say `proxy` or `proxy_maybe`? Only then
 * it is about this, in the users file. */
bool proxy_is_meant(const char *text);

/* Reads TEXT into T. Words that are none of these are ignored if LENIENT. NULL,
 * or what is wrong: a constant text, which quotes nothing. */
const char *proxy_read(const char *text, bool lenient, struct proxy_target *t);

#endif
