#include "client/notify.h"

#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/err.h"
#include "ipc/ipc.h"

struct notify {
	int sock; /* -1 when not connected */
	struct ipc_out out;
	struct ipc_in in;
};

static void hang_up(struct notify *n)
{
	if (n->sock >= 0)
		close(n->sock);
	n->sock = -1;
}

/* Sends what is in n->out. A dead connection is replaced once. */
static bool say(struct notify *n)
{
	int tries;

	for (tries = 0; tries < 2; tries++) {
		int code;

		if (n->sock < 0)
			n->sock = ipc_connect("notify");
		if (n->sock < 0)
			return false;
		code = ipc_send(n->sock, &n->out, 0);
		if (code == ERR_OK)
			return true;
		if (code == ERR_BUSY)
			return false;
		hang_up(n);
	}
	return false;
}

struct notify *notify_open(void)
{
	struct notify *n = mem_alloc(sizeof(*n));

	n->sock = ipc_connect("notify");
	return n;
}

void notify_close(struct notify **n)
{
	if (!*n)
		return;
	hang_up(*n);
	ipc_out_free(&(*n)->out);
	ipc_in_free(&(*n)->in);
	free(*n);
	*n = NULL;
}

void notify_changed(struct notify *n, dev_t dev, ino_t ino)
{
	ipc_begin(&n->out, "changed");
	ipc_put_int(&n->out, "dev", (int64_t)dev);
	ipc_put_int(&n->out, "ino", (int64_t)ino);
	say(n);
}

bool notify_watch(struct notify *n, int dirfd)
{
	if (dirfd < 0 && n->sock < 0)
		return true;
	ipc_begin(&n->out, "watch");
	if (dirfd >= 0)
		ipc_put_fd(&n->out, dirfd);
	return say(n);
}

int notify_fd(const struct notify *n)
{
	return n->sock;
}

bool notify_drain(struct notify *n)
{
	int code;

	if (n->sock < 0)
		return false;
	do
		code = ipc_recv(n->sock, &n->in, 0);
	while (code == ERR_OK);
	if (code == ERR_BUSY)
		return true;
	hang_up(n);
	return false;
}
