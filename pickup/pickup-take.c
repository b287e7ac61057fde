/* One posting on its way into the queue. */
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "address/address.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/file.h"
#include "log/log.h"
#include "intake/posting.h"
#include "smtp/data.h"
#include "smtp/dsn-param.h"
#include "pickup/pickup.h"

#define PIECE 65536

/* A posting being taken. */
struct taking {
	struct pickup *pickup;
	struct arena *arena;
	struct envelope envelope;
	int fd;
	off_t offset;
	off_t length;
	struct answer *reply;
};

static bool refuse(struct taking *t, const char *text)
{
	answer_set(t->reply, "%s", text);
	return false;
}

/* The canonical form of an address, completed with myorigin, or NULL. */
static const char *complete(struct taking *t, const char *text)
{
	char out[ADDRESS_TEXT_SIZE];
	const char *origin = t->pickup->myorigin;
	struct address a;

	if (address_parse(text, strlen(text), &a) || !*a.local)
		return NULL;
	if (!*a.domain && address_domain(origin, strlen(origin), a.domain))
		return NULL;
	if (a.utf8)
		t->envelope.smtputf8 = true;
	return arena_strdup(t->arena, address_text(&a, out));
}

static bool check_recipients(struct taking *t)
{
	struct envelope *e = &t->envelope;

	if (e->nrecipients == 0)
		return refuse(t, "554 5.5.1 Error: no recipients");
	if (e->nrecipients > POSTING_RECIPIENTS_MAX)
		return refuse(t, "554 5.5.3 Error: too many recipients");
	for (size_t i = 0; i < e->nrecipients; i++) {
		struct envelope_recipient *r = &e->recipient[i];
		const char *address = complete(t, r->address);

		if (!address) {
			answer_set(t->reply,
				   "501 5.1.3 <%s>: bad recipient address",
				   r->address);
			return false;
		}
		r->address = address;
		if (!smtp_orcpt_is_plain(r->orcpt))
			r->orcpt = "";
	}
	return true;
}

/* Keeps only what a program may set in the envelope, checked. */
static bool check_envelope(struct taking *t)
{
	struct envelope *e = &t->envelope;

	if (*e->sender) {
		const char *sender = complete(t, e->sender);

		if (!sender)
			return refuse(t, "501 5.1.7 bad sender address");
		e->sender = sender;
	}
	if (*e->ret && strcmp(e->ret, "FULL") && strcmp(e->ret, "HDRS"))
		return refuse(t, "501 5.5.4 bad RET");
	if (*e->body && strcmp(e->body, "7BIT") && strcmp(e->body, "8BITMIME"))
		return refuse(t, "501 5.5.4 bad BODY");
	if (*e->envid && !smtp_envid_is_plain(e->envid))
		return refuse(t, "501 5.5.4 bad ENVID");
	e->client = e->client_name = e->helo = e->tls = "";
	e->hold = e->prologue = "";
	e->protocol = "local";
	return check_recipients(t);
}

static void set_login(struct taking *t, uid_t uid)
{
	struct passwd *p = getpwuid(uid);

	t->envelope.login = p ? arena_strdup(t->arena, p->pw_name)
			      : arena_printf(t->arena, "%ld", (long)uid);
}

static bool read_posting(struct taking *t)
{
	int err = posting_read(t->arena, t->fd, &t->envelope, &t->offset,
			       &t->length);
	int64_t limit = t->pickup->size_limit;

	if (err && err != ERR_SYNTAX && err != ERR_TOO_LONG) {
		log_warn("a posting cannot be read: %s", err_why(err));
		return refuse(t, "451 4.3.0 Error: cannot be read");
	}
	if (err)
		return refuse(t, "554 5.5.0 Error: not understood");
	if (limit && t->length > limit)
		return refuse(t, "552 5.3.4 Error: message file too big");
	return check_envelope(t);
}

/* All of the message with CRLF line ends; false if it cannot be read. */
static bool copy_message(struct taking *t)
{
	struct smtp_data_reader reader;
	off_t at = t->offset, end = t->offset + t->length;
	char piece[PIECE];
	size_t used;

	smtp_data_begin(&reader, false, intake_write, t->pickup->intake);
	while (at < end && !intake_failed(t->pickup->intake)) {
		size_t n = end - at < PIECE ? (size_t)(end - at) : PIECE;

		if (file_pread(t->fd, piece, n, at))
			break;
		/* the intake keeps faults until its end */
		err_ignore(smtp_data_read(&reader, piece, n, &used));
		at += (off_t)n;
	}
	err_ignore(smtp_data_finish(&reader)); /* likewise */
	return at == end || intake_failed(t->pickup->intake);
}

static bool queue(struct taking *t, uid_t uid)
{
	struct intake *in = t->pickup->intake;
	char client[64];

	if (!intake_begin(in, INTAKE_SUBMITTED, &t->envelope, t->reply))
		return false;
	if (!copy_message(t)) {
		intake_abandon(in);
		return refuse(t, "451 4.3.0 Error: cannot be read");
	}
	snprintf(client, sizeof(client), "uid=%ld", (long)uid);
	return intake_end(in, client, t->reply);
}

bool pickup_take(struct pickup *p, int fd, uid_t uid, struct answer *reply)
{
	struct taking t = {
		.pickup = p, .arena = arena_new(), .fd = fd, .reply = reply
	};
	bool good = read_posting(&t);

	if (good) {
		set_login(&t, uid);
		good = queue(&t, uid);
	}
	arena_free(&t.arena);
	return good;
}
