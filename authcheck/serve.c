#include "authcheck/serve.h"

#include <string.h>
#include <unistd.h>

#include "authcheck/dmarc-words.h"
#include "authcheck/verify.h"
#include "base/clock.h"
#include "base/err.h"
#include "ipc/ipc.h"
#include "log/log.h"

#define IDLE_MS 10000 /* for the next question on a connection */
#define SEND_MS 10000 /* for taking the answer */
#define LIMIT_S 120   /* the longest time that a caller waits */
#define GRACE_S 5     /* a child has only this much longer */
#define MARGIN_MS 500 /* our answer comes before the caller's time is over */
#define FIELDS_MAX 65536
#define PLACES_KEPT 5 /* one in so many is kept for quick checks */
#define LENGTH_MAX (INT64_C(1) << 50)

struct request {
	const struct serve_settings *set;
	const struct ipc_in *in;
	struct message message;
	struct lookup lookup;
	struct buf fields;
	struct ipc_out *out;
};

/* What the caller is to do. */
static const char *verdict_word(const struct verify_answer *a)
{
	const struct dmarc_result *d = &a->dmarc;

	if (d->disposition == DMARC_P_REJECT)
		return "reject";
	if (d->pending)
		return "temp";
	if (d->disposition == DMARC_P_QUARANTINE)
		return "quarantine";
	return d->result == DMARC_PASS ? "pass" : "none";
}

static int answer_verify(struct request *r)
{
	struct verify_question q = {
		.authserv = r->set->authserv,
		.client = ipc_text(r->in, "client"),
		.helo = ipc_text(r->in, "helo"),
		.sender = ipc_text(r->in, "sender"),
	};
	struct verify_answer a;
	int err = verify_message(&r->lookup, &r->message, &q, &a, &r->fields);

	if (err)
		return err;
	ipc_begin(r->out, "verified");
	ipc_put(r->out, "dmarc", verdict_word(&a));
	ipc_put(r->out, "from", a.dmarc.domain);
	ipc_put(r->out, "fault", a.from_fault ? a.from_fault : "");
	ipc_put(r->out, "spf", spf_word(a.spf));
	ipc_put(r->out, "dkim", dkim_word(a.dkim));
	ipc_put(r->out, "policy", dmarc_policy_word(a.dmarc.published));
	ipc_put(r->out, "fields", r->fields.data);
	return ERR_OK;
}

static int answer_sign(struct request *r)
{
	const struct dkim_key *key[KEYS_PER_DOMAIN];
	size_t n = keys_of(r->set->keys, ipc_text(r->in, "domain"), key);
	int err = dkim_sign_message(&r->message, key, n, &r->fields);

	if (err)
		return err;
	ipc_begin(r->out, "signed");
	ipc_put(r->out, "fields", r->fields.data);
	return ERR_OK;
}

static const struct row {
	const char *verb;
	int (*answer)(struct request *r);
} rows[] = {
	{ "verify", answer_verify },
	{ "sign", answer_sign },
};

static const struct row *find_row(const struct ipc_in *in)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (ipc_is(in, rows[i].verb))
			return &rows[i];
	return NULL;
}

/* Checks that wait for the DNS give way before the last places are taken: so a
 * quick check finds one, however many slow ones there are. */
static bool is_crowded(void)
{
	int most;
	int room = prefork_room(&most);

	return room <= most / PLACES_KEPT;
}

/* Opens the message of the request and lets ROW answer. */
static int answer_with(struct request *r, const struct row *row, int fd)
{
	int64_t offset, length, ms;
	int err;

	if (!ipc_int(r->in, "offset", 0, LENGTH_MAX, &offset) ||
	    !ipc_int(r->in, "length", 0, LENGTH_MAX, &length) ||
	    !ipc_int(r->in, "ms", 0, LIMIT_S * 1000, &ms))
		return err_set(ERR_SYNTAX, "malformed question");
	/* if a fault makes a library loop for ever, this child ends soon after
	 * its caller has stopped waiting */
	alarm((unsigned)(ms / 1000) + GRACE_S);
	lookup_begin(&r->lookup, ms - MARGIN_MS, is_crowded);
	err = message_open(&r->message, fd, offset, length);
	if (!err)
		err = row->answer(r);
	message_close(&r->message);
	return err;
}

static void put_failure(struct ipc_out *out, const char *why)
{
	ipc_begin(out, "temp");
	ipc_put(out, "why", why);
}

/* Answers IN on SOCK; false if the connection is no longer usable. */
static bool answer(void *context, struct ipc_in *in, int sock)
{
	const struct serve_settings *set = context;
	const struct row *row = find_row(in);
	struct ipc_out out = { .ready = false };
	struct request r = { .set = set, .in = in, .out = &out };
	int fd = ipc_take_fd(in);
	int err;

	err_clear();
	err = err_set(ERR_SYNTAX, "malformed question");
	buf_init(&r.fields, FIELDS_MAX);
	if (row && fd >= 0)
		err = answer_with(&r, row, fd);
	if (!err && r.fields.over)
		err = err_set(ERR_TOO_LONG, "its results are over %d bytes",
			      FIELDS_MAX);
	if (err) {
		log_warn("cannot %s a message: %s", in->verb, err_why(err));
		put_failure(&out, err_why(err));
	}
	err = ipc_send(sock, &out, SEND_MS);
	alarm(0);
	if (fd >= 0)
		close(fd);
	if (r.lookup.arena)
		arena_free(&r.lookup.arena);
	buf_free(&r.fields);
	ipc_out_free(&out);
	return err == ERR_OK;
}

bool serve_connection(void *context, const struct prefork_listener *listener,
		      int fd)
{
	(void)listener;
	prefork_packets(fd, IDLE_MS, answer, context);
	return true;
}
