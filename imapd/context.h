/*
 * Contexts (RFC 5267): searches and sorts whose results the client is kept
 * informed about, with UPDATE, until the folder is closed or CANCELUPDATE.
 *
 * A result is a list of rows in its order. That of a SEARCH is a sort by
 * nothing, that is by UID. Only messages whose mod-sequence has changed are
 * looked at again.
 */
#ifndef IMAPD_CONTEXT_H
#define IMAPD_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "imapd/search.h"
#include "imapd/session.h"
#include "imapd/sort.h"

struct context;
struct result;

/* Is there one that TAG asked for? */
bool context_exists(const struct session *s, const char *tag);

/* Keeps the client informed about the result R of KEY. BY is NULL for a
 * SEARCH. It takes the command's memory over, so call it once nothing of
 * that is needed but to read it. If it cannot, the client is told NOUPDATE. */
void context_add(const struct result *r, const struct sort *by,
		 struct search_key *key);

/* Forgets that of TAG; false if there is none. */
bool context_cancel(struct session *s, const char *tag);
void context_cancel_all(struct session *s);

/* Before the client is told that messages are gone: their numbers, each
 * counted after those before it were removed, and UIDs. */
void context_gone(struct session *s, const uint32_t *seq, const uint32_t *uid,
		  size_t n);

/* After it was told of new messages and flags. */
void context_changed(struct session *s);

#endif
