/*
 * Files with names of ours that no record knows: either what a power cut left
 * of an expunge or a delivery, which is removed or put aside, or mail that
 * came back, from a backup, say. What is not proven to be the former is the
 * latter.
 */
#ifndef MAILBOX_LEFTOVER_H
#define MAILBOX_LEFTOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "messages/content.h"
#include "messages/messages.h"

struct mailbox;

/* When the messages of files were expunged, according to the journal; for all
 * of them at once, since there may be very many. If the journal cannot be read
 * to its end, nothing is known of any: a record that says that the files were
 * gone may be in the rest. */
struct leftover_date {
	struct message_ref ref;
	uint32_t uid;	  /* in its name, if that was given out, else 0 */
	int64_t expunged; /* microseconds; 0: it was not, or the file was
			   * removed for good */
	int64_t busy;	  /* when somebody was last at it */
};
int leftover_find_dates(struct mailbox *m, struct leftover_date *date,
			size_t n) MUST_CHECK;

/* The UID in the name of FILE that its message may have had, or 0. */
uint32_t leftover_uid(const struct mailbox *m, const struct listing_file *file);

/* Was the expunge of the file of DATE recorded, and the power cut before its
 * name was known to be gone (index/mark.h)? A file that was put back before
 * that was made since, according to ST, so that one that was moved back seems
 * left; ST is NULL if nobody can have put one back. A file of another name
 * with the same UID is a copy. */
enum leftover {
	LEFT_NOT,
	LEFT_BUSY, /* another session may be about to remove it: wait */
	LEFT_OVER
};
enum leftover left_of_expunge(struct mailbox *m,
			      const struct leftover_date *date,
			      const struct message_state *st);

/* So long an expunge may be between its record, which it syncs, or the last one
 * that says that it goes on, and the removal of its files: microseconds. Tests
 * shorten it. */
extern int64_t leftover_busy_us;

/* Is FILE from a delivery that ended before its record was durable, and so was
 * never promised? If its UID was given out it is mail, however short, unless
 * it holds nothing. *WHAT says what is in it. */
bool left_of_delivery(struct mailbox *m, const struct listing_file *file,
		      const struct message_ref *ref, enum content *what);

#endif
