/*
 * Text of attachments for searches: asked of the program decoder, once, and kept
 * beside the folder (index/texts.h). What is kept is never more than the mail
 * that it is of; a text that is longer than its part as it is in the message is
 * made again when it is needed. That a command made none is believed for a day.
 */
#ifndef MAILBOX_ATTACHED_H
#define MAILBOX_ATTACHED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "imaptext/searched.h"
#include "index/texts.h"

struct mailbox;
struct entry;

/* What an open folder knows of them. */
struct attached {
	int fd;	     /* the file, or -1 */
	ino_t ino;   /* which, and up to where it was */
	off_t end;   /* read */
	off_t used;  /* bytes of what is of use here */
	bool torn;   /* the rest of it is not */
	bool failed; /* it cannot be written */
	struct buf known; /* of struct known_text, in order */
	struct signature_of of; /* the message at hand */
	struct buf text;	/* of the latest part */
	struct texts_head latest;
	bool missed;	  /* somebody has to be asked who cannot be */
	int64_t ask_from; /* on clock_ms: not before */
	int64_t left_ms;  /* for making texts */
	struct searched_more more;
};

/* From now on texts are made for about MS milliseconds; what is not made then is
 * missed. At first it is none. */
void mailbox_attached_allow(struct mailbox *m, int64_t ms);

/* For searched_text of the message at SEQ, until the next call; NULL if there
 * are no commands. */
const struct searched_more *mailbox_attached(struct mailbox *m, uint32_t seq);

/* Was there text that could not be had since this was last asked? Then the
 * answer to a search may be another one later. */
bool mailbox_attached_missed(struct mailbox *m);

/* For lib/mailbox: the same, by the entry; and the life of m->attached. */
const struct searched_more *attached_to(struct mailbox *m,
					const struct entry *e);
bool attached_missed(struct mailbox *m);
void attached_begin(struct mailbox *m);
void attached_end(struct mailbox *m);

#endif
