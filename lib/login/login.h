/*
 * The login side of IMAP and POP3: the connection of a stranger, in a sandbox
 * without files, until accountd has checked a password and given the
 * connection to a session. Nothing here can open a mailbox.
 *
 * Both protocols send SASL challenges in the same form, a line that begins
 * with "+ ", so one exchange serves both.
 */
#ifndef LOGIN_LOGIN_H
#define LOGIN_LOGIN_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "address/networks.h"
#include "config/config.h"
#include "io/stream.h"

struct login_rules {
	const char *service;  /* "imap", "pop3": also the session's kind */
	const char *hostname; /* myhostname */
	bool plaintext;	      /* passwords are accepted without TLS */
	bool starttls;	      /* there is a certificate */
	struct address_networks *proxies; /* haproxy_trusted_networks */
	struct address_networks *trusted; /* login_trusted_networks */
};

struct login {
	const struct login_rules *rules;
	struct stream *io;	       /* NULL once the connection is lost */
	char client[INET6_ADDRSTRLEN]; /* IP address, or "unknown" */
	bool tls;
	bool trusted;	   /* it may name another as the client */
	unsigned failures; /* of passwords */
	int ttl;	   /* how often it may still be passed on; 0: as often
			    * as accountd lets it */
	int64_t begun_ms;  /* when the client came */
};

enum login_result {
	LOGIN_DONE,	 /* the session has the connection: send no more */
	LOGIN_FAILED,	 /* wrong */
	LOGIN_MANY,	 /* wrong, and it was the last try */
	LOGIN_SOON,	 /* too soon after another: pop3_login_delay */
	LOGIN_CROWDED,	 /* the user has too many sessions */
	LOGIN_REFUSED,	 /* by the host that serves the user: login_reply */
	LOGIN_TEMP,	 /* cannot be checked now */
	LOGIN_CANCELLED, /* the client gave up, or sent garbage */
	LOGIN_LONG,	 /* a line without an end: say so, and hang up */
	LOGIN_LOST	 /* the connection is gone */
};

/* The rules of SERVICE, from the parameters. */
void login_read_rules(struct login_rules *r, const struct config *c,
		      const char *service);

/* Does the client of FD speak for others, who are only known once login_begin
 * has heard it? */
bool login_is_proxy(const struct login_rules *r, int fd);

/* Takes the connection FD, with TLS_FIRST through tlsproxy; from a proxy, after
 * it has said who its client is. The login may take
 * three minutes from here, but when all processes are busy the place may be
 * given to others earlier: reading then ends with ERR_STOPPING, or login_sasl
 * with LOGIN_LOST, and shed_is_due (server/shed.h), to be asked before each
 * command, is true. False: there is no connection, and the log says why. */
bool login_begin(struct login *l, const struct login_rules *rules, int fd,
		 bool tls_first);
void login_end(struct login *l);

/* If the connection is dropped for another, logs that and says TEXT. */
void login_say_dropped(struct login *l, const char *text);

/* The client, which is trusted, speaks for the one at the IP address IP. False:
 * it is not, or that is none; then nothing has changed. */
bool login_speak_for(struct login *l, const char *ip);

/* Whoever is in front says that it is a proxy, after which TTL more may follow:
 * from anybody, since it can only be less than it was. */
void login_note_ttl(struct login *l, const char *ttl);

/* After LOGIN_REFUSED: what that host says, without its NO or -ERR. */
const char *login_reply(void);

/* May a password be sent on this connection? */
bool login_passwords_allowed(const struct login *l);

/* Can STARTTLS be offered now? */
bool login_can_start_tls(const struct login *l);

/* After the reply that invites the handshake: what the client sent after its
 * command is dropped. False: the connection is lost. */
bool login_start_tls(struct login *l);

/* Runs the exchange of MECHANISM with the initial RESPONSE (NULL: none came;
 * "=" is an empty one). TAG is IMAP's, or "". */
enum login_result login_sasl(struct login *l, const char *mechanism,
			     const char *response, const char *tag);

/* The same for a name and a password sent in a command of the protocol. */
enum login_result login_password(struct login *l, const char *user,
				 const char *password, const char *tag);

#endif
