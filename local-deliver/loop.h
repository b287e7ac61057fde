/* Mail that comes back: Delivered-To fields in the message at hand. */
#ifndef LOCAL_DELIVER_LOOP_H
#define LOCAL_DELIVER_LOOP_H

#include "local-deliver/local.h"

/* Was the message delivered to R's address before? Reads its header at the
 * first call for a message; what cannot be read counts as no. */
bool loop_found(struct recipient *r);

#endif
