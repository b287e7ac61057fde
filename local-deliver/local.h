/*
 * What the files of local-deliver share: its settings, the message at hand,
 * a recipient on its way.
 *
 * Who does what: a child of the prefork parent serves one connection of qmgr.
 * It reads jobs, looks addresses up in tables and runs commands' supervision,
 * as root where the suite runs as root. What touches a user's files or a
 * mailbox happens in another process that has become that user first: a
 * worker (worker.h), which lives on for the next message, or an errand
 * (errand.h) for one act.
 */
#ifndef LOCAL_DELIVER_LOCAL_H
#define LOCAL_DELIVER_LOCAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "address/address.h"
#include "address/domains.h"
#include "base/arena.h"
#include "client/feed.h"
#include "config/config.h"
#include "qmgr/job.h"
#include "server/prefork.h"
#include "table/table.h"

/* As whom something is done. */
struct identity {
	uid_t uid;
	gid_t gid;
	const char *user; /* login name */
	const char *home;
};

/* Set once before the children start; a child adds its connections. */
struct settings {
	const struct config *config;
	struct address_domains *domains;
	struct table_list virtual_aliases;
	struct table_list aliases;
	const char *delimiters; /* recipient_delimiter */
	const char *myorigin;
	bool commands; /* allow_mail_to_commands */
	bool files;    /* allow_mail_to_files */
	bool owners;   /* owner_request_special */
	int64_t command_ms;
	struct identity nobody; /* default_privs */
	bool root;		/* can become others */
	struct feed *feed;	/* in a child */
};

/* The message of the job at hand. */
struct message {
	struct job *job;
	struct arena *arena; /* ends with the jobs that came together */
	int64_t begun_us;    /* when the job came, wall clock */
	bool scanned;	     /* delivered_to is known */
	struct strlist delivered_to;
};

/* A recipient on its way: what its address means, and how it fares. */
struct recipient {
	struct settings *settings;
	struct message *message;
	const struct job_recipient *job;
	struct address address;
	char text[ADDRESS_TEXT_SIZE]; /* canonical */
	enum address_class class;
	struct result *result;
	struct plan *plan;	   /* plan.h */
	struct worker_call *asked; /* mailbox.h; NULL: nobody */
	bool ahead;		   /* the mailbox is asked, nothing done */
	bool noted;		   /* it has a page in the ledger */
	bool again;		   /* there is more to do than that */
};

/* Settles how R fares, with a reason made as by printf. DSN is a status
 * code (RFC 3463), RELAY what stands behind relay= in the log. */
void settle(struct recipient *r, enum result_status status, const char *dsn,
	    const char *relay, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* Puts R off, since WHAT, a part of our own, was not there: not for long. */
void settle_away(struct recipient *r, const char *what);

/* Delivers to one recipient. What is only a mailbox is begun by the first, so
 * that several go together; the second does the rest and sets R->result,
 * whatever happens. */
void recipient_begin(struct recipient *r);
void recipient_deliver(struct recipient *r);

/* Serves one connection of qmgr and closes it. For prefork. */
bool serve_qmgr(void *settings, const struct prefork_listener *listener,
		int fd);

/* The line of log for a recipient's result. */
void report(const struct recipient *r);

#endif
