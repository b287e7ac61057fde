/*
 * The capabilities that we announce, in one place.
 */
#ifndef IMAPD_CAPABILITY_H
#define IMAPD_CAPABILITY_H

#include "base/buf.h"

struct session;

#define CAPABILITY_BEFORE_LOGIN "IMAP4rev1 LITERAL- SASL-IR ID ENABLE IDLE"

#define CAPABILITY_AFTER_LOGIN                                 \
	"IMAP4rev1 LITERAL+ SASL-IR ID ENABLE IDLE NAMESPACE " \
	"CHILDREN UIDPLUS MOVE UNSELECT SPECIAL-USE "          \
	"CREATE-SPECIAL-USE ESEARCH WITHIN "                   \
	"STATUS=SIZE LIST-STATUS SORT "                        \
	"THREAD=ORDEREDSUBJECT THREAD=REFERENCES THREAD=REFS " \
	"MULTIAPPEND"

#define CAPABILITY_ID "* ID (\"name\" \"Posthorn\")"

/* Appends all that S has after the login. */
void capability_put(const struct session *s, struct buf *out);

#endif
