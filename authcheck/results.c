#include "authcheck/results.h"

#include <string.h>

#include "authcheck/dmarc-words.h"
#include "base/str.h"

#define VALUE_BYTES 255 /* of one value, so that no line gets too long */
#define COLUMNS 76	/* of a line, where its values allow */
#define B_BYTES 8	/* of header.b (RFC 6008) */

/* Not in a token (RFC 2045 section 5.1). */
static const char specials[] = "()<>@,;:\\\"/[]?=";

static bool is_token(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] <= ' ' || s[i] > '~' || strchr(specials, s[i]))
			return false;
	return n > 0;
}

static void put_value(struct buf *out, const char *s, size_t n)
{
	if (n > VALUE_BYTES)
		n = VALUE_BYTES;
	if (is_token(s, n)) {
		buf_put(out, s, n);
		return;
	}
	buf_putc(out, '"');
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '"' || s[i] == '\\')
			buf_putc(out, '\\');
		buf_putc(out, str_isprint((unsigned char)s[i]) ? s[i] : '?');
	}
	buf_putc(out, '"');
}

/* A space, or a fold if N more bytes do not fit the line. */
static void put_blank(struct buf *out, size_t n)
{
	const char *line = memrchr(out->data, '\n', out->len);
	size_t column =
		line ? (size_t)(out->data + out->len - line) + 7 : out->len;

	buf_puts(out, column + n + 1 > COLUMNS ? "\r\n\t\t" : " ");
}

static void put_property(struct buf *out, const char *name, const char *value)
{
	size_t n = strlen(value);

	if (n == 0)
		return;
	put_blank(out, strlen(name) + 1 + n);
	buf_printf(out, "%s=", name);
	put_value(out, value, n);
}

static void begin_result(struct buf *out, const char *method,
			 const char *result, const char *why)
{
	buf_printf(out, ";\r\n\t%s=%s", method, result);
	put_property(out, "reason", why);
}

/* local@domain as RFC 8601 section 2.2 wants it (pvalue); if the address is not
 * allowed there, only the domain. */
static void put_sender(struct buf *out, const char *sender)
{
	const char *at = strrchr(sender, '@');
	const char *domain = at ? at + 1 : sender;

	put_blank(out, strlen("smtp.mailfrom=") + strlen(sender));
	buf_puts(out, "smtp.mailfrom=");
	if (at && strlen(sender) <= VALUE_BYTES &&
	    is_token(sender, (size_t)(at - sender)) &&
	    is_token(domain, strlen(domain)))
		buf_puts(out, sender);
	else
		put_value(out, domain, strlen(domain));
}

static void put_spf(struct buf *out, const struct results *r)
{
	begin_result(out, "spf", spf_word(r->spf), r->spf_why);
	if (*r->sender)
		put_sender(out, r->sender);
	else
		put_property(out, "smtp.helo", r->helo);
}

static void put_signature(struct buf *out, const struct dkim_signature *s)
{
	char b[B_BYTES + 1] = "";

	strncat(b, s->b, B_BYTES);
	begin_result(out, "dkim", dkim_word(s->result), s->why);
	put_property(out, "header.d", s->domain);
	put_property(out, "header.s", s->selector);
	put_property(out, "header.a", s->algorithm);
	put_property(out, "header.b", b);
}

static void put_dkim(struct buf *out, const struct dkim_result *d)
{
	if (d->n == 0)
		begin_result(out, "dkim", dkim_word(d->summary), "");
	for (size_t i = 0; i < d->n; i++)
		put_signature(out, &d->signature[i]);
}

static void put_dmarc(struct buf *out, const struct dmarc_result *d)
{
	begin_result(out, "dmarc", dmarc_word(d->result), "");
	if (d->result == DMARC_PASS || d->result == DMARC_FAIL)
		buf_printf(out, " (p=%s dis=%s)",
			   dmarc_policy_word(d->published),
			   dmarc_policy_word(d->disposition));
	put_property(out, "header.from", d->domain);
}

void results_write(struct buf *out, const char *authserv,
		   const struct results *r)
{
	buf_puts(out, "Authentication-Results: ");
	put_value(out, authserv, strlen(authserv));
	put_spf(out, r);
	put_dkim(out, r->dkim);
	put_dmarc(out, r->dmarc);
	buf_puts(out, "\r\n");
}
