/*
 * Files of messages that the journal says are expunged. Removing many takes
 * longer than a client waits, and than others may wait for the lock: so it is
 * done in portions, after the expunge was promised. Each portion is short; and
 * while there are more, the journal says from time to time that somebody is at
 * it, so that no other session takes the files for what a power cut left.
 */
#ifndef MAILBOX_REMOVAL_H
#define MAILBOX_REMOVAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "index/index.h"
#include "messages/messages.h"

struct mailbox;

struct removal {
	struct buf gone;  /* struct gone */
	struct buf names; /* their base names */
	size_t next;	  /* the first whose file was not yet looked for */
	size_t missing;	  /* those before it that had another name */
	bool waiting;	  /* files of an earlier expunge may still exist */
	struct index_point recorded; /* behind the expunge */
	int64_t said;	  /* when it was last recorded, clock_ms */
};

void removal_init(struct removal *r);
void removal_free(struct removal *r);

/* Is nothing left to be done? */
bool removal_is_over(const struct removal *r);

/* E's file is to be removed, once the expunge is recorded: at the end of the
 * journal. WAITING: something was before. Or all that was noted since N is not
 * to be removed. */
void removal_put(struct removal *r, const struct mailbox *m,
		 const struct entry *e);
size_t removal_count(const struct removal *r);
void removal_recorded(struct mailbox *m);
void removal_forget(struct removal *r, size_t n);

/* Removes files for about FOR_US. When all are gone that is made durable and
 * recorded. What cannot be done is left to a scan. */
int removal_go_on(struct mailbox *m, int64_t for_us) MUST_CHECK;

/* So often it is said that files are still being removed, milliseconds: before
 * others take them for left (leftover_busy_us). Tests shorten it. */
extern int64_t removal_say_ms;

/* Removes all at once, wherever they are, before anything is recorded; under
 * the lock. */
int removal_of_all(struct mailbox *m) MUST_CHECK;

#endif
