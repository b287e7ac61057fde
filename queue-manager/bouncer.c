#include "queue-manager/bouncer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "ipc/ipc.h"
#include "log/log.h"
#include "queue-manager/dsn.h"
#include "queue-manager/qmgr.h"
#include "qmgr/receive.h"

#define NOTICE_EXTRA (16 << 20) /* room for reports of many recipients */

/* How envelopes of notices are marked, so that they start no loop. */
#define PROTOCOL_NOTICE "bounce"
#define PROTOCOL_DOUBLE "2bounce"

struct bouncer {
	struct qmgr *q;
	struct queue_receiver *queue;
};

bool bouncer_concerns(const struct recipient *r, const struct told_kind *k)
{
	return !(r->told & k->bit) && recipient_is_of(r, k) &&
	       /* the next host tells of it */
	       !(k->bit == TOLD_SUCCESS && r->flags & RESULT_DSN_PASSED) &&
	       recipient_wants(r, k->notify);
}

/* Whom to tell; NULL if nobody may be told. */
static const char *address_of_notice(const struct bouncer *b,
				     const struct dsn *d)
{
	const char *postmaster = b->q->settings.notice_recipient;

	if (*d->sender)
		return d->sender;
	if (d->kind->bit != TOLD_FAILURE)
		return NULL;
	if (*postmaster &&
	    strcmp(d->m->envelope.protocol, PROTOCOL_DOUBLE) != 0)
		return postmaster;
	log_info("%s: undeliverable and without a sender: dropped",
		 d->m->super.id);
	return NULL;
}

static int commit(struct bouncer *b, const struct dsn *d)
{
	struct envelope_recipient to = { .address = d->to, .orcpt = "" };
	struct envelope e = { .sender = "",
			      .recipient = &to,
			      .nrecipients = 1,
			      .body = d->eight_bit ? "8BITMIME" : "",
			      .smtputf8 = d->utf8,
			      .arrival_us = clock_wall_us() };

	e.protocol = *d->sender ? PROTOCOL_NOTICE : PROTOCOL_DOUBLE;
	return queue_commit(b->queue, &e);
}

/* Writes one notice and has it queued. */
static int write_notice(struct bouncer *b, struct dsn *d)
{
	struct buf text;
	int err = queue_begin(b->queue);

	if (err)
		return err;
	d->id = queue_id(b->queue);
	buf_init(&text, (size_t)d->size_limit + NOTICE_EXTRA);
	err = dsn_write(d, &text);
	if (!err)
		err = queue_write(b->queue, text.data, text.len);
	buf_free(&text);
	if (!err)
		err = commit(b, d);
	if (err)
		queue_abandon(b->queue);
	else
		log_info("%s: sender %s notification: %s", d->m->super.id,
			 d->kind->logged, d->id);
	return err;
}

/* One notice for each of the senders that the recipients have. */
static int write_kind(struct bouncer *b, struct dsn *d)
{
	for (size_t i = 0; i < d->m->nrcpts; i++) {
		size_t first = 0;
		int err;

		if (!bouncer_concerns(&d->m->rcpt[i], d->kind))
			continue;
		d->sender = recipient_sender(d->m, &d->m->rcpt[i]);
		while (!dsn_concerns(d, &d->m->rcpt[first]))
			first++;
		if (first < i)
			continue; /* was told with an earlier one */
		d->to = address_of_notice(b, d);
		if (!d->to)
			continue;
		err = write_notice(b, d);
		if (err)
			return err;
	}
	return ERR_OK;
}

static int write_all(struct bouncer *b, const struct message *m, int fd,
		     unsigned wanted)
{
	for (size_t k = 0; k < TOLD_KINDS; k++) {
		struct dsn d = { .m = m, .fd = fd, .kind = &told_kinds[k] };
		int err;

		if (!(wanted & told_kinds[k].bit))
			continue;
		d.host = b->q->settings.myhostname;
		d.size_limit = b->q->settings.bounce_size;
		d.give_up =
			message_born(m) + (time_t)b->q->settings.lifetime;
		err = write_kind(b, &d);
		if (err)
			return err;
	}
	return ERR_OK;
}

static bool serve(struct bouncer *b, struct ipc_in *in)
{
	struct message m = { .arena = NULL };
	int64_t generation, wanted;
	int fd = ipc_take_fd(in), err = ERR_SYNTAX;

	if (fd >= 0 && ipc_is(in, "notice") &&
	    ipc_int(in, "generation", 1, UINT32_MAX, &generation) &&
	    ipc_int(in, "kinds", 1, 7, &wanted)) {
		err = message_load(&m, fd, (uint32_t)generation, false);
		if (!err)
			err = write_all(b, &m, fd, (unsigned)wanted);
	}
	if (err)
		log_warn("%s: its sender cannot be told now: %s",
			 m.arena ? m.super.id : "?", err_why(err));
	message_free(&m);
	if (fd >= 0)
		close(fd);
	return err == ERR_OK;
}

int bouncer_run(struct qmgr *q, int sock)
{
	struct bouncer b = { q, queue_receiver_new() };
	struct ipc_in in = { .verb = "" };
	struct ipc_out out = { .ready = false };

	while (ipc_recv(sock, &in, INT32_MAX) == ERR_OK) {
		bool good = serve(&b, &in);

		ipc_begin(&out, "told");
		ipc_put_int(&out, "good", good);
		if (ipc_send(sock, &out, INT32_MAX) != ERR_OK)
			break;
	}
	return 0;
}
