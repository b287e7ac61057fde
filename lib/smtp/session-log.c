/* A session's log lines, in Postfix's format. */
#include <string.h>

#include "log/log.h"
#include "smtp/command.h"

/* By SMTPUTF8, LMTP, TLS and login (RFC 3848, RFC 6531 section 4.3). */
static const char *const protocols[2][2][2][2] = {
	{ { { "ESMTP", "ESMTPA" }, { "ESMTPS", "ESMTPSA" } },
	  { { "LMTP", "LMTPA" }, { "LMTPS", "LMTPSA" } } },
	{ { { "UTF8SMTP", "UTF8SMTPA" }, { "UTF8SMTPS", "UTF8SMTPSA" } },
	  { { "UTF8LMTP", "UTF8LMTPA" }, { "UTF8LMTPS", "UTF8LMTPSA" } } },
};

const char *smtp_protocol(const struct smtp_session *s)
{
	if (!s->esmtp && !s->lmtp)
		return "SMTP";
	return protocols[s->envelope.smtputf8][s->lmtp][s->tls]
			[*s->login != '\0'];
}

void smtp_log_refusal(const struct smtp_session *s, const char *command,
		      const char *to, const struct answer *r)
{
	log_info("NOQUEUE: reject: %s from %s[%s]: %s; from=<%s>%s%s%s "
		 "proto=%s helo=<%s>",
		 command, s->client_name, s->client, r->text,
		 s->envelope.sender, to ? " to=<" : "", to ? to : "",
		 to ? ">" : "", smtp_protocol(s), s->helo);
}

static void put_counts(const struct smtp_session *s, struct buf *line)
{
	const struct smtp_command *c;
	unsigned all = (unsigned)s->unknown;

	for (size_t i = 0; (c = smtp_command_at(s, i)); i++) {
		char word[16];

		if (!s->count[i].all)
			continue;
		str_copy(word, sizeof(word), c->word);
		buf_printf(line, " %s=%u", str_lower(word), s->count[i].good);
		if (s->count[i].good != s->count[i].all)
			buf_printf(line, "/%u", s->count[i].all);
		all += s->count[i].all;
	}
	if (s->unknown)
		buf_printf(line, " unknown=0/%u", (unsigned)s->unknown);
	buf_printf(line, " commands=%u", all);
}

void smtp_log_end(const struct smtp_session *s)
{
	struct buf counts;

	buf_init(&counts, 2048);
	put_counts(s, &counts);
	if (s->end)
		log_info("%s after %s from %s[%s]", s->end, s->after,
			 s->client_name, s->client);
	log_info("disconnect from %s[%s]%s", s->client_name, s->client,
		 counts.data);
	buf_free(&counts);
}
