#include "local-deliver/identity.h"

#include <unistd.h>

#include "server/board.h"
#include "server/sandbox.h"
#include "server/user.h"

bool identity_find(const char *name, struct identity *id)
{
	*id = (struct identity){ .user = name, .home = "/" };
	return user_find(name, &id->uid, &id->gid);
}

void identity_become(const struct identity *id, const int *keep, size_t n)
{
	sandbox_keep_only(keep, n);
	board_leave();
	if (geteuid() != 0)
		return;
	sandbox_become(id->uid, id->gid);
}
