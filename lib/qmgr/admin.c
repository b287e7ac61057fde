/*
 * The administrator's side of the public socket of qmgr: one question per
 * connection, and answers in many packets. A list of a million messages is
 * never held here: each message is handed on when its last packet has come.
 * Packets are checked like those of any peer.
 */
#include "qmgr/admin.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/encode.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "ipc/ipc.h"

#define ANSWER_MS 60000
#define STATS_MS 5000 /* they are always ready: no answer is a fault */

static const char *const action_verb[] = { "hold",    "release", "flush",
					   "requeue", "bounce",	 "delete" };

static const char *const state_name[] = { "active", "waiting", "held" };

struct question {
	int sock;
	int64_t ms; /* for the answer */
	struct ipc_out out;
	struct ipc_in in;
};

static int give_up(int err, struct buf *why, const char *text)
{
	buf_puts(why, text);
	return err;
}

/* Connects and begins a request VERB. */
static int begin(struct question *q, const char *path, const char *verb,
		 struct buf *why)
{
	*q = (struct question){ .sock = -1, .ms = ANSWER_MS };
	q->sock = ipc_connect(path ? path : RUN_DIR "/public/qmgr");
	if (q->sock < 0) {
		buf_printf(why, "cannot reach the queue manager at %s: %s",
			   path ? path : RUN_DIR "/public/qmgr",
			   strerror(errno));
		return ERR_TEMP;
	}
	ipc_begin(&q->out, verb);
	return ERR_OK;
}

static void end(struct question *q)
{
	if (q->sock >= 0)
		close(q->sock);
	ipc_out_free(&q->out);
	ipc_in_free(&q->in);
}

static int refused(struct question *q, struct buf *why)
{
	static const struct {
		const char *code;
		int err;
	} codes[] = {
		{ "denied", ERR_DENIED },
		{ "disk", ERR_IO },
		{ "not-found", ERR_NOT_FOUND },
		{ "busy", ERR_TEMP },
	};
	const char *code = ipc_text(&q->in, "code");

	buf_puts(why, ipc_text(&q->in, "why"));
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (strcmp(code, codes[i].code) == 0)
			return codes[i].err;
	return ERR_SYNTAX;
}

/* The next packet of the answer. */
static int next(struct question *q, struct buf *why)
{
	int err = ipc_recv(q->sock, &q->in, q->ms);

	if (err == ERR_EOF)
		return give_up(ERR_TEMP, why, "the queue manager ended");
	if (err)
		return give_up(err, why, err_why(err));
	return ipc_is(&q->in, "failed") ? refused(q, why) : ERR_OK;
}

static int ask(struct question *q, struct buf *why)
{
	int err = ipc_send(q->sock, &q->out, q->ms);

	return err ? give_up(err, why, err_why(err)) : next(q, why);
}

/* A message of the list, while its packets come. */
struct item {
	struct arena *arena;
	struct queue_item m;
	struct queue_item_recipient *rcpt;
	size_t cap;
	bool begun;
};

static void add_recipient(struct item *i, const char *address,
			  const char *reason)
{
	if (i->m.nrecipients == i->cap) {
		i->cap = i->cap ? 2 * i->cap : 16;
		i->rcpt = mem_resize(i->rcpt, i->cap, sizeof(*i->rcpt));
	}
	i->rcpt[i->m.nrecipients++] =
		(struct queue_item_recipient){ arena_strdup(i->arena, address),
					       arena_strdup(i->arena, reason) };
	i->m.recipient = i->rcpt;
}

/* "ADDRESS REASON", both in percent encoding. */
static bool take_recipient(struct item *i, const char *text)
{
	size_t n = strcspn(text, " ");
	struct buf address, reason;
	bool good;

	buf_init(&address, IPC_PACKET_MAX);
	buf_init(&reason, IPC_PACKET_MAX);
	good = text[n] == ' ' && decode_percent(&address, text, n) &&
	       decode_percent(&reason, text + n + 1, strlen(text + n + 1));
	if (good)
		add_recipient(i, address.data, reason.data);
	buf_free(&address);
	buf_free(&reason);
	return good;
}

static bool take_recipients(struct item *i, const struct ipc_in *in)
{
	for (size_t k = 0; k < in->nattrs; k++)
		if (strcmp(in->attr[k].name, "rcpt") == 0 &&
		    !take_recipient(i, in->attr[k].value))
			return false;
	return true;
}

static bool take_message(struct item *i, const struct ipc_in *in)
{
	const char *state = ipc_text(in, "state");
	int64_t attempts;
	int s = 0;

	arena_reset(i->arena);
	i->m = (struct queue_item){ .id = NULL };
	while (s < 3 && strcmp(state, state_name[s]) != 0)
		s++;
	if (s == 3 || !ipc_int(in, "size", 0, INT64_MAX, &i->m.size) ||
	    !ipc_int(in, "arrival", 0, INT64_MAX, &i->m.arrival) ||
	    !ipc_int(in, "next", 0, INT64_MAX, &i->m.next) ||
	    !ipc_int(in, "attempts", 0, UINT32_MAX, &attempts))
		return false;
	i->m.state = (enum queue_state)s;
	i->m.attempts = (unsigned)attempts;
	i->m.id = arena_strdup(i->arena, ipc_text(in, "id"));
	i->m.sender = arena_strdup(i->arena, ipc_text(in, "sender"));
	i->begun = true;
	return take_recipients(i, in);
}

/* Reads the list to its end. */
static int read_list(struct question *q, struct item *i,
		     bool (*each)(void *, const struct queue_item *),
		     void *context, struct buf *why)
{
	for (;;) {
		bool good = true, last = ipc_is(&q->in, "end");
		int err;

		if (ipc_is(&q->in, "recipients")) {
			good = i->begun && take_recipients(i, &q->in);
		} else {
			if (i->begun && !each(context, &i->m))
				return ERR_OK;
			i->begun = false;
			if (last)
				return ERR_OK;
			good = ipc_is(&q->in, "message") &&
			       take_message(i, &q->in);
		}
		if (!good)
			return give_up(ERR_SYNTAX, why,
				       "the answer is malformed");
		err = next(q, why);
		if (err)
			return err;
	}
}

/* The last packet of a list. */
static void read_summary(const struct ipc_in *in, struct queue_summary *sum)
{
	int64_t scanning = 0;

	*sum = (struct queue_summary){ .scanning = false };
	ipc_int(in, "strange", 0, INT64_MAX, &sum->strange);
	ipc_int(in, "corrupt", 0, INT64_MAX, &sum->corrupt);
	ipc_int(in, "aside", 0, INT64_MAX, &sum->aside);
	ipc_int(in, "scanning", 0, 1, &scanning);
	sum->scanning = scanning != 0;
}

int queue_admin_list(const char *path, const char *id,
		     bool (*each)(void *context, const struct queue_item *m),
		     void *context, struct queue_summary *sum, struct buf *why)
{
	struct question q;
	struct item i = { .arena = arena_new() };
	int err = begin(&q, path, "list", why);

	if (!err && id)
		ipc_put(&q.out, "id", id);
	if (!err)
		err = ask(&q, why);
	if (!err)
		err = read_list(&q, &i, each, context, why);
	if (!err && ipc_is(&q.in, "end"))
		read_summary(&q.in, sum);
	end(&q);
	arena_free(&i.arena);
	free(i.rcpt);
	return err;
}

bool queue_admin_remarks(int64_t strange, int64_t corrupt, int64_t aside,
			 const char *before, struct buf *text)
{
	if (strange)
		buf_printf(text,
			   "%s%" PRId64 " file%s in the queue %s left alone, "
			   "and mail may be in %s: the log names each.\n",
			   before, strange, strange == 1 ? "" : "s",
			   strange == 1 ? "was" : "were",
			   strange == 1 ? "it" : "them");
	if (corrupt)
		buf_printf(text,
			   "%s%" PRId64 " damaged file%s in corrupt/ wait%s "
			   "for you: posthorn-queue(5) says what to do.\n",
			   before, corrupt, corrupt == 1 ? "" : "s",
			   corrupt == 1 ? "s" : "");
	if (aside)
		buf_printf(text,
			   "%s%" PRId64 " file%s of local programs in drop/ "
			   "could not be taken, and mail may be in %s: "
			   "posthorn-queue(5) says what to do.\n",
			   before, aside, aside == 1 ? "" : "s",
			   aside == 1 ? "it" : "them");
	return strange || corrupt || aside;
}

static void take_content(struct question *q, int *content, off_t *offset,
			 off_t *length)
{
	int64_t at, n;

	if (!ipc_int(&q->in, "offset", 0, INT64_MAX / 2, &at) ||
	    !ipc_int(&q->in, "length", 0, INT64_MAX / 2, &n))
		return;
	*offset = (off_t)at;
	*length = (off_t)n;
	*content = ipc_take_fd(&q->in);
}

int queue_admin_show(const char *path, const char *id, struct buf *text,
		     int *content, off_t *offset, off_t *length,
		     struct buf *why)
{
	struct question q;
	int err = begin(&q, path, "show", why);

	*content = -1;
	*offset = *length = 0;
	if (!err) {
		ipc_put(&q.out, "id", id);
		err = ask(&q, why);
	}
	while (!err && ipc_is(&q.in, "text")) {
		if (!ipc_base64(&q.in, "data", text))
			err = give_up(ERR_SYNTAX, why,
				      "the answer is malformed");
		else
			err = next(&q, why);
	}
	if (!err)
		take_content(&q, content, offset, length);
	end(&q);
	return err;
}

int queue_admin_act(const char *path, enum queue_action action, const char *id,
		    int64_t *count, struct buf *why)
{
	struct question q;
	int err = begin(&q, path, action_verb[action], why);

	*count = 0;
	if (!err) {
		ipc_put(&q.out, "id", id);
		err = ask(&q, why);
	}
	if (!err && !ipc_int(&q.in, "count", 0, INT64_MAX, count))
		err = give_up(ERR_SYNTAX, why, "the answer is malformed");
	end(&q);
	return err;
}

static int read_stats(const struct ipc_in *in, struct queue_stats *s)
{
	const struct {
		const char *name;
		int64_t *value;
	} number[] = {
		{ "active", &s->active },
		{ "waiting", &s->waiting },
		{ "held", &s->held },
		{ "received", &s->received },
		{ "delivered", &s->delivered },
		{ "deferred", &s->deferred },
		{ "bounced", &s->bounced },
		{ "destinations", &s->destinations },
		{ "dead", &s->dead },
		{ "slots", &s->slots },
		{ "strange", &s->strange },
	};
	int64_t scanning, stopped;

	for (size_t i = 0; i < sizeof(number) / sizeof(number[0]); i++)
		if (!ipc_int(in, number[i].name, 0, INT64_MAX, number[i].value))
			return ERR_SYNTAX;
	if (!ipc_int(in, "scanning", 0, 1, &scanning) ||
	    !ipc_int(in, "intake-stopped", 0, 1, &stopped))
		return ERR_SYNTAX;
	ipc_int(in, "corrupt", 0, INT64_MAX, &s->corrupt);
	ipc_int(in, "aside", 0, INT64_MAX, &s->aside);
	ipc_int(in, "slow", 0, INT64_MAX, &s->slow);
	ipc_int(in, "slow-jobs", 0, INT64_MAX, &s->slow_jobs);
	s->scanning = scanning != 0;
	s->intake_stopped = stopped != 0;
	return ERR_OK;
}

int queue_admin_stats(const char *path, struct queue_stats *s, struct buf *why)
{
	struct question q;
	int err = begin(&q, path, "stats", why);

	q.ms = STATS_MS;
	*s = (struct queue_stats){ .active = 0 };
	if (!err)
		err = ask(&q, why);
	if (!err && read_stats(&q.in, s) != ERR_OK)
		err = give_up(ERR_SYNTAX, why, "the answer is malformed");
	end(&q);
	return err;
}
