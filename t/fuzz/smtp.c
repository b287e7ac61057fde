/*
 * An SMTP or LMTP dialogue from the client's first byte to its last, with
 * intake and accountd played here.
 *
 * There is no resolver: DNS fails.
 */
#include "fuzz.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "client/account.h"
#include "intake/edit.h"
#include "smtp/session.h"

FUZZ_SEEDS(
	"EHLO x\r\nMAIL FROM:<a@b.test> SIZE=10 BODY=8BITMIME SMTPUTF8 "
	"RET=HDRS ENVID=x+2By\r\nRCPT TO:<c@d.test> NOTIFY=SUCCESS,DELAY "
	"ORCPT=rfc822;c+40d\r\nDATA\r\nSubject: x\r\n\r\n..\r\n.\r\nQUIT\r\n",
	"HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<@h:c@d>\r\nDATA\r\na\nb\r\n.\r\n"
	"RSET\r\nVRFY x\r\nNOOP\r\nHELP\r\n",
	"LHLO x\r\nMAIL FROM:<a@[192.0.2.1]>\r\nRCPT TO:<postmaster>\r\n"
	"RCPT TO:<\"a b\"@d>\r\nDATA\r\nx\r\n.\r\n",
	"EHLO [127.0.0.1]\r\nSTARTTLS\r\nAUTH PLAIN =\r\nBDAT 5\r\n"
	"mail from: a@b\r\nrcpt to: c@d\r\ndata\r\n.\r\n")

struct intake {
	const struct envelope *envelope;
	bool failed;
	size_t size;
};

bool intake_begin(struct intake *in, enum intake_kind kind, struct envelope *e,
		  struct answer *r)
{
	(void)kind;
	in->envelope = e;
	in->failed = false;
	answer_set(r, "354 go");
	return true;
}

const char *intake_id(const struct intake *in)
{
	return in ? "ID" : "";
}

int intake_write(void *in, const void *data, size_t n)
{
	((struct intake *)in)->size += n;
	FUZZ_CHECK(data || !n);
	return ERR_OK;
}

void intake_refuse(struct intake *in, const char *fmt, ...)
{
	in->failed = fmt != NULL;
}

bool intake_failed(const struct intake *in)
{
	return in->failed;
}

int64_t intake_size(const struct intake *in)
{
	return in->failed ? 0 : 150;
}

bool intake_remove_recipient(struct intake *in, const char *text)
{
	FUZZ_CHECK(in && *text);
	return true;
}

bool intake_end(struct intake *in, const char *client, struct answer *r)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	FUZZ_CHECK(client && in->envelope->nrecipients > 0);
	envelope_write(&b, in->envelope);
	buf_free(&b);
	answer_set(r, in->failed ? "550 no" : "250 yes");
	return !in->failed;
}

void intake_abandon(struct intake *in)
{
	in->failed = false;
}

enum account_status account_recipient(const char *address, int64_t *room)
{
	*room = strchr(address, 'f') ? 100 : INT64_MAX;
	return strchr(address, 'x') ? ACCOUNT_NONE : ACCOUNT_FOUND;
}

enum account_status account_lookup_login(const char *name,
					 struct account *out)
{
	*out = (struct account){ .user = "a@b.test" };
	return strchr(name, 'x') ? ACCOUNT_NONE : ACCOUNT_FOUND;
}

static enum intake_kind kind(const struct smtp_session *s)
{
	return s->lmtp ? INTAKE_RELAYED : INTAKE_OUTSIDE;
}

void intake_note(struct intake *in, enum intake_action action, const char *why)
{
	FUZZ_CHECK(in && action < INTAKE_DEFER && why);
}

static const struct intake_row rows[] = {
	{ "sender", INTAKE_MAIL, INTAKE_ALL, smtp_judge_sender_domain },
	{ "recipient", INTAKE_RCPT, INTAKE_ALL, smtp_judge_recipient },
	{ NULL, INTAKE_END, 0, NULL },
};

/* Each line comes alone, as from a client that waits for replies: most of
 * what comes in one piece is refused as pipelining out of place. */
static void send_lines(int fd, const char *data, size_t n)
{
	while (n) {
		const char *lf = memchr(data, '\n', n);
		size_t take = lf ? (size_t)(lf - data) + 1 : n;

		if (send(fd, data, take, MSG_DONTWAIT) < 0)
			return;
		data += take;
		n -= take;
	}
}

void fuzz_one(const char *data, size_t n)
{
	static const char *const lines[] = { "mydestination=d.test",
					     "log_target=/dev/null" };
	static const struct smtp_policy policy = { .kind = kind,
						   .rows = rows };
	static struct smtp_server server;
	struct intake in = { 0 };
	struct smtp_session s;
	int pair[2];
	struct buf faults;

	buf_init(&faults, 1 << 16);
	if (!server.config)
		smtp_server_init(&server, config_load(NULL, lines, 2, &faults),
				 &policy);
	buf_free(&faults);
	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
	send_lines(pair[1], data, n);
	shutdown(pair[1], SHUT_WR);
	smtp_session_init(&s, &server, &in, pair[0]);
	s.lmtp = n && (data[0] == 'L' || data[0] == 'l');
	smtp_session_run(&s);
	close(pair[1]);
}
