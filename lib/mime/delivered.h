/*
 * Mail that comes back: a mailbox that has got a message puts its address in a
 * Delivered-To field, so a message with that field for a recipient comes from
 * a loop. This is the one owner of that rule: local-deliver fails such
 * recipients, and the intake refuses mail from outside that has no other.
 */
#ifndef MIME_DELIVERED_H
#define MIME_DELIVERED_H

#include <stdbool.h>

#include "base/str.h"
#include "mime/field.h"

/* Appends the address of F to FOUND if it is a Delivered-To field. Not more
 * than the first 100 of a message count. */
void mime_delivered_note(const struct mime_field *f, struct strlist *found);

/* Is ADDRESS, in canonical form (address/address.h), among FOUND? */
bool mime_delivered_has(const struct strlist *found, const char *address);

#endif
