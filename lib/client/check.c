/*
 * One connection per question: a lasting one would keep a child of authcheck
 * busy for each of our processes. If a child dies, the connection ends, and
 * another one is asked; a message that killed two waits.
 */
#include "client/check.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "ipc/ipc.h"

static const struct {
	const char *word;
	enum check_dmarc dmarc;
} verdicts[] = {
	{ "none", CHECK_DMARC_NONE },
	{ "pass", CHECK_DMARC_PASS },
	{ "quarantine", CHECK_DMARC_QUARANTINE },
	{ "reject", CHECK_DMARC_REJECT },
	{ "temp", CHECK_DMARC_TEMP },
};

#define TRIES 2

/* Asks Q once, in which only the time is missing. */
static int ask_once(const struct ipc_out *q, struct ipc_in *a, int64_t ms)
{
	int sock = ipc_connect_within("authcheck", ms);
	int err;

	if (sock < 0)
		return err_sys("connect to", "authcheck");
	err = ipc_call(sock, q, a, ms);
	close(sock);
	return err;
}

struct question {
	const char *verb;
	const char *answer; /* the verb of the answer */
	int fd;
	off_t offset;
	off_t length;
	const struct check_request *request; /* of verify */
	const char *domain;		     /* of sign */
};

static void put_question(struct ipc_out *m, const struct question *q,
			 int64_t ms)
{
	const struct check_request *r = q->request;

	ipc_begin(m, q->verb);
	ipc_put_int(m, "offset", q->offset);
	ipc_put_int(m, "length", q->length);
	ipc_put_int(m, "ms", ms);
	ipc_put_fd(m, q->fd);
	if (q->domain)
		ipc_put(m, "domain", q->domain);
	if (!r)
		return;
	ipc_put(m, "client", r->client);
	ipc_put(m, "helo", r->helo ? r->helo : "");
	ipc_put(m, "sender", r->sender);
}

/* Asks Q within MS; ERR_OK if A is the answer wanted. */
static int ask(const struct question *q, struct ipc_in *a, int64_t ms)
{
	int64_t until = clock_ms() + ms, left = ms;
	struct ipc_out m = { .ready = false };
	int err = ERR_EOF;

	for (int i = 0; i < TRIES && err && left > 0; i++) {
		put_question(&m, q, left);
		err = ask_once(&m, a, left);
		left = until - clock_ms();
	}
	ipc_out_free(&m);
	if (err)
		return err_set(ERR_TEMP, "authcheck: %s", err_why(err));
	if (!ipc_is(a, q->answer))
		return err_set(ERR_TEMP, "authcheck: %s",
			       *ipc_text(a, "why") ? ipc_text(a, "why")
						   : "malformed answer");
	return ERR_OK;
}

static bool read_verdict(const struct ipc_in *a, struct check_verdict *v)
{
	const char *word = ipc_text(a, "dmarc");
	size_t n = sizeof(verdicts) / sizeof(verdicts[0]), i = 0;

	while (i < n && strcmp(verdicts[i].word, word) != 0)
		i++;
	if (i == n)
		return false;
	v->dmarc = verdicts[i].dmarc;
	return str_copy(v->from_domain, sizeof(v->from_domain),
			ipc_text(a, "from")) &&
	       str_copy(v->from_fault, sizeof(v->from_fault),
			ipc_text(a, "fault")) &&
	       str_copy(v->spf, sizeof(v->spf), ipc_text(a, "spf")) &&
	       str_copy(v->dkim, sizeof(v->dkim), ipc_text(a, "dkim")) &&
	       str_copy(v->policy, sizeof(v->policy), ipc_text(a, "policy"));
}

int check_verify(const struct check_request *r, struct check_verdict *v,
		 struct buf *fields, int64_t ms)
{
	const struct question q = { .verb = "verify",
				    .answer = "verified",
				    .fd = r->fd,
				    .offset = r->offset,
				    .length = r->length,
				    .request = r };
	struct ipc_in a = { .data = NULL };
	int err = ask(&q, &a, ms);

	*v = (struct check_verdict){ .dmarc = CHECK_DMARC_TEMP };
	if (!err && !read_verdict(&a, v))
		err = err_set(ERR_TEMP, "authcheck: malformed answer");
	if (!err)
		buf_puts(fields, ipc_text(&a, "fields"));
	ipc_in_free(&a);
	return err;
}

int check_sign(int fd, off_t offset, off_t length, const char *domain,
	       struct buf *fields, int64_t ms)
{
	const struct question q = { .verb = "sign",
				    .answer = "signed",
				    .fd = fd,
				    .offset = offset,
				    .length = length,
				    .domain = domain };
	struct ipc_in a = { .data = NULL };
	int err = ask(&q, &a, ms);

	if (!err)
		buf_puts(fields, ipc_text(&a, "fields"));
	ipc_in_free(&a);
	return err;
}
