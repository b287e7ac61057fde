/* Mail that comes back: Delivered-To fields in the current message. */
#ifndef LOCAL_DELIVER_LOOP_H
#define LOCAL_DELIVER_LOOP_H

#include "local-deliver/local.h"

/* Was the message delivered to R's address before? Reads its header at the
 * first call for a message; if it cannot be read, the answer is no. */
bool loop_found(struct recipient *r);

#endif
