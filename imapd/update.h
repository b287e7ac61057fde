/*
 * How a change is told to the client: EXISTS, RECENT, EXPUNGE, FETCH of flags,
 * FLAGS (RFC 3501 section 7); and, to one that has asked for it, mod-sequences
 * and VANISHED (RFC 7162).
 *
 * A client that knows mod-sequences takes the highest it was told of for how
 * far it knows the folder. So whenever that is not so, because messages were
 * added or removed or an EXPUNGE has to wait, it is told HIGHESTMODSEQ.
 */
#ifndef IMAPD_UPDATE_H
#define IMAPD_UPDATE_H

#include "imapd/session.h"
#include "imapd/set.h"

/* Looks for changes in the selected folder and reports them. */
void update_send(struct session *s, bool may_expunge);

/* The same, then the tagged OK with TEXT; to a client that knows mod-sequences
 * it says HIGHESTMODSEQ, after a command that removed messages. */
void update_reply_removed(struct session *s, const char *text);

/* Messages are gone: their numbers, each counted after those before it were
 * removed, and UIDs, both ascending. */
void update_put_gone(struct session *s, const uint32_t *seq,
		     const uint32_t *uid, size_t n);

/* "* VANISHED (EARLIER)" with UIDS, unless there are none. */
void update_put_vanished(struct session *s, const struct set *uids);

/* "MODSEQ (n) ", which the client takes note of. */
void update_put_modseq(struct session *s, struct buf *out, uint64_t modseq);

/* "* FLAGS (…)" and PERMANENTFLAGS, with the folder's keywords. */
void update_put_flags(struct session *s);

/* Sends FLAGS again if the folder has new keywords. */
void update_keywords(struct session *s);

/* "* SEQ FETCH (FLAGS (…))", with the UID if the current command is by UID
 * (RFC 3501 section 6.4.8), with both UID and mod-sequence if the client knows
 * these, and always in IMAP4rev2, but with UIDONLY not twice. SILENT: without FLAGS; then nothing is left
 * for other clients. */
void update_put_fetch_flags(struct session *s, struct buf *out, uint32_t seq,
			    const struct mailbox_message *m, bool silent);

/* "* SEQ FETCH (", or with UIDONLY "* UID UIDFETCH (", appended to OUT. */
void update_put_fetch(const struct session *s, struct buf *out, uint32_t seq,
		      uint32_t uid);

/* "UID n " */
void update_put_uid(struct buf *out, uint32_t uid);

/* The flags of a message as a list with parentheses, appended to OUT. */
void update_put_message_flags(struct session *s, struct buf *out,
			      const struct mailbox_message *m);

#endif
