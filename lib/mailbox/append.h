/*
 * Adding messages to a folder: IMAP's APPEND, one or several, all or none
 * (RFC 3502). Costs the same in a folder of any size.
 */
#ifndef MAILBOX_APPEND_H
#define MAILBOX_APPEND_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/folder-id.h"
#include "mailbox/store.h"

struct append;

/* At most so many messages; fewer if the process may have less than twice as many
 * descriptors. */
#define APPEND_MAX 10000

/* For folder NAME of S. ERR_NOT_FOUND: no such folder ([TRYCREATE]). */
int append_new(struct store *s, const char *name, struct append **a) MUST_CHECK;

/* Begins a message: flags of enum mailbox_flag, keywords (copied), and the
 * INTERNALDATE, or -1 for now. ERR_LIMIT: these are too many. */
int append_begin(struct append *a, unsigned flags, const char *const *keyword,
		 size_t nkeywords, int64_t received) MUST_CHECK;

/* The next N bytes of the message. CRLF line ends; a bare LF counts as a line
 * end too. ERR_NO_SPACE, ERR_IO: then only append_free. */
int append_write(struct append *a, const void *data, size_t n) MUST_CHECK;

/* Adds all messages begun. *UID is that of the first, the others follow
 * without a gap. After ERR_OK the messages and their UIDs are durable; else
 * nothing was added. *ID names the folder. */
int append_commit(struct append *a, uint32_t *uidvalidity, uint32_t *uid,
		  struct folder_id *id) MUST_CHECK;

/* Frees it; without a commit before, nothing was added. */
void append_free(struct append **a);

#endif
