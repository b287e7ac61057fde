/*
 * What the client has enabled (RFC 5161), until the connection ends: the one
 * owner of this. Each answer that depends on it asks for what follows from it,
 * not for a client's words.
 */
#ifndef IMAPD_ENABLED_H
#define IMAPD_ENABLED_H

#include <stdbool.h>

struct session;
struct buf;
struct arg;

enum enabled {
	ENABLED_CONDSTORE = 1 << 0, /* mod-sequences in FETCH (RFC 7162) */
	ENABLED_QRESYNC = 1 << 1,   /* VANISHED instead of EXPUNGE */
	ENABLED_UTF8 = 1 << 2,	    /* UTF8=ACCEPT (RFC 6855) */
	ENABLED_REV2 = 1 << 3,	    /* IMAP4rev2 (RFC 9051) */
	ENABLED_UIDONLY = 1 << 4,   /* no message numbers (RFC 9586) */
	ENABLED_ALL = (1 << 5) - 1
};

/* What follows from any of them: names and quoted strings are in UTF-8, both
 * ways; a FETCH that nobody has asked for says the UID; what is gone is told by
 * UIDs. */
#define ENABLED_NAMES_UTF8 (ENABLED_UTF8 | ENABLED_REV2)
#define ENABLED_FETCH_UID (ENABLED_CONDSTORE | ENABLED_REV2)
#define ENABLED_VANISHED (ENABLED_QRESYNC | ENABLED_UIDONLY)

/* Does the client know ANY of these? */
bool enabled(const struct session *s, unsigned any);

/* Enables WHAT. Mod-sequences are enabled by any command that uses them: then,
 * if a folder is selected, HIGHESTMODSEQ is told the first time, at the
 * command's end. False: it was enabled before. */
bool enable(struct session *s, unsigned what);

/* Enables what NAME says, and appends " NAME" to OUT; nothing if that is
 * unknown, or was enabled before. */
void enable_by_name(struct session *s, const struct arg *name, struct buf *out);

#endif
