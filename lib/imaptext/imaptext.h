/*
 * What IMAP says about a message, ready to be sent (RFC 3501 section 7.4.2):
 * the values of ENVELOPE, BODY and BODYSTRUCTURE, without their names. They
 * contain quoted strings and, for bytes that those cannot carry, literals, but
 * never a NUL. The caller's buffer bounds them: check out->over.
 */
#ifndef IMAPTEXT_IMAPTEXT_H
#define IMAPTEXT_IMAPTEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "mime/part.h"

/* Enough for any message that a person would send. */
#define IMAP_TEXT_MAX (1 << 20)

/* The bytes of a literal, which may have any but NUL (CHAR8 of RFC 3501
 * section 9): '?' replaces each NUL. */
void imap_put_bytes(struct buf *out, const char *s, size_t n);

/* A string: quoted if possible, else a literal. */
void imap_put_string(struct buf *out, const char *data, size_t n);

/* The same, where quoted strings may hold UTF-8 (RFC 6855). */
void imap_put_utf8(struct buf *out, const char *data, size_t n);

/* NIL for NULL, else a string. */
void imap_put_nstring(struct buf *out, const char *text);

/* "(date subject from sender …)" of the message header at HEADER, N. */
void imap_envelope(struct buf *out, const char *header, size_t n);

/* The addresses in VALUE, N as "((name route mailbox host)…)" or NIL. At
 * most IMAP_ADDRESSES_MAX of them are read. */
#define IMAP_ADDRESSES_MAX 2000
void imap_addresses(struct buf *out, const char *value, size_t n);

/* "(…)": the structure of ROOT, the tree of the message DATA. With EXTENSION
 * it is BODYSTRUCTURE, else BODY. */
void imap_structure(struct buf *out, const char *data,
		    const struct mime_part *root, bool extension);

/* Appends the base subject (RFC 5256 section 2.1) of TEXT, N, a subject with
 * its encoded words decoded: without "Re:" and the like. Does what was left out
 * say that the message is an answer, or was forwarded? */
bool imap_base_subject(struct buf *out, const char *text, size_t n);

/* Is NAME, N a field that clients ask for in their lists of messages? The
 * mailbox keeps these with each message, so that a request for any of them
 * opens no file. */
bool imap_is_cached_field(const char *name, size_t n);

#endif
