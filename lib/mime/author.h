/*
 * Whom a reader may believe to be the author of a message: the domains of a
 * From field. If the field follows the grammar these are the domains of its
 * addresses. If it does not, programs differ, so every domain counts that any
 * part of the field can be taken for.
 */
#ifndef MIME_AUTHOR_H
#define MIME_AUTHOR_H

#include <stdbool.h>
#include <stddef.h>

/* DOMAIN is as it was written, perhaps not a domain at all. SHOWN: it belongs
 * to an address that we show ourselves; otherwise another program might. */
typedef void mime_author_take(void *context, const char *domain, bool shown);

/* Gives the domains in VALUE, N to TAKE, some of them several times; a mailbox
 * without one gives "". False if there may be more: the field is entangled
 * (mime/address.h), or an encoded word cannot be decoded. Full-width and small
 * forms of "@", "<" and ">" count as these. The content of names, comments and
 * encoded words counts only if it looks like an address in < >, or if the
 * field does not follow the grammar. */
bool mime_author_domains(const char *value, size_t n, mime_author_take *take,
			 void *context);

#endif
