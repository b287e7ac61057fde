#include "imapd/capability.h"

#include <inttypes.h>

#include "imapd/session.h"

void capability_put(const struct session *s, struct buf *out)
{
	buf_puts(out, CAPABILITY_AFTER_LOGIN);
	if (s->uidonly)
		buf_puts(out, " UIDONLY");
	buf_printf(out, " APPENDLIMIT=%" PRId64, s->message_max);
}
