#include "local-deliver/identity.h"

#include <sysexits.h>
#include <unistd.h>

#include "log/log.h"
#include "server/sandbox.h"
#include "server/user.h"

bool identity_find(const char *name, struct identity *id)
{
	*id = (struct identity){ .user = name, .home = "/" };
	return user_find(name, &id->uid, &id->gid);
}

/* Closes all above FIRST that are not among KEEP[N]. */
static void close_others(const int *keep, size_t n)
{
	int from = STDERR_FILENO + 1;

	for (;;) {
		int next = -1;

		for (size_t i = 0; i < n; i++)
			if (keep[i] >= from && (next < 0 || keep[i] < next))
				next = keep[i];
		if (next < 0)
			break;
		if (next > from)
			close_range((unsigned)from, (unsigned)next - 1, 0);
		from = next + 1;
	}
	close_range((unsigned)from, ~0U, 0);
}

void identity_become(const struct identity *id, const int *keep, size_t n)
{
	int spared[8] = { log_keep_fd() };
	size_t count = 1;

	for (size_t i = 0; i < n && count < 8; i++)
		spared[count++] = keep[i];
	close_others(spared, count);
	if (geteuid() != 0)
		return;
	sandbox_become(id->uid, id->gid);
}
