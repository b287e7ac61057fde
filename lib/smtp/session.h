/*
 * The server side of an SMTP or LMTP dialogue (RFC 5321, RFC 2033), from
 * the first command to the end: shared by smtpd and submit, which differ by
 * their policy (smtp/server.h).
 *
 * Commands are rows of a table (smtp/command.h): each says in which states
 * it may come and what it does. Replies leave when all available input has
 * been handled, so a pipelined batch is answered in one packet.
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
#include "intake/intake.h"
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
	SMTP_RECIPIENTS = 1 << 3, /* after the first accepted RCPT */
	SMTP_ANY = (1 << 4) - 1
};

struct smtp_session {
	const struct smtp_server *server;
	struct intake *intake;
	struct stream *io;
	struct arena *memory; /* of the current message */
	bool lmtp;

	/* the client */
	int gate;    /* the connection to gate, which handed it over; or -1 */
	bool stress; /* others wait for processes */
	bool parked; /* it was given back to gate */
	bool content_due; /* it was parked after 354 */
	bool timed_out;	  /* its client was silent for too long */
	char client[INET6_ADDRSTRLEN];	  /* IP address, "" for a local one */
	char client_name[SMTP_NAME_SIZE]; /* verified, or "unknown" */
	char local[INET6_ADDRSTRLEN];	  /* smtp_local_address, or "" */
	bool trusted;			  /* it is in mynetworks */
	int64_t speaks_for_others;	  /* it may use XCLIENT */
	char helo[SMTP_NAME_SIZE];
	bool esmtp;
	bool tls;
	char tls_text[160];
	char login[ACCOUNT_USER_SIZE]; /* "" if not authenticated */

	/* the dialogue */
	enum smtp_state state;
	bool over;
	const char *end;     /* why it was lost, or NULL */
	const char *after;   /* the last command */
	bool refused;	     /* that command was */
	int64_t progress_ms; /* when the client last did something; within
			      * content, when what has come was due at
			      * smtpd_min_data_rate */
	int64_t hurry_ms;    /* the same at smtpd_stress_data_rate */
	bool hurried;	     /* gate has asked the client to hurry */
	int64_t accepted;    /* messages */
	int64_t errors;	     /* these three since the last message */
	int64_t put_off;     /* replies that begin with 4 */
	int64_t junk;
	struct {
		unsigned good;
		unsigned all;
	} count[SMTP_COMMANDS_MAX];
	int64_t unknown;

	/* what policies decided about all its messages, and about the current
	 * one; enum intake_action, with the reason */
	int64_t fate;
	int64_t message_fate;
	char why[SMTP_NAME_SIZE];
	char message_why[SMTP_NAME_SIZE];

	/* the current message */
	struct envelope envelope;
	size_t cap_recipients;
	bool refused_recipients; /* some, since MAIL */
	int64_t size;		 /* of SIZE (RFC 1870); 0: not said */
	int64_t *room;		 /* in bytes, of the first NROOMS recipients */
	size_t nrooms;
};

/* Prepares a session for the descriptor FD, which it owns from now on. The
 * client is found by getpeername. INTAKE stays the caller's. */
void smtp_session_init(struct smtp_session *s, const struct smtp_server *server,
		       struct intake *intake, int fd);

/* For smtp/park.h: the parts of the above. A session over FD, from GATE (-1:
 * none), that knows nothing about its client; then its name, from its address;
 * then whether it is in mynetworks, and whether it, which has connected, may say
 * that another is the client. */
void smtp_session_begin(struct smtp_session *s,
			const struct smtp_server *server, struct intake *intake,
			int fd, int gate);
void smtp_find_client(struct smtp_session *s);
void smtp_find_trust(struct smtp_session *s);
void smtp_find_rights(struct smtp_session *s);

/* Asks the policies about the client; the session is over if they refuse
 * it. */
void smtp_meet(struct smtp_session *s);

/* Closes the connection and frees what the session holds; sends nothing. */
void smtp_session_free(struct smtp_session *s);

/* TLS from the start (RFC 8314). False if it is not available: the session is
 * over then. */
bool smtp_session_start_tls(struct smtp_session *s);

/* Sends the banner. Not for a client that gate has greeted: smtp/park.h. */
void smtp_session_greet(struct smtp_session *s);

/* Runs the dialogue to its end, or until the suite stops and the client is
 * idle (421, RFC 5321 section 3.8), and logs it; closes the connection and
 * frees what the session holds. */
void smtp_session_run(struct smtp_session *s);

/* For policies and commands. */

/* Sends a reply. A permanent refusal counts as an error of the client; a
 * temporary one does so after as many as a message may have recipients, so
 * that a list that is too long for one message does not end the session. */
void smtp_say(struct smtp_session *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* A message was accepted: earlier errors do not count any more, so that a host
 * with much mail can keep its connection. */
void smtp_forgive(struct smtp_session *s);

/* Logs a refusal of COMMAND, with what is known about the message. TO is the
 * recipient concerned, or NULL. */
void smtp_log_refusal(const struct smtp_session *s, const char *command,
		      const char *to, const struct answer *r);

/* Ends the session after the last reply. WHY is a constant for the log. */
void smtp_hang_up(struct smtp_session *s, const char *why);

/* Ends the session because of ERR, with a 421 if the client can still read
 * it. */
void smtp_lose(struct smtp_session *s, int err);

/* The client has done something: it is not late now. */
void smtp_note_progress(struct smtp_session *s);

/* Forgets the current message. */
void smtp_reset(struct smtp_session *s);

/* Reads one line from the client outside commands (AUTH). *LINE is without its
 * line end, and lives until the next read. False: the session is over. */
bool smtp_read_line(struct smtp_session *s, size_t max, char **line);

/* Our IP address to which the client has connected, or "". To be called before
 * the descriptor changes. */
const char *smtp_local_address(struct smtp_session *s);

/* Gives A, which has no domain, or a literal that is our address, the domain
 * myorigin. If that is not one of ours, postmaster stays without a domain,
 * which means this system. */
void smtp_take_home(const struct smtp_server *s, struct address *a);

/* Asks the rows of STAGE about ADDRESS (NULL if the stage is not about one).
 * False: refused, and A is the answer. Other results are noted for the
 * session's messages, or for the current one. */
bool smtp_ask(struct smtp_session *s, enum intake_stage stage,
	      struct address *address, struct answer *a);

/* Rows of RCPT for the policies of programs: is the address that of a user or
 * alias of ours? Only the second accepts mail for other domains. */
enum intake_action smtp_judge_recipient(const struct intake_question *q,
					struct answer *a);
enum intake_action smtp_judge_relayed(const struct intake_question *q,
				      struct answer *a);

/* Is content of SIZE bytes too much for the mailbox of the recipient AT, as far
 * as is known? Then A is the answer. */
bool smtp_is_full(const struct smtp_session *s, size_t at, int64_t size,
		  struct answer *a);

/* For how many recipients is it? From now on they have no room at all. An
 * address that is named twice has the same answer. */
size_t smtp_count_full(struct smtp_session *s, int64_t size);

/* A row of MAIL: could replies be sent to the sender's domain? */
enum intake_action smtp_judge_sender_domain(const struct intake_question *q,
					    struct answer *a);

#endif
