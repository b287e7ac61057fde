/*
 * Of whom a reader may believe that a message is: the domains of a From
 * field. Where the field keeps to the grammar these are the domains of its
 * addresses. Where it does not, programs differ, so that each domain counts
 * which anything in the field can be taken for.
 */
#ifndef MIME_AUTHOR_H
#define MIME_AUTHOR_H

#include <stdbool.h>
#include <stddef.h>

/* DOMAIN is as it was written, maybe no domain at all. SHOWN: it belongs to
 * an address that we show ourselves; else somebody might. */
typedef void mime_author_take(void *context, const char *domain, bool shown);

/* Gives the domains in VALUE, N to TAKE, some of them several times; a mailbox
 * without any gives "". False if there may be more: the field is entangled
 * (mime/address.h), or an encoded word is not to be decoded. Full-width and
 * small forms of "@", "<" and ">" count as these. What names, comments and encoded words hold counts
 * only if it looks like an address in < >, or if the field is not by the
 * grammar. */
bool mime_author_domains(const char *value, size_t n, mime_author_take *take,
			 void *context);

#endif
