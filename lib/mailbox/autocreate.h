/*
 * The folders that an account gets at its first session: parameters
 * mailbox_autocreate and mailbox_autosubscribe. Each is made once for an
 * account, so that one that its user deletes does not come back; a file in the
 * Maildir says which were, posthorn-mailbox(5).
 */
#ifndef MAILBOX_AUTOCREATE_H
#define MAILBOX_AUTOCREATE_H

#include "base/err.h"
#include "base/str.h"
#include "mailbox/store.h"

/* Makes and subscribes those of CREATE and SUBSCRIBE (names in UTF-8) that
 * were not before. A folder that has the special use that goes with a name is
 * taken for it. If there is nothing to do, it reads one file. What fails is
 * tried again by the next call; the first failure is the result. */
int autocreate_run(struct store *s, const struct strlist *create,
		   const struct strlist *subscribe) MUST_CHECK;

#endif
