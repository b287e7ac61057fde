/*
 * A message as it is on disk: superblock, envelope, and the state of the
 * recipients according to the journal. qmgr has one in memory for each message
 * that is being delivered; the helpers read their own.
 *
 * Everything that happens to a message is first a journal record: message_note
 * makes the record and applies it with the code that applies records read from
 * disk. So memory and disk cannot drift apart.
 */
#ifndef QUEUE_MANAGER_MESSAGE_H
#define QUEUE_MANAGER_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"
#include "queue/envelope.h"
#include "qmgr/result.h"
#include "queue/slot.h"

/* Nesting of aliases, counted only by qmgr, which knows the whole chain. */
#define EXPANSIONS_MAX 20

enum recipient_state {
	RECIPIENT_TODO,		/* not tried, or to be tried again */
	RECIPIENT_SENT,
	RECIPIENT_FAILED,
	RECIPIENT_EXPANDED,	/* others took its place */
	RECIPIENT_DROPPED	/* no longer of interest; nobody is told */
};

/* What the sender was told about a recipient. */
enum {
	TOLD_FAILURE = 1,
	TOLD_SUCCESS = 2,
	TOLD_DELAY = 4
};

#define TOLD_KINDS 3

/* What there is to tell. */
struct told_kind {
	unsigned bit;			/* TOLD_… */
	const char *name;		/* in the journal */
	const char *logged;		/* of the notice, as Postfix says it */
	enum recipient_state state;	/* of whom it is told */
	enum result_status status;	/* what is said of them */
	unsigned notify;		/* NOTIFY_…: who asked for it */
};

extern const struct told_kind told_kinds[TOLD_KINDS];

struct recipient {
	const char *address;
	const char *orcpt;
	const char *original;	/* before expansion; or the address */
	const char *sender;	/* instead of the envelope's; or NULL */
	const char *dsn;	/* of the last try, or "" */
	const char *relay;
	const char *reply;
	time_t when;		/* of the last try, 0: none */
	unsigned notify;
	unsigned parent;	/* whose expansion it came from; depth > 0 */
	unsigned char depth;
	unsigned char state;
	unsigned char told;
	unsigned char flags;	/* of the last result: RESULT_… */
	bool list;		/* expanded, and responsible for its members */
	bool copied;		/* expanded, and a copy was also delivered */
	const unsigned *to;	/* expanded into these NTO recipients */
	unsigned nto;
};

struct message {
	struct arena *arena;
	struct slot_super super;
	struct envelope envelope;
	struct recipient *rcpt;
	size_t nrcpts, cap;
	struct map *known;	/* addresses in it; made when first needed */
	off_t journal_end;
	struct buf records;	/* not yet written */
	time_t next;		/* of the next try, wall clock; 0: unknown */
	time_t born;		/* 0, or the time from which its age counts */
	unsigned attempts;
	bool committed;		/* there is a record that it was promised */
	bool held;
	bool trimmed;	/* the slot cannot be lent again */
};

/* Reads the message of GENERATION (0: the newest) from FD. FRESH: it was just
 * written, so it has no journal. ERR_OK; ERR_NOT_FOUND if there is none or it
 * is done; ERR_SYNTAX, ERR_CORRUPT, ERR_IO. Call message_free in any case. */
int message_load(struct message *m, int fd, uint32_t generation, bool fresh)
	MUST_CHECK;
void message_free(struct message *m);

/* Adds a record of WORD[N] and applies it. A record that makes no sense (no
 * such recipient), or is too long to be read back, is refused: false. */
bool message_note(struct message *m, const char *const *word, size_t n)
	MUST_CHECK;

/* The same for R, the result of a recipient from a deliverer or qmgr
 * itself. */
bool message_note_result(struct message *m, const struct result *r) MUST_CHECK;

/* The index of the recipient ADDRESS, counted from 1; 0 if there is none. Case
 * does not count: no host tells mailboxes apart by it. */
size_t message_find(struct message *m, const char *address);

/* Makes sure that there is space on disk for the records of one pass. ERR_OK,
 * or the error of the disk: then no pass may begin, since its results could
 * not be recorded. */
MUST_CHECK int message_reserve(struct message *m, int fd);

/* Writes the records that were added; trims the slot if they would not fit
 * its half. ERR_OK, or the error of the disk; the records are then kept for
 * the next time. */
MUST_CHECK int message_write_journal(struct message *m, int fd);

/* Marks on disk that the message was promised, and trims the slot to it, once.
 * ERR_OK, or the error of the disk: then nothing has changed. */
MUST_CHECK int message_trim(struct message *m, int fd);

/* When it came in, seconds. */
time_t message_arrival(const struct message *m);

/* The time from which its age counts, seconds: its arrival, unless the clock
 * was set since. */
time_t message_born(const struct message *m);

/* "sent", "failed", "expanded", as result_name says it; "to do", "dropped". */
const char *recipient_state_name(const struct recipient *r);

/* Is R in the state of which K tells? */
bool recipient_is_of(const struct recipient *r, const struct told_kind *k);

/* Is the sender to be told of FAILURE, SUCCESS or DELAY (a NOTIFY_ value) of
 * R (RFC 3461 section 4.1)? */
bool recipient_wants(const struct recipient *r, unsigned what);

/* The sender for R. */
const char *recipient_sender(const struct message *m,
			     const struct recipient *r);

#endif
