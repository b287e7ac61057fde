/*
 * The cache of a folder: what IMAP says about a message, ready to send, one
 * entry per message, appended at delivery and so in UID order. Disposable:
 * an entry is used only if it names the message and its checksum is right.
 */
#ifndef INDEX_CACHE_H
#define INDEX_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* What the cache holds for a message, made at delivery, or now by reading the
 * message. Bytes ready to send; valid until the next call for M. */
struct mailbox_facts {
	const char *envelope; /* ENVELOPE's parenthesised list */
	size_t envelope_len;
	const char *body; /* BODY: without extension data; none without
			   * STRUCTURE */
	size_t body_len;
	const char *bodystructure;
	size_t bodystructure_len;
	const char *header; /* raw fields that clients ask for, in their
				 * order in the message, CRLF line ends, no
				 * empty line at the end */
	size_t header_len;
	const char *id; /* CACHE_ID_SIZE bytes, or NULL: not known yet */
};

#define CACHE_ID_SIZE 32 /* SHA-256 of the message's file */

#define CACHE_ENTRY_MAX (4u << 20)

struct folder;

/* Makes the entry for UID in B, which is empty, from the message TEXT, N (any
 * line ends); or, if it is not WHOLE, from its header: the entry then lacks
 * the structure. B stays empty if it would get larger than its maximum. */
void cache_make(struct buf *b, uint32_t validity, uint32_t uid,
		const char *text, size_t n, bool whole);

/* Makes an entry that of another message: for copies. */
void cache_rename(struct buf *b, uint32_t validity, uint32_t uid);

/* Adds ID, of CACHE_ID_SIZE bytes, to the entry in B, which has none. */
void cache_add_id(struct buf *b, const char *id);

/* Appends entries B to the cache of F, at *AT; false if that failed, which
 * only costs time later. */
MUST_CHECK bool cache_append(const struct folder *f, const struct buf *b,
			     uint64_t *at);

/* Parses the entry DATA, N; body_len is 0 if it lacks the structure. False:
 * not that of UID, or damaged. */
bool cache_read(const char *data, size_t n, uint32_t validity, uint32_t uid,
		struct mailbox_facts *f);

#endif
