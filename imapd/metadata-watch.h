/*
 * Telling a client, once it has asked for it, which annotations others have
 * changed (RFC 5464 section 4.4.2). After ENABLE METADATA those of all folders
 * and of the account: the files are looked at between commands and, in IDLE,
 * every few seconds. By NOTIFY (notify.h) some, when the feed says so. Only
 * sessions that have asked pay for it.
 */
#ifndef IMAPD_METADATA_WATCH_H
#define IMAPD_METADATA_WATCH_H

#include "imapd/session.h"
#include "mailbox/metadata.h"

/* From now on, all. False: it was so before. */
bool metadata_watch_begin(struct session *s);
bool metadata_watches_all(const struct session *s);
void metadata_watch_end(struct session *s);

/* Tells what has changed since the last call; nothing if S does not watch. */
void metadata_watch_send(struct session *s);

/* The same of the folder NAME alone ("": the account), whose special use is
 * USE; TELL it, or only take note. */
void metadata_watch_look(struct session *s, const char *name, const char *use,
			 bool tell);
void metadata_watch_forget(struct session *s, const char *name);

/* The client itself has changed those of the folder NAME ("": the account),
 * and is not told. */
void metadata_watch_own(struct session *s, const char *name,
			const struct metadata *changes);

#endif
