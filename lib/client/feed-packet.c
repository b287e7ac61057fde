#include "client/feed-packet.h"

#include <string.h>

#include "client/account.h"

static const struct {
	const char *name;
	unsigned what;
} kinds[] = {
	{ "added", FEED_ADDED },
	{ "flags", FEED_FLAGS },
	{ "gone", FEED_GONE },
	{ "names", FEED_NAMES },
	{ "annotations", FEED_ANNOTATIONS },
};

#define KINDS (sizeof(kinds) / sizeof(*kinds))

void feed_put_change(struct ipc_out *m, const struct feed_change *c)
{
	char id[FOLDER_ID_SIZE];

	folder_id_text(c->folder, id);
	ipc_begin(m, "changed");
	ipc_put(m, "folder", id);
	for (size_t i = 0; i < KINDS; i++)
		if (c->what & kinds[i].what)
			ipc_put(m, kinds[i].name, "yes");
	if (c->uid > 0)
		ipc_put_int(m, "uid", c->uid);
	if (c->modseq > 0)
		ipc_put_int(m, "modseq", (int64_t)c->modseq);
	if (*c->user)
		ipc_put(m, "user", c->user);
}

/* A number that may be missing, which is 0. */
static bool number(const struct ipc_in *m, const char *name, int64_t max,
		   int64_t *value)
{
	*value = 0;
	return !ipc_get(m, name) || ipc_int(m, name, 1, max, value);
}

bool feed_get_change(const struct ipc_in *m, struct feed_change *c)
{
	int64_t uid, modseq;

	*c = (struct feed_change){ .user = ipc_text(m, "user") };
	if (!ipc_is(m, "changed") ||
	    !folder_id_read(ipc_get(m, "folder"), &c->folder) ||
	    !number(m, "uid", UINT32_MAX, &uid) ||
	    !number(m, "modseq", INT64_MAX, &modseq) ||
	    strlen(c->user) >= ACCOUNT_USER_SIZE)
		return false;
	c->uid = (uint32_t)uid;
	c->modseq = (uint64_t)modseq;
	for (size_t i = 0; i < KINDS; i++)
		if (ipc_get(m, kinds[i].name))
			c->what |= kinds[i].what;
	return c->what != 0;
}
