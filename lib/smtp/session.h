/*
 * The server's side of an SMTP or LMTP dialogue (RFC 5321, RFC 2033), from
 * the first command to the end: shared by smtpd and submit, which differ by
 * their policy (smtp/server.h).
 *
 * Commands are rows of a table (smtp/command.h): each says in which states
 * it may come and what it does. Replies leave when the input that is there
 * has been dealt with, so a pipelined batch is answered in one packet.
 *
 * Whatever the client sends is bounded: lines, parameters, recipients,
 * errors, idle time, and the time that a message may take.
 */
#ifndef SMTP_SESSION_H
#define SMTP_SESSION_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "client/account.h"
#include "client/tls.h"
#include "io/stream.h"
#include "queue/envelope.h"
#include "smtp/intake.h"
#include "smtp/server.h"

#define SMTP_LINE_MAX 4096 /* of a command */
#define SMTP_WINDOW 65536  /* of input read at once */
#define SMTP_NAME_SIZE 256
#define SMTP_COMMANDS_MAX 20

/* Where the dialogue stands; commands name the states they may come in. */
enum smtp_state {
	SMTP_GREETED = 1 << 0,	  /* no HELO or EHLO yet */
	SMTP_READY = 1 << 1,	  /* between messages */
	SMTP_MAIL = 1 << 2,	  /* after MAIL */
	SMTP_RECIPIENTS = 1 << 3, /* after the first RCPT that was taken */
	SMTP_ANY = (1 << 4) - 1
};

struct smtp_session {
	const struct smtp_server *server;
	struct intake *intake;
	struct stream *io;
	struct arena *memory; /* of the message at hand */
	bool lmtp;

	/* the client */
	char client[INET6_ADDRSTRLEN];	  /* IP address, "" for a local one */
	char client_name[SMTP_NAME_SIZE]; /* verified, or "unknown" */
	char local[INET6_ADDRSTRLEN];	  /* smtp_local_address, or "" */
	bool trusted;			  /* it is in mynetworks */
	char helo[SMTP_NAME_SIZE];
	bool esmtp;
	bool tls;
	char tls_text[160];
	char login[ACCOUNT_USER_SIZE]; /* "" if not authenticated */

	/* the dialogue */
	enum smtp_state state;
	bool over;
	const char *end;   /* why it was lost, or NULL */
	const char *after; /* the last command */
	bool refused;	   /* it was */
	int64_t errors;	   /* these three since the last message */
	int64_t put_off;   /* replies that begin with 4 */
	int64_t junk;
	struct {
		unsigned good;
		unsigned all;
	} count[SMTP_COMMANDS_MAX];
	unsigned unknown;

	/* the message at hand */
	struct envelope envelope;
	size_t cap_recipients;
	bool refused_recipients; /* some, since MAIL */
};

/* Prepares a session for the descriptor FD, which it owns from now on. The
 * client is found by getpeername. INTAKE stays the caller's. */
void smtp_session_init(struct smtp_session *s, const struct smtp_server *server,
		       struct intake *intake, int fd);

/* TLS before the first word (RFC 8314). False if there is none to be had:
 * the session is over then. */
bool smtp_session_start_tls(struct smtp_session *s);

/* Says the banner. Not for a client that gate has greeted. */
void smtp_session_greet(struct smtp_session *s);

/* Leads the dialogue to its end, or until the suite stops and the client is at
 * rest (421, RFC 5321 section 3.8), and logs it; closes the connection and
 * frees what the session holds. */
void smtp_session_run(struct smtp_session *s);

/* For policies and commands. */

/* Says a reply. A permanent refusal counts as an error of the client; so does
 * a temporary one, when there were as many as a message may have recipients:
 * a list that is too long for one message must not end the session. */
void smtp_say(struct smtp_session *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* A message came through: the errors before it do not count any more, so that
 * a host with much mail can keep its connection. */
void smtp_forgive(struct smtp_session *s);

/* Logs a refusal of COMMAND, with what is known of the message. TO is the
 * recipient it is about, or NULL. */
void smtp_log_refusal(const struct smtp_session *s, const char *command,
		      const char *to, const struct smtp_reply *r);

/* Ends the session after the reply that was said last. WHY is a constant for
 * the log. */
void smtp_hang_up(struct smtp_session *s, const char *why);

/* Ends the session for ERR, with a 421 where the client can still hear it. */
void smtp_lose(struct smtp_session *s, int err);

/* Forgets the message at hand. */
void smtp_reset(struct smtp_session *s);

/* Reads one line of the client outside of commands (AUTH). *LINE is without
 * its line end, and lives until the next read. False: session is over. */
bool smtp_read_line(struct smtp_session *s, size_t max, char **line);

/* The IP address of ours that the client has reached, or "". To be asked for
 * before the descriptor changes. */
const char *smtp_local_address(struct smtp_session *s);

/* Is a user or alias of ours behind A, or may mail for others be taken from
 * this client (RELAY)? The common part of recipient policies. */
bool smtp_check_recipient(struct smtp_session *s, struct address *a, bool relay,
			  struct smtp_reply *r);

/* Is A's domain one that answers could be sent to? */
bool smtp_check_sender_domain(struct smtp_session *s, const struct address *a,
			      struct smtp_reply *r);

#endif
