/*
 * What the files of local-deliver share: its settings, the current message, a
 * recipient being delivered.
 *
 * A child of the prefork parent serves one connection of qmgr. It reads jobs,
 * looks up addresses in tables and supervises commands, as root if the suite
 * runs as root. User files and mailboxes are only touched by another process
 * that has first become that user: a worker (worker.h), which stays for the
 * next message, or an errand (errand.h) for one act.
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

/* The user as whom something is done. */
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
	bool full_tempfail; /* quota_full_tempfail */
	int quota_grace;    /* mailbox_quota_grace */
	int64_t size_limit; /* message_size_limit; none is the greatest */
	const char *quota_levels; /* mailbox_quota_warnings: "80 95" */
	int64_t command_ms;
	struct identity nobody; /* default_privs */
	bool root;		/* can become others */
	struct feed *feed;	/* in a child */
};

/* The message of the current job. */
struct message {
	struct job *job;
	struct arena *arena; /* ends with the jobs that came together */
	int64_t begun_us;    /* when the job came, wall clock */
	bool scanned;	     /* delivered_to is known */
	struct strlist delivered_to;
};

/* A recipient being delivered: what its address means, and its result. */
struct recipient {
	struct settings *settings;
	struct message *message;
	const struct job_recipient *job;
	struct address address;
	char text[ADDRESS_TEXT_SIZE]; /* canonical */
	enum address_class class;
	struct result *result;
	const char *detail; /* of it, for the log alone; or NULL */
	struct plan *plan;	   /* plan.h */
	struct worker_call *asked; /* mailbox.h; NULL: nobody */
	bool noted;		   /* it has a page in the ledger */
};

/* Sets R's result, with a reason formatted like printf. DSN is a status code
 * (RFC 3463), RELAY the value of relay= in the log. The sender gets the reason:
 * nothing of what is in an alias or a .forward may be in it. Such things are
 * set in R->detail afterwards. */
void settle(struct recipient *r, enum result_status status, const char *dsn,
	    const char *relay, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* Defers R, for a short time, because WHAT, one of our own programs, was not
 * available. */
void settle_away(struct recipient *r, const char *what);

/* Delivers to one recipient. The first begins the delivery to its mailbox, so
 * that several go together, and the second ends it; the third does the rest,
 * which may take long, and always sets R->result. */
void recipient_begin(struct recipient *r);
void recipient_mailbox(struct recipient *r);
void recipient_deliver(struct recipient *r);

/* Serves one connection of qmgr, or of accountd (room.c), and closes it. */
void serve_qmgr(struct settings *settings, int fd);
void serve_room(struct settings *settings, int fd);

/* Writes the log line for a recipient's result. */
void report(const struct recipient *r);

#endif
