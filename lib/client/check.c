/*
 * One connection a question: a standing one would keep a child of authcheck
 * for each of ours. A child that dies ends the connection: ERR_TEMP.
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

/* Asks Q and gives the answer, whose verb must be VERB. */
static int ask(const struct ipc_out *q, const char *verb, struct ipc_in *a,
	       int64_t ms)
{
	int sock = ipc_connect("authcheck");
	int err;

	if (sock < 0)
		return ERR_TEMP;
	err = ipc_call(sock, q, a, ms);
	close(sock);
	if (err || !ipc_is(a, verb))
		return ERR_TEMP;
	return ERR_OK;
}

static void put_message(struct ipc_out *q, int fd, off_t offset, off_t length,
			int64_t ms)
{
	ipc_put_int(q, "offset", offset);
	ipc_put_int(q, "length", length);
	ipc_put_int(q, "ms", ms);
	ipc_put_fd(q, fd);
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
	       str_copy(v->spf, sizeof(v->spf), ipc_text(a, "spf")) &&
	       str_copy(v->dkim, sizeof(v->dkim), ipc_text(a, "dkim")) &&
	       str_copy(v->policy, sizeof(v->policy), ipc_text(a, "policy"));
}

int check_verify(const struct check_request *r, struct check_verdict *v,
		 struct buf *fields, int64_t ms)
{
	struct ipc_out q = { .ready = false };
	struct ipc_in a = { .data = NULL };
	int err;

	*v = (struct check_verdict){ .dmarc = CHECK_DMARC_TEMP };
	ipc_begin(&q, "verify");
	put_message(&q, r->fd, r->offset, r->length, ms);
	ipc_put(&q, "client", r->client);
	ipc_put(&q, "helo", r->helo ? r->helo : "");
	ipc_put(&q, "sender", r->sender);
	err = ask(&q, "verified", &a, ms);
	if (!err && !read_verdict(&a, v))
		err = ERR_TEMP;
	if (!err)
		buf_puts(fields, ipc_text(&a, "fields"));
	ipc_out_free(&q);
	ipc_in_free(&a);
	return err;
}

int check_sign(int fd, off_t offset, off_t length, const char *domain,
	       struct buf *fields, int64_t ms)
{
	struct ipc_out q = { .ready = false };
	struct ipc_in a = { .data = NULL };
	int err;

	ipc_begin(&q, "sign");
	put_message(&q, fd, offset, length, ms);
	ipc_put(&q, "domain", domain);
	err = ask(&q, "signed", &a, ms);
	if (!err)
		buf_puts(fields, ipc_text(&a, "fields"));
	ipc_out_free(&q);
	ipc_in_free(&a);
	return err;
}
