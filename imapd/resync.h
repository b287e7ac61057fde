/*
 * A client that comes back (RFC 7162 section 3.2): the parameters of SELECT,
 * and what has happened since the mod-sequence that it knows.
 */
#ifndef IMAPD_RESYNC_H
#define IMAPD_RESYNC_H

#include "imapd/session.h"
#include "imapd/set.h"

struct resync {
	bool wanted; /* there is a QRESYNC parameter */
	uint64_t uidvalidity;
	uint64_t modseq;
	bool some; /* only of the UIDs in `known` */
	struct set known;
	struct set seq; /* a sample of the messages that the client knows: */
	struct set uid; /* their numbers, and UIDs in the same order */
};

/* Reads the list of parameters at A, if there is one, and enables what they
 * enable. False: they are wrong, and the client is told. */
bool resync_parse(struct session *s, const struct arg *a, struct resync *r);

/* The folder has been selected: tells what has changed, if that was asked for
 * and UIDVALIDITY is the same. */
void resync_put(struct session *s, const struct resync *r);

/* Tells which of the UIDs in the set at ARG, which is valid, have vanished
 * since the mod-sequence SINCE. */
void resync_put_vanished(struct session *s, uint64_t since,
			 const struct arg *arg);

#endif
