/*
 * The replies are read in the order of the commands, whatever was pipelined;
 * take_… reads one and records what it says. A refusal of RCPT is recorded at
 * once, one of MAIL for all recipients, one of DATA for those that were
 * accepted. A session may be left with an open transaction: its RSET is sent
 * with the next transaction's commands (reset_due), since it would cost a
 * round trip here.
 */
#include "remote-send/transaction.h"

#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "remote-send/command.h"
#include "smtp/data.h"

#define BLOCK 65536
/* Recipients sent before their replies are read: more could fill the buffers
 * of both sides, and deadlock (RFC 2920 section 3.1). */
#define GROUP 100

static struct {
	char *block; /* of content, for the life of the process */
} self;

/* What goes on in one transaction. */
struct run {
	struct session *s;
	struct delivery *d;
	struct fault *f;
	bool pipelining;
	bool mail_good;
	bool any_reply;
	size_t naccepted;
	struct fault mail_fault;
};

/* Also false if the server is about to leave (RFC 5321 section 3.8). */
static bool take_reply(struct run *r, int64_t ms, const char *when,
		       struct reply *reply)
{
	if (!session_reply(r->s, ms, when, reply, r->f))
		return false;
	if (reply->code == 421) {
		fault_from_reply(r->f, reply, r->s->relay, when);
		return false;
	}
	r->any_reply = true;
	return true;
}

static bool take_reset(struct run *r)
{
	struct reply reply;

	if (!r->s->reset_due)
		return true;
	r->s->reset_due = false;
	return take_reply(r, r->d->set->helo_ms, "sending RSET", &reply);
}

static bool take_mail(struct run *r)
{
	struct reply reply;

	if (!take_reply(r, r->d->set->mail_ms, "sending MAIL FROM", &reply))
		return false;
	r->mail_good = reply.code / 100 == 2;
	if (r->mail_good)
		r->s->reset_due = true;
	else
		fault_from_reply(&r->mail_fault, &reply, r->s->relay,
				 "in reply to MAIL FROM command");
	return true;
}

static bool take_rcpt(struct run *r, size_t i)
{
	struct outcome *o = &r->d->outcome[i];
	struct reply reply;
	struct fault f;

	if (!take_reply(r, r->d->set->rcpt_ms, "sending RCPT TO", &reply))
		return false;
	o->accepted = r->mail_good && reply.code / 100 == 2;
	r->naccepted += o->accepted;
	if (o->accepted || !r->mail_good)
		return true;
	fault_from_reply(&f, &reply, r->s->relay,
			 "in reply to RCPT TO command");
	/* RFC 5321 section 4.5.3.1.10: it may mean too many recipients */
	if (reply.code == 552 && r->naccepted > 0)
		fault_soften(&f);
	outcome_refuse(r->d, i, &f);
	return true;
}

/* The connection failed. A session that was kept may have been dead before
 * it was used. */
static enum transaction_end broken(const struct run *r)
{
	return r->s->uses > 0 && !r->any_reply ? TRANSACTION_STALE
					       : TRANSACTION_BROKEN;
}

/* The undecided recipients from *AT on, at most a group; gives the place
 * after them. */
static size_t next_group(const struct delivery *d, size_t at)
{
	size_t n = 0;

	while (at < d->job->nrecipients && n < GROUP)
		n += !d->outcome[at++].decided;
	return at;
}

static bool take_rcpts(struct run *r, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (!r->d->outcome[i].decided && !take_rcpt(r, i))
			return false;
	return true;
}

/* MAIL and RCPT, and DATA with the last group, in as few writes as possible. */
static bool send_pipelined(struct run *r)
{
	size_t n = r->d->job->nrecipients, from = 0, to;

	if (r->s->reset_due)
		stream_puts(r->s->stream, "RSET\r\n");
	command_mail(r->s, r->d);
	do {
		to = next_group(r->d, from);
		for (size_t i = from; i < to; i++)
			if (!r->d->outcome[i].decided)
				command_rcpt(r->s, r->d, i);
		if (to == n)
			stream_puts(r->s->stream, "DATA\r\n");
		if (from == 0 && (!take_reset(r) || !take_mail(r)))
			return false;
		if (!take_rcpts(r, from, to))
			return false;
		from = to;
	} while (to < n);
	return true;
}

static bool send_stepwise(struct run *r)
{
	if (r->s->reset_due) {
		stream_puts(r->s->stream, "RSET\r\n");
		if (!take_reset(r))
			return false;
	}
	command_mail(r->s, r->d);
	if (!take_mail(r))
		return false;
	for (size_t i = 0; r->mail_good && i < r->d->job->nrecipients; i++) {
		if (r->d->outcome[i].decided)
			continue;
		command_rcpt(r->s, r->d, i);
		if (!take_rcpt(r, i))
			return false;
	}
	if (r->naccepted > 0)
		stream_puts(r->s->stream, "DATA\r\n");
	return true;
}

static int to_stream(void *context, const void *data, size_t n)
{
	stream_put(context, data, n);
	return ERR_OK;
}

static int to_writer(void *context, const void *data, size_t n)
{
	return smtp_data_write(context, data, n);
}

static int send_converted(struct run *r, struct smtp_data_writer *w)
{
	int err = seven_bit_write(&r->d->seven, to_writer, w);

	return err ? err : stream_flush(r->s->stream);
}

static int send_as_it_is(struct run *r, struct smtp_data_writer *w)
{
	const struct job *j = r->d->job;
	struct stream *out = r->s->stream;
	off_t at = 0;
	int err = ERR_OK;

	if (!self.block)
		self.block = mem_alloc(BLOCK);
	while (!err && at < j->length) {
		off_t left = j->length - at;
		size_t n = left < BLOCK ? (size_t)left : BLOCK;

		/* what is sent before more is read shows a dead peer early */
		if (at > 0)
			err = stream_flush(out);
		if (!err && session_is_deserted(r->s))
			err = ERR_STOPPING;
		if (!err && file_pread(j->fd, self.block, n, j->offset + at))
			err = ERR_CORRUPT;
		if (!err)
			err = smtp_data_write(w, self.block, n);
		at += (off_t)n;
	}
	return err;
}

/* The content with prologue and end mark: left in the stream's buffer if it
 * is small, so that it leaves in one packet. */
static int send_content(struct run *r)
{
	const char *prologue = r->d->job->prologue;
	struct stream *out = r->s->stream;
	struct smtp_data_writer w;
	int err;

	stream_set_timeout(out, r->d->set->data_xfer_ms);
	smtp_data_write_begin(&w, to_stream, out);
	err = smtp_data_write(&w, prologue, strlen(prologue));
	if (!err)
		err = r->d->convert ? send_converted(r, &w)
				    : send_as_it_is(r, &w);
	return err ? err : smtp_data_write_end(&w);
}

/* After the end mark, no reply means that the server may have the message, so
 * no other host is tried now. */
static enum transaction_end finish(struct run *r)
{
	struct reply reply;
	struct fault f;
	bool dsn = r->s->features & FEATURE_DSN, good;

	session_set_final(r->s, true);
	good = session_reply(r->s, r->d->set->data_done_ms,
			   "sending end of data -- message may be sent more "
			   "than once",
			   &reply, &f);
	session_set_final(r->s, false);
	if (!good) {
		outcome_fail_accepted(r->d, &f);
		return TRANSACTION_BROKEN;
	}
	r->s->reset_due = false;
	if (reply.code / 100 == 2) {
		outcome_sent(r->d, &reply, r->s->relay, dsn);
	} else {
		fault_from_reply(&f, &reply, r->s->relay,
				 "in reply to end of DATA command");
		outcome_refuse_accepted(r->d, &f);
	}
	return TRANSACTION_DONE;
}

static enum transaction_end send_message(struct run *r)
{
	int err;

	/* from here on the host may have the message */
	r->s->patience_ms = 0;
	err = send_content(r);
	if (!err)
		return finish(r);
	if (err == ERR_CORRUPT) {
		fault_set(r->f, "4.3.0", "cannot read the queue file");
		outcome_fail_all(r->d, r->f);
	} else {
		fault_set(r->f, "4.4.2",
			  "%s with %.*s while sending message body",
			  err == ERR_TIMEOUT ? "conversation timed out"
					     : "lost connection",
			  (int)(strcspn(r->s->relay, "]") + 1), r->s->relay);
		str_copy(r->f->relay, sizeof(r->f->relay), r->s->relay);
	}
	/* closing without the end mark: the server drops the message */
	return TRANSACTION_BROKEN;
}

/* DATA was sent ahead though no recipient was accepted: a server that takes it
 * gets an empty message, which goes to nobody (RFC 2920 section 3.1). */
static enum transaction_end send_nothing(struct run *r)
{
	struct reply reply;

	stream_puts(r->s->stream, ".\r\n");
	if (!take_reply(r, r->d->set->data_done_ms, "ending an empty message",
			&reply))
		return TRANSACTION_BROKEN;
	r->s->reset_due = false;
	return TRANSACTION_DONE;
}

static enum transaction_end after_data(struct run *r)
{
	struct reply reply;
	struct fault f;

	if (!take_reply(r, r->d->set->data_init_ms, "sending DATA command",
			&reply))
		return broken(r);
	if (reply.code == 354)
		return r->naccepted > 0 ? send_message(r) : send_nothing(r);
	fault_from_reply(&f, &reply, r->s->relay, "in reply to DATA command");
	outcome_refuse_accepted(r->d, &f);
	return TRANSACTION_DONE;
}

static enum transaction_end run(struct run *r)
{
	enum transaction_end end = TRANSACTION_DONE;

	if (!(r->pipelining ? send_pipelined(r) : send_stepwise(r)))
		return broken(r);
	if (r->pipelining || r->naccepted > 0)
		end = after_data(r);
	if (!r->mail_good)
		outcome_refuse_all(r->d, &r->mail_fault);
	return end;
}

enum transaction_end transaction_run(struct session *s, struct delivery *d,
				     struct fault *f)
{
	struct run r = { .s = s,
			 .d = d,
			 .f = f,
			 .pipelining = s->features & FEATURE_PIPELINING };
	enum transaction_end end;

	*f = (struct fault){ .set = false };
	for (size_t i = 0; i < d->job->nrecipients; i++)
		d->outcome[i].accepted = false;
	command_check(s, d);
	if (!outcome_any_left(d))
		return TRANSACTION_DONE;
	end = run(&r);
	s->uses++;
	if (end == TRANSACTION_DONE && outcome_any_left(d))
		return TRANSACTION_OTHER;
	return end == TRANSACTION_DONE && s->ends ? TRANSACTION_LAST : end;
}
