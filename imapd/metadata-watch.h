/*
 * Telling a client, once it has asked for it with ENABLE METADATA, which
 * annotations others have changed (RFC 5464 section 4.4.2), of all folders and
 * of the account. The files are looked at between commands and, in IDLE, every
 * few seconds; only sessions that have asked pay for it.
 */
#ifndef IMAPD_METADATA_WATCH_H
#define IMAPD_METADATA_WATCH_H

#include "imapd/session.h"
#include "mailbox/metadata.h"

/* From now on. False: it was so before. */
bool metadata_watch_begin(struct session *s);
void metadata_watch_end(struct session *s);

/* Tells what has changed since the last call; nothing if S does not watch. */
void metadata_watch_send(struct session *s);

/* The client itself has changed those of the folder NAME ("": the account),
 * and is not told. */
void metadata_watch_own(struct session *s, const char *name,
			const struct metadata *changes);

#endif
