#include "client/feed.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

#define CONNECT_MS 200 /* a feed that hangs must not delay a login */
#define WATCH_MS 1000 /* many watches may fill the socket */
#define PARK_MS (INT64_MAX / 4) /* what hangs is ended by master */

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

bool feed_watch(struct feed *f, const struct folder_token *t)
{
	if (!t && f->sock < 0)
		return true;
	ipc_begin(&f->out, "watch");
	if (t && t->fd >= 0)
		ipc_put_fd(&f->out, t->fd);
	return say(f, 0) && (!t || t->fd >= 0);
}

bool feed_watch_also(struct feed *f, const struct folder_token *t, bool names)
{
	if (t->fd < 0)
		return false;
	ipc_begin(&f->out, "watch");
	ipc_put(&f->out, "also", "yes");
	if (names)
		ipc_put(&f->out, "names", "yes");
	ipc_put_fd(&f->out, t->fd);
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

/* The answer WANTED, into F->in. *CHANGED: changes came before it. */
static int await(struct feed *f, const char *wanted, int64_t ms, bool *changed)
{
	int code;

	*changed = false;
	while ((code = ipc_recv(f->sock, &f->in, ms)) == ERR_OK &&
	       (ipc_is(&f->in, "changed") || ipc_is(&f->in, "missed")))
		*changed = true;
	if (code == ERR_OK && !ipc_is(&f->in, wanted))
		code = ERR_LIMIT;
	return code;
}

void feed_session(struct feed *f, const char *user, const char *client,
		  struct feed_count *parked)
{
	int64_t n = 0, pair = 0;
	bool changed;

	ipc_begin(&f->out, "session");
	ipc_put(&f->out, "user", user);
	ipc_put(&f->out, "client", client);
	if (!say(f, 0) || await(f, "session", CONNECT_MS, &changed) != ERR_OK ||
	    !ipc_int(&f->in, "parked", 0, INT32_MAX, &n) ||
	    !ipc_int(&f->in, "here", 0, INT32_MAX, &pair))
		hang_up(f); /* it can do nothing for this session */
	*parked = (struct feed_count){ (unsigned)n, (unsigned)pair };
}

static bool put_parked(struct ipc_out *m, const struct feed_park *p)
{
	struct seal seal;

	ipc_begin(m, "park");
	ipc_put(m, "facts", p->facts);
	ipc_put_base64(m, "state", p->state, p->nstate);
	if (!seal_make(p->key, SEAL_STATE, p->state, p->nstate, &seal))
		return false;
	seal_put(m, "seal", &seal);
	ipc_put_int(m, "wait", p->wait_ms);
	ipc_put_base64(m, "say", p->say, p->nsay);
	if (p->last)
		ipc_put(m, "last", "yes");
	ipc_put_base64(m, "stop", p->stop, p->nstop);
	ipc_put_base64(m, "refused", p->refused, p->nrefused);
	ipc_put_fd(m, p->fd);
	return !m->data.over;
}

/* The feed has it only once our connection to the feed has ended. If that
 * hangs, master ends it, and we go on. */
int feed_park(struct feed *f, const struct feed_park *p)
{
	bool changed;
	int code;

	if (f->sock < 0 || !put_parked(&f->out, p))
		return ERR_LIMIT;
	code = ipc_send(f->sock, &f->out, WATCH_MS);
	if (!code)
		code = await(f, "parked", PARK_MS, &changed);
	if (code && code != ERR_LIMIT)
		hang_up(f);
	if (code || !changed)
		return code;
	ipc_begin(&f->out, "back");
	code = ipc_send(f->sock, &f->out, PARK_MS);
	return code ? code : ERR_BUSY;
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
