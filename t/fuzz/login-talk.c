/*
 * What a host says to whom a login is passed on, and the words that name it.
 *
 * link: login-proxy/talk.c login-proxy/talk-imap.c login-proxy/talk-pop3.c
 */
#include "fuzz.h"

#include <string.h>

#include "base/mem.h"
#include "login-proxy/talk.h"
#include "table/proxy.h"

FUZZ_SEEDS(
	"* OK [CAPABILITY IMAP4rev1 SASL-IR ID AUTH=PLAIN] hello\n"
	"* ID NIL\nP3 OK\nP4 OK [CAPABILITY X] in\n",
	"* OK hello\nP1 OK go\n* CAPABILITY AUTH=PLAIN\nP2 OK\n+ \n"
	"* CAPABILITY X\nP4 NO [UNAVAILABLE] x\n",
	"* OK [CAPABILITY IMAP4rev1]\nP4 OK\nP4 OK x\n* CAPABILITY Y\nP5 OK\n",
	"+OK [XCLIENT] x\n+OK\nUIDL\nSASL LOGIN PLAIN\n.\n+OK\n+ \n+OK in\n",
	"+OK x\n-ERR\n+OK\n-ERR [AUTH] no\n",
	"proxy host=a.test hostip=::1 port=1 ssl=yes destuser=b master=m "
	"pass=p proxy_timeout=9s\n",
	"proxy_maybe=y host=10.0.0.1 starttls=any-cert nopassword\n")

static const char password[] = "s3cr3t";
static const char encoded[] = "AGFubgBzM2NyM3Q=";

static bool has(const struct buf *b, const char *text)
{
	return b->len && memmem(b->data, b->len, text, strlen(text));
}

/* Whole lines, and no password before TLS where TLS is wanted. */
static void check_out(const struct talk *t, bool tls)
{
	const struct buf *b = &t->out;

	FUZZ_CHECK(b->len == 0 || (b->len > 2 && memcmp(b->data + b->len - 2,
							"\r\n", 2) == 0));
	FUZZ_CHECK(tls || !t->facts->starttls ||
		   (!has(b, password) && !has(b, encoded)));
}

static void play(struct talk *t, char *text)
{
	enum talk_result result = TALK_MORE;
	bool tls = false;

	for (char *line; result == TALK_MORE && (line = strsep(&text, "\n"));) {
		result = talk_line(t, line);
		check_out(t, tls);
		if (result == TALK_TLS) {
			tls = true;
			result = talk_go_on(t);
		}
		buf_reset(&t->out);
	}
	FUZZ_CHECK(tls || !t->facts->starttls || result != TALK_DONE);
}

static void try(const char *text, bool pop3, bool starttls)
{
	const struct talk_facts f = { .user = "ann",
				      .master = "",
				      .password = password,
				      .client = "192.0.2.7",
				      .ttl = 4,
				      .tag = "a1",
				      .starttls = starttls };
	char *copy = mem_strdup(text);
	struct talk t;

	if (pop3)
		talk_begin_pop3(&t, &f);
	else
		talk_begin_imap(&t, &f);
	play(&t, copy);
	talk_end(&t);
	free(copy);
}

void fuzz_one(const char *data, size_t n)
{
	char *text = mem_strndup(data, n);
	struct proxy_target target;

	for (int i = 0; i < 4; i++)
		try(text, i & 1, i & 2);
	text[strcspn(text, "\n")] = '\0';
	if (!proxy_read(text, false, &target))
		FUZZ_CHECK(*target.host && !strpbrk(target.host, " \r\n/"));
	free(text);
}
