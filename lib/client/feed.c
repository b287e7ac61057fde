#include "client/feed.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

#define CONNECT_MS 200 /* a feed that hangs must not delay a login */
#define WATCH_MS 1000 /* many watches may fill the socket */

struct feed {
	const char *name; /* of the socket */
	uid_t uid;	  /* the user who opened it */
	int sock;	  /* -1 when not connected */
	struct ipc_out out;
	struct ipc_in in;
};

static void hang_up(struct feed *f)
{
	if (f->sock >= 0)
		close(f->sock);
	f->sock = -1;
}

/* Sends what is in f->out. A dead connection is replaced once. */
static bool say(struct feed *f, int64_t ms)
{
	int tries, code;

	for (tries = 0; tries < 2; tries++) {
		if (!feed_connected(f))
			return false;
		code = ipc_send(f->sock, &f->out, ms);
		if (code == ERR_OK)
			return true;
		if (code == ERR_BUSY || code == ERR_TIMEOUT)
			return false;
		hang_up(f);
	}
	return false;
}

static struct feed *open_at(const char *name)
{
	struct feed *f = mem_alloc(sizeof(*f));

	f->name = name;
	f->uid = geteuid();
	f->sock = ipc_connect_within(name, CONNECT_MS);
	return f;
}

struct feed *feed_open(void)
{
	return open_at("feed");
}

struct feed *feed_open_all(void)
{
	return open_at("feed-all");
}

void feed_close(struct feed **f)
{
	if (!*f)
		return;
	hang_up(*f);
	ipc_out_free(&(*f)->out);
	ipc_in_free(&(*f)->in);
	free(*f);
	*f = NULL;
}

void feed_tell(struct feed *f, const struct feed_change *c)
{
	feed_put_change(&f->out, c);
	say(f, 0);
}

bool feed_watch(struct feed *f, int handle)
{
	if (handle < 0 && f->sock < 0)
		return true;
	ipc_begin(&f->out, "watch");
	if (handle >= 0)
		ipc_put_fd(&f->out, handle);
	return say(f, 0);
}

bool feed_watch_also(struct feed *f, int handle, bool names)
{
	ipc_begin(&f->out, "watch");
	ipc_put(&f->out, "also", "yes");
	if (names)
		ipc_put(&f->out, "names", "yes");
	ipc_put_fd(&f->out, handle);
	return say(f, WATCH_MS);
}

void feed_unwatch(struct feed *f, struct folder_id id)
{
	char text[FOLDER_ID_SIZE];

	folder_id_text(id, text);
	ipc_begin(&f->out, "unwatch");
	ipc_put(&f->out, "folder", text);
	say(f, WATCH_MS);
}

bool feed_connected(struct feed *f)
{
	/* a process that has become a user since would be refused */
	if (f->sock < 0 && geteuid() == f->uid)
		f->sock = ipc_connect_now(f->name);
	return f->sock >= 0;
}

int feed_fd(const struct feed *f)
{
	return f->sock;
}

int feed_next(struct feed *f, struct feed_change *c)
{
	int code = f->sock < 0 ? ERR_EOF : ipc_recv(f->sock, &f->in, 0);

	if (code == ERR_BUSY)
		return code;
	if (code == ERR_OK && ipc_is(&f->in, "missed"))
		return ERR_LIMIT;
	if (code == ERR_OK && feed_get_change(&f->in, c))
		return ERR_OK;
	hang_up(f);
	return ERR_EOF;
}

bool feed_drain(struct feed *f)
{
	struct feed_change ignored;
	int code;

	do
		code = feed_next(f, &ignored);
	while (code == ERR_OK || code == ERR_LIMIT);
	return code == ERR_BUSY;
}
