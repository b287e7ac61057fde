#include "accountd/handover.h"

#include <event2/event_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "accountd/badge.h"
#include "accountd/lingering.h"
#include "accountd/ticket.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "ipc/ipc.h"

#define WAIT_S 10

struct handover {
	char service[64]; /* the socket where new processes wait */
	int sock;	  /* -1: that of PROCESS */
	struct lingering *process; /* which it is, or will be; or NULL */
	bool lingered;		   /* it has served before */
	struct ipc_out packet;
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

static void put_session(struct ipc_out *m, const struct handover_facts *f)
{
	ipc_begin(m, "session");
	account_put(m, f->account);
	if (f->visitor)
		ipc_put(m, "visitor", f->visitor);
	put_seal(m, f);
	ipc_put(m, "client", f->client);
	ipc_put_int(m, "tls", f->tls);
	ipc_put(m, "tag", f->tag);
	ipc_put(m, "pending", f->pending);
	if (f->state)
		ipc_put_base64(m, "state", f->state->data, f->state->len);
	/* without it the session stays in its process; a visitor's must, or it
	 * would come back as the owner's */
	if (str_equal(f->session, "imap") && !f->visitor)
		err_ignore(!ticket_put(m, f->fd, f->account, f->client, f->tls));
	ipc_put_fd(m, f->fd);
}

static int socket_of(const struct handover *h)
{
	return h->sock >= 0 ? h->sock : lingering_socket(h->process);
}

/* Offers the connection to a process that waits for its user. */
static bool offer_again(struct handover *h, const struct handover_facts *f)
{
	h->process = lingering_take(f);
	if (!h->process)
		return false;
	put_session(&h->packet, f);
	h->lingered = true;
	if (ipc_send(socket_of(h), &h->packet, 0) == ERR_OK)
		return true;
	h->lingered = false;
	lingering_free(h->process);
	h->process = NULL;
	return false;
}

/* To one that has served nobody. */
static bool offer(struct handover *h)
{
	h->sock = ipc_connect_now(h->service);
	return h->sock >= 0 && ipc_send(h->sock, &h->packet, 0) == ERR_OK;
}

static void end(struct handover *h)
{
	if (event_initialized(&h->answer))
		event_del(&h->answer);
	if (h->process)
		lingering_free(h->process);
	if (h->sock >= 0)
		close(h->sock);
	mem_wipe(h->packet.data.data, h->packet.data.len);
	ipc_out_free(&h->packet);
	free(h);
}

/* The session may have the connection anyway. */
static void lose(const struct handover *h)
{
	shutdown(h->fd, SHUT_RDWR);
	h->done(h->context, HANDOVER_LOST, "the session ended at once");
}

static void keep_process(struct handover *h)
{
	if (!h->process)
		return;
	lingering_keep(h->process, socket_of(h));
	h->process = NULL;
	h->sock = -1;
}

static void on_answer(evutil_socket_t sock, short what, void *arg);

static void await_answer(struct event_base *base, struct handover *h)
{
	const struct timeval t = { WAIT_S, 0 };

	event_assign(&h->answer, base, socket_of(h), EV_READ, on_answer, h);
	event_add(&h->answer, &t);
}

/* A process that lingered may be no good any more, as after its Maildir was
 * replaced. False: there is no other. */
static bool try_another(struct handover *h)
{
	struct event_base *base = event_get_base(&h->answer);

	if (!h->lingered)
		return false;
	h->lingered = false;
	event_del(&h->answer);
	lingering_free(h->process);
	h->process = NULL;
	if (!offer(h))
		return false;
	await_answer(base, h);
	return true;
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
	if (err == ERR_OK && ipc_is(&m, "failed") && try_another(h)) {
		ipc_in_free(&m);
		return;
	}
	if (err == ERR_OK && ipc_is(&m, "ok")) {
		keep_process(h);
		h->done(h->context, HANDOVER_TAKEN, "");
	} else if (err == ERR_OK && ipc_is(&m, "many")) {
		h->done(h->context, HANDOVER_MANY,
			"the user has too many sessions");
	} else if (err == ERR_OK) {
		h->done(h->context, HANDOVER_REFUSED,
			"the session side refused the connection");
	} else if (err == ERR_TIMEOUT) {
		h->done(h->context, HANDOVER_LATER,
			"the session did not answer in time");
	} else {
		lose(h);
	}
	ipc_in_free(&m);
	end(h);
}

struct handover *handover_begin(struct event_base *base,
				const struct handover_facts *f,
				handover_done *done, void *context,
				const char **why)
{
	struct handover *h = mem_alloc(sizeof(*h));

	*h = (struct handover){
		.sock = -1, .fd = f->fd, .done = done, .context = context
	};
	snprintf(h->service, sizeof(h->service), "%s-session", f->session);
	if (!offer_again(h, f)) {
		put_session(&h->packet, f);
		h->process = lingering_new(f);
		if (!offer(h)) {
			end(h);
			*why = "the session side cannot be reached";
			return NULL;
		}
	}
	await_answer(base, h);
	return h;
}

void handover_cancel(struct handover *h)
{
	shutdown(h->fd, SHUT_RDWR);
	end(h);
}
