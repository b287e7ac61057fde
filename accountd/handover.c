#include "accountd/handover.h"

#include <event2/event_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "accountd/badge.h"
#include "accountd/ticket.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "ipc/ipc.h"

#define WAIT_S 10

struct handover {
	int sock;
	int fd;
	struct event answer;
	handover_done *done;
	void *context;
};

/* What the session shows when it asks for folders of other users. */
static void put_seal(struct ipc_out *m, const struct handover_facts *f)
{
	char seal[BADGE_SIZE];

	if (str_equal(f->session, "imap") &&
	    badge_make(f->visitor ? BADGE_VISIT : BADGE_LOGIN, f->account->user,
		       f->fd, seal))
		ipc_put(m, "seal", seal);
}

static bool send_session(int sock, const struct handover_facts *f)
{
	const struct account *a = f->account;
	struct ipc_out m = { 0 };
	bool good;

	ipc_begin(&m, "session");
	ipc_put(&m, "user", a->user);
	ipc_put_int(&m, "uid", a->uid);
	ipc_put_int(&m, "gid", a->gid);
	ipc_put(&m, "home", a->home);
	ipc_put(&m, "maildir", a->maildir);
	quota_put(&m, &a->quota);
	if (f->visitor)
		ipc_put(&m, "visitor", f->visitor);
	put_seal(&m, f);
	ipc_put(&m, "client", f->client);
	ipc_put_int(&m, "tls", f->tls);
	ipc_put(&m, "tag", f->tag);
	ipc_put(&m, "pending", f->pending);
	if (f->state)
		ipc_put_base64(&m, "state", f->state->data, f->state->len);
	/* without it the session stays in its process; a visitor's must, or it
	 * would come back as the owner's */
	if (str_equal(f->session, "imap") && !f->visitor)
		err_ignore(!ticket_put(&m, f->fd, a, f->client, f->tls));
	ipc_put_fd(&m, f->fd);
	good = ipc_send(sock, &m, 0) == ERR_OK;
	mem_wipe(m.data.data, m.data.len);
	ipc_out_free(&m);
	return good;
}

static void end(struct handover *h)
{
	event_del(&h->answer);
	close(h->sock);
	free(h);
}

/* The session may have the connection anyway. */
static void lose(const struct handover *h)
{
	shutdown(h->fd, SHUT_RDWR);
	h->done(h->context, HANDOVER_LOST, "the session ended at once");
}

static void on_answer(evutil_socket_t sock, short what, void *arg)
{
	struct handover *h = arg;
	struct ipc_in m = { 0 };
	int err = ERR_TIMEOUT;

	/* after the time is over no answer can come any more: the session would
	 * fail to confirm, and then has nothing */
	if (what & EV_READ || ipc_end_input(sock))
		err = ipc_recv(sock, &m, 0);
	if (err == ERR_OK && ipc_is(&m, "ok"))
		h->done(h->context, HANDOVER_TAKEN, "");
	else if (err == ERR_OK && ipc_is(&m, "many"))
		h->done(h->context, HANDOVER_MANY,
			"the user has too many sessions");
	else if (err == ERR_OK)
		h->done(h->context, HANDOVER_REFUSED,
			"the session side refused the connection");
	else if (err == ERR_TIMEOUT)
		h->done(h->context, HANDOVER_LATER,
			"the session did not answer in time");
	else
		lose(h);
	ipc_in_free(&m);
	end(h);
}

struct handover *handover_begin(struct event_base *base,
				const struct handover_facts *f,
				handover_done *done, void *context,
				const char **why)
{
	struct timeval t = { WAIT_S, 0 };
	struct handover *h;
	char name[64];
	int sock;

	snprintf(name, sizeof(name), "%s-session", f->session);
	sock = ipc_connect_now(name);
	if (sock < 0 || !send_session(sock, f)) {
		if (sock >= 0)
			close(sock);
		*why = "the session side cannot be reached";
		return NULL;
	}
	h = mem_alloc(sizeof(*h));
	*h = (struct handover){
		.sock = sock, .fd = f->fd, .done = done, .context = context
	};
	event_assign(&h->answer, base, sock, EV_READ, on_answer, h);
	event_add(&h->answer, &t);
	return h;
}

void handover_cancel(struct handover *h)
{
	shutdown(h->fd, SHUT_RDWR);
	end(h);
}
