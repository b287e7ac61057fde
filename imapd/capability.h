/*
 * The capabilities that we announce, in one place.
 */
#ifndef IMAPD_CAPABILITY_H
#define IMAPD_CAPABILITY_H

#include "base/buf.h"

struct session;

#define CAPABILITY_BEFORE_LOGIN \
	"IMAP4rev1 IMAP4rev2 LITERAL- SASL-IR ID ENABLE IDLE"

/* One in each line.
 * clang-format off */
#define CAPABILITY_AFTER_LOGIN \
	"IMAP4rev1 " \
	"IMAP4rev2 " \
	"ACL " \
	"BINARY " \
	"CATENATE " \
	"CHILDREN " \
	"COMPRESS=DEFLATE " \
	"CONDSTORE " \
	"CONTEXT=SEARCH " \
	"CONTEXT=SORT " \
	"CREATE-SPECIAL-USE " \
	"ENABLE " \
	"ESEARCH " \
	"ESORT " \
	"I18NLEVEL=1 " \
	"ID " \
	"IDLE " \
	"INPROGRESS " \
	"LIST-EXTENDED " \
	"LIST-METADATA " \
	"LIST-MYRIGHTS " \
	"LIST-STATUS " \
	"LITERAL+ " \
	"METADATA " \
	"MOVE " \
	"MULTIAPPEND " \
	"MULTISEARCH " \
	"NAMESPACE " \
	"NOTIFY " \
	"OBJECTID " \
	"PARTIAL " \
	"PREVIEW " \
	"QRESYNC " \
	"QUOTA " \
	"QUOTA=RES-MESSAGE " \
	"QUOTA=RES-STORAGE " \
	"REPLACE " \
	"RIGHTS=texk " \
	"SASL-IR " \
	"SAVEDATE " \
	"SEARCH=FUZZY " \
	"SEARCHRES " \
	"SORT " \
	"SORT=DISPLAY " \
	"SPECIAL-USE " \
	"STATUS=SIZE " \
	"THREAD=ORDEREDSUBJECT " \
	"THREAD=REFERENCES " \
	"THREAD=REFS " \
	"UIDBATCHES " \
	"UIDPLUS " \
	"UNSELECT " \
	"UTF8=ACCEPT " \
	"WITHIN"
/* clang-format on */

#define CAPABILITY_ID "* ID (\"name\" \"Posthorn\")"

/* Appends all that S has after the login. */
void capability_put(const struct session *s, struct buf *out);

#endif
