/*
 * Unsolicited responses: EXISTS, RECENT, EXPUNGE, FETCH of flags, FLAGS (RFC
 * 3501 section 7).
 */
#ifndef IMAPD_UPDATE_H
#define IMAPD_UPDATE_H

#include "imapd/session.h"

/* Looks for changes in the selected folder and reports them. */
void update_send(struct session *s, bool may_expunge);

/* "* FLAGS (…)" and PERMANENTFLAGS, with the folder's keywords. */
void update_put_flags(struct session *s);

/* Sends FLAGS again if the folder has new keywords. */
void update_keywords(struct session *s);

/* "* SEQ FETCH (FLAGS (…))", with the UID if the current command is by UID
 * (RFC 3501 section 6.4.8). */
void update_put_fetch_flags(struct session *s, struct buf *out, uint32_t seq,
			    const struct mailbox_message *m);

/* "* SEQ FETCH (", appended to OUT. */
void update_put_fetch(struct buf *out, uint32_t seq);

/* "UID n " */
void update_put_uid(struct buf *out, uint32_t uid);

/* The flags of a message as a list with parentheses, appended to OUT. */
void update_put_message_flags(struct session *s, struct buf *out,
			      const struct mailbox_message *m);

#endif
