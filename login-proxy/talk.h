/*
 * The login at the other host, as its client: what to say to each line that it
 * sends. Nothing here touches a socket. There is a dialogue for each protocol,
 * whose state is the function that takes the next line.
 *
 * The host is not trusted further than with the user's mail: whatever it says,
 * a dialogue ends after so many lines (pass.c), and the client gets only lines
 * that it may get.
 */
#ifndef LOGIN_PROXY_TALK_H
#define LOGIN_PROXY_TALK_H

#include <stdbool.h>

#include "base/buf.h"

#define TALK_TEXT_MAX 16384

/* Who logs in, and how. The strings outlive the dialogue. */
struct talk_facts {
	const char *user;     /* the name at the host */
	const char *master;   /* who logs in for it, or "" */
	const char *password; /* of the one who logs in */
	const char *client;   /* IP address; "" if the host is not to know */
	int ttl;	      /* how many proxies may follow this one */
	const char *tag;      /* IMAP: of the client's command */
	bool starttls;	      /* TLS is wanted, and is to be asked for */
};

enum talk_result {
	TALK_MORE,    /* send what is in OUT, and wait for the next line */
	TALK_TLS,     /* the same, but first begin TLS, then talk_go_on */
	TALK_DONE,    /* logged in: TEXT is for the client */
	TALK_WRONG,   /* name or password are wrong: TEXT says so */
	TALK_REFUSED, /* the host does not want just now: TEXT says so */
	TALK_FAULT    /* no login is possible this way: TEXT is for the log */
};

struct talk {
	const struct talk_facts *facts;
	enum talk_result (*take)(struct talk *t, const char *line);
	enum talk_result (*go_on)(struct talk *t);
	struct buf out;	 /* to send; holds a password at times */
	struct buf text; /* as said above; after NO or -ERR, without that */
	unsigned offers; /* what the host has said that it can do */
	bool asked;	 /* for the second part of the login */
	const char *bye; /* what ends a session politely */
};

void talk_begin_imap(struct talk *t, const struct talk_facts *f);
void talk_begin_pop3(struct talk *t, const struct talk_facts *f);

/* Takes LINE, without its line end. */
enum talk_result talk_line(struct talk *t, const char *line);

/* TLS has begun. */
enum talk_result talk_go_on(struct talk *t);

/* Wipes what it held. */
void talk_end(struct talk *t);

/* For the dialogues: ends with RESULT and TEXT. */
enum talk_result talk_finish(struct talk *t, enum talk_result result,
			     const char *text);

/* The next line will be taken by TAKE. */
enum talk_result talk_await(struct talk *t,
			    enum talk_result (*take)(struct talk *t,
						     const char *line));

/* Puts the response of PLAIN (RFC 4616) in base64. */
void talk_put_plain(struct talk *t);

/* Does TEXT begin with a response code "[WORD" of the N in WORDS, or with a
 * space or the end behind it? */
bool talk_has_code(const char *text, const char *const *words, unsigned n);

/* Are name and password what a line of text can carry? */
bool talk_is_plain_text(const struct talk_facts *f);

#endif
