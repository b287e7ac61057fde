#include "messages/messages.h"

#include <stdio.h>

#include "base/clock.h"

void message_base(char out[MESSAGE_BASE_MAX + 1], uint32_t validity,
		  uint32_t uid, uint32_t size, uint32_t wire)
{
	int64_t now = clock_wall_us();

	snprintf(out, MESSAGE_BASE_MAX + 1,
		 "%lld.M%06lldV%u.posthorn,S=%u,W=%u,U=%u",
		 (long long)(now / 1000000), (long long)(now % 1000000),
		 validity, size, wire, uid);
}

struct folder_id messages_id(struct messages *ms)
{
	return ms->ops->id(ms);
}

struct folder_token messages_token(struct messages *ms)
{
	return ms->ops->token(ms);
}

int messages_stamps(struct messages *ms, unsigned dirs, int64_t when[DIRS])
{
	return ms->ops->stamps(ms, dirs, when);
}

bool messages_exact(struct messages *ms)
{
	return ms->ops->exact(ms);
}

int messages_list(struct messages *ms, unsigned dirs, struct listing *l)
{
	int code;

	listing_init(l, dirs);
	code = ms->ops->stamps(ms, BOTH_DIRS, l->before);
	return code ? code : ms->ops->list(ms, dirs, l);
}

int messages_state(struct messages *ms, const struct message_ref *r,
		   struct message_state *st)
{
	return ms->ops->state(ms, r, st);
}

int messages_open(struct messages *ms, const struct message_ref *r, int *fd)
{
	*fd = -1;
	return ms->ops->open(ms, r, fd);
}

int messages_create(struct messages *ms, unsigned dir, struct message_new *n)
{
	*n = (struct message_new){ .fd = -1, .dir = dir };
	return ms->ops->create(ms, dir, n);
}

int messages_name(struct messages *ms, struct message_new *n,
		  const struct message_ref *r)
{
	return ms->ops->name(ms, n, r);
}

void messages_discard(struct messages *ms, struct message_new *n)
{
	if (n->fd >= 0)
		ms->ops->discard(ms, n);
	n->fd = -1;
}

int messages_link(struct messages *ms, const struct message_ref *to,
		  struct messages *other, const struct message_ref *from)
{
	return ms->ops->link(ms, to, other, from);
}

int messages_rename(struct messages *ms, const struct message_ref *from,
		    const struct message_ref *to)
{
	return ms->ops->rename(ms, from, to);
}

int messages_remove(struct messages *ms, const struct message_ref *r)
{
	return ms->ops->remove(ms, r);
}

int messages_put_aside(struct messages *ms, const struct message_ref *r)
{
	return ms->ops->put_aside(ms, r);
}

int messages_sync(struct messages *ms, unsigned dirs)
{
	return ms->ops->sync(ms, dirs);
}

void messages_close(struct messages **ms)
{
	if (*ms)
		(*ms)->ops->close(*ms);
	*ms = NULL;
}
