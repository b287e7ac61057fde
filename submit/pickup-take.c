/* One submission on its way into the queue. */
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "address/address.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/file.h"
#include "queue/submit.h"
#include "smtp/data.h"
#include "submit/pickup.h"
#include "submit/pickup-header.h"

#define RECIPIENTS_MAX 100000
#define PIECE 65536

/* A submission being taken. */
struct taking {
	struct pickup *pickup;
	struct arena *arena;
	struct envelope envelope;
	int fd;
	off_t offset;
	off_t length;
	struct smtp_reply *reply;
};

static bool refuse(struct taking *t, const char *text)
{
	smtp_reply_set(t->reply, "%s", text);
	return false;
}

/* The canonical form of an address, completed by myorigin. NULL: it is none. */
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
	if (e->nrecipients > RECIPIENTS_MAX)
		return refuse(t, "554 5.5.3 Error: too many recipients");
	for (size_t i = 0; i < e->nrecipients; i++) {
		struct envelope_recipient *r = &e->recipient[i];
		const char *address = complete(t, r->address);

		if (!address) {
			smtp_reply_set(t->reply,
				       "501 5.1.3 <%s>: bad recipient address",
				       r->address);
			return false;
		}
		r->address = address;
		if (strpbrk(r->orcpt, "\r\n"))
			r->orcpt = "";
	}
	return true;
}

/* Keeps of the envelope what a program may say, checked. */
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
	if (strlen(e->envid) > 100 || strpbrk(e->envid, "\r\n"))
		return refuse(t, "501 5.5.4 bad ENVID");
	e->client = e->client_name = e->helo = e->tls = e->prologue = "";
	e->protocol = "local";
	return check_recipients(t);
}

static void set_login(struct taking *t, uid_t uid)
{
	struct passwd *p = getpwuid(uid);

	t->envelope.login = p ? arena_strdup(t->arena, p->pw_name)
			      : arena_printf(t->arena, "%ld", (long)uid);
}

static bool read_submission(struct taking *t)
{
	int err = submit_read(t->arena, t->fd, &t->envelope, &t->offset,
			      &t->length);
	int64_t limit = t->pickup->size_limit;

	if (err == ERR_IO)
		return refuse(t, "451 4.3.0 Error: cannot be read");
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
	struct pickup_header header;
	off_t at = t->offset, end = t->offset + t->length;
	char piece[PIECE];
	size_t used;

	pickup_header_begin(&header, t->pickup->intake, t->pickup->myorigin);
	smtp_data_begin(&reader, false, pickup_header_write, &header);
	while (at < end && !intake_failed(t->pickup->intake)) {
		size_t n = end - at < PIECE ? (size_t)(end - at) : PIECE;

		if (file_pread(t->fd, piece, n, at))
			break;
		smtp_data_read(&reader, piece, n, &used);
		at += (off_t)n;
	}
	smtp_data_finish(&reader);
	pickup_header_end(&header);
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

bool pickup_take(struct pickup *p, int fd, uid_t uid, struct smtp_reply *reply)
{
	struct taking t = {
		.pickup = p, .arena = arena_new(), .fd = fd, .reply = reply
	};
	bool good = read_submission(&t);

	if (good) {
		set_login(&t, uid);
		good = queue(&t, uid);
	}
	arena_free(&t.arena);
	return good;
}
