#include "mailbox/lookout.h"

#include "maildir/lookout.h"

struct lookout *lookout_begin(lookout_seen *seen, void *context)
{
	return maildir_lookout(seen, context);
}

int lookout_fd(const struct lookout *l)
{
	return l->ops->fd(l);
}

void lookout_look(struct lookout *l)
{
	l->ops->look(l);
}

bool lookout_identify(struct lookout *l, int fd, struct folder_token *t)
{
	return l->ops->identify(l, fd, t);
}

bool lookout_add(struct lookout *l, const struct folder_token *t, bool names)
{
	return l->ops->add(l, t, names);
}

void lookout_remove(struct lookout *l, struct folder_id id)
{
	l->ops->remove(l, id);
}
