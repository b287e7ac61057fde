#ifndef QUEUE_MANAGER_CIRCLE_H
#define QUEUE_MANAGER_CIRCLE_H

/* Does an expansion lead to anybody?
 *
 * An address that a message has already does not become a recipient twice. So
 * of aliases that lead to each other each can be "expanded" while nobody gets
 * the message: whoever expands asks here first. A recipient is an end if
 * something of his own becomes of him: he is still to be tried, or has the
 * message, or a copy was delivered beside the expansion. */

#include <stdbool.h>
#include <stddef.h>

struct message;

/* NULL if recipient INDEX, expanded into ADDRESS[N], leads to an end; or why
 * it does not, a text for the sender. Those who have failed are no end. */
const char *circle_found(struct message *m, unsigned index,
			 const char *const *address, size_t n);

/* Is recipient I one whose sender is to hear of it, too, when INDEX failed as
 * a circle: an address of the envelope that was expanded, leads to INDEX, and
 * to no end? */
bool circle_holds(const struct message *m, unsigned i, unsigned index);

#endif
