#include "imapd/progress.h"

#include "base/err.h"

void progress_begin(struct progress *p, struct conn *c, int64_t now)
{
	*p = (struct progress){ .c = c, .next_ms = now + PROGRESS_MS };
}

void progress_tell(struct progress *p, uint32_t done, uint32_t goal,
		   int64_t now)
{
	if (now < p->next_ms || goal == 0 || done > goal)
		return;
	conn_put(p->c, "* OK [INPROGRESS (\"%s\" %u %u)] Still at it.",
		 p->c->tag, done, goal);
	/* a client that is gone is noticed at the command's end */
	err_ignore(stream_flush(p->c->io));
	p->next_ms = now + PROGRESS_MS;
}
