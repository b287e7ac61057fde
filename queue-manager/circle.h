#ifndef QUEUE_MANAGER_CIRCLE_H
#define QUEUE_MANAGER_CIRCLE_H

/* Does an expansion lead to anybody?
 *
 * An address that a message already has does not become a recipient twice. So
 * aliases that lead to each other could all be "expanded" while nobody gets
 * the message: an expansion is checked here first. A recipient is an end if it
 * has an outcome itself: it is still to be tried, or has the message, or a
 * copy was delivered beside the expansion. */

#include <stdbool.h>
#include <stddef.h>

struct message;

/* NULL if recipient INDEX, expanded into ADDRESS[N], leads to an end; or why
 * it does not, as a text for the sender. Failed recipients are not ends. */
const char *circle_found(struct message *m, unsigned index,
			 const char *const *address, size_t n);

/* Must the sender of recipient I also be told when INDEX failed as a circle?
 * That is so if I is an address of the envelope that was expanded and leads to
 * INDEX and to no end. */
bool circle_holds(const struct message *m, unsigned i, unsigned index);

#endif
