/*
 * Signing: one handle per key, all fed in the same pass over the message.
 * Always relaxed/relaxed: with simple header canonicalization the library's
 * Ed25519 signatures are wrong.
 */
#include <string.h>

#include "authcheck/dkim-library.h"
#include "authcheck/dkim.h"
#include "base/err.h"

#define FIELD_NAME DKIM_SIGNHEADER ": "

struct signers {
	DKIM *dkim[KEYS_PER_DOMAIN];
	size_t n;
};

static bool put_header(const struct signers *s, const struct message *m)
{
	const char *pos = m->data, *end = m->data + m->header;
	struct mime_field f;

	while (mime_field_next(&pos, end, &f))
		for (size_t i = 0; i < s->n; i++)
			dkim_library_field(s->dkim[i], &f);
	for (size_t i = 0; i < s->n; i++)
		if (dkim_eoh(s->dkim[i]) != DKIM_STAT_OK)
			return false;
	return true;
}

static bool put_body(void *context, char *data, size_t n)
{
	const struct signers *s = context;

	for (size_t i = 0; i < s->n; i++)
		if (!dkim_library_body(s->dkim[i], data, n))
			return false;
	return true;
}

/* Appends the library's text with all its line ends CRLF and a tab. */
static void put_folded(struct buf *fields, const char *text, size_t n)
{
	const char *end = text + n;

	buf_puts(fields, FIELD_NAME);
	while (text < end) {
		size_t line = strcspn(text, "\r\n");

		buf_put(fields, text, line);
		text += line;
		if (text == end)
			break;
		text += strspn(text, "\r\n\t ");
		buf_puts(fields, "\r\n\t");
	}
	buf_puts(fields, "\r\n");
}

static bool finish(const struct signers *s, struct buf *fields)
{
	for (size_t i = 0; i < s->n; i++) {
		u_char *text;
		size_t n;

		if (dkim_eom(s->dkim[i], NULL) != DKIM_STAT_OK ||
		    dkim_getsighdr_d(s->dkim[i], strlen(FIELD_NAME), &text,
				     &n) != DKIM_STAT_OK)
			return false;
		put_folded(fields, (const char *)text, n);
	}
	return true;
}

static int refused(const char *what, const char *domain)
{
	return err_set(ERR_UNSUPPORTED, "libopendkim refuses %s %s", what,
		       domain);
}

static int sign(struct signers *s, const struct message *m, struct buf *fields)
{
	size_t before = fields->len;
	int err;

	if (!put_header(s, m))
		return refused("the header", "");
	err = message_body(m, put_body, s);
	if (!err && !finish(s, fields)) {
		buf_truncate(fields, before);
		err = refused("the message", "");
	}
	return err;
}

int dkim_sign_message(const struct message *m,
		      const struct dkim_key *const *key, size_t n,
		      struct buf *fields)
{
	struct signers s = { { NULL }, 0 };
	int err = ERR_OK;

	while (!err && s.n < n && s.n < KEYS_PER_DOMAIN) {
		s.dkim[s.n] = dkim_library_signer(key[s.n]);
		if (!s.dkim[s.n])
			err = refused("a key of", key[s.n]->domain);
		else
			s.n++;
	}
	if (!err && s.n > 0)
		err = sign(&s, m, fields);
	for (size_t i = 0; i < s.n; i++)
		dkim_free(s.dkim[i]);
	return err;
}
