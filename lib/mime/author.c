#include "mime/author.h"

#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "mime/address.h"
#include "mime/decode.h"
#include "mime/token.h"

#define DOMAIN_MAX 255

struct author {
	mime_author_take *take;
	void *context;
};

static bool is_domain_byte(unsigned char c)
{
	return str_isalnum(c) || c >= 0x80 || (c && strchr("-_.", c));
}

static bool is_blank(char c)
{
	return str_isspace((unsigned char)c) || c == '\0';
}

/* The domain after the "@" before P in two readings: up to a blank, and with
 * blanks removed, as some programs do. */
static void give_domains_at(const struct author *w, const char *p,
			    const char *end)
{
	char domain[DOMAIN_MAX + 1];
	size_t n = 0;

	while (p < end && is_blank(*p))
		p++;
	for (; p < end && n < DOMAIN_MAX; p++) {
		if (is_domain_byte((unsigned char)*p)) {
			domain[n++] = *p;
			continue;
		}
		domain[n] = '\0';
		if (!is_blank(*p))
			break;
		if (n > 0 && !is_blank(p[-1]))
			w->take(w->context, domain, false);
	}
	domain[n] = '\0';
	if (n > 0)
		w->take(w->context, domain, false);
}

static void give_all(const struct author *w, const struct buf *b)
{
	const char *p = b->data, *end = p + b->len;

	while ((p = memchr(p, '@', (size_t)(end - p))))
		give_domains_at(w, ++p, end);
}

/* Those in < >, wherever that is. */
static void give_angles(const struct author *w, const struct buf *b)
{
	const char *p = b->data, *end = p + b->len, *close;

	while ((p = memchr(p, '<', (size_t)(end - p)))) {
		p++;
		close = memchr(p, '>', (size_t)(end - p));
		close = close ? close : end;
		while ((p = memchr(p, '@', (size_t)(close - p))))
			give_domains_at(w, ++p, close);
		p = close;
	}
}

/* FROM without comments, except what an unclosed one would hide. */
static void put_without_comments(struct buf *out, const struct buf *from)
{
	struct mime_scan s = { .p = from->data, .end = from->data + from->len };

	while (s.p < s.end) {
		if (*s.p == '(')
			mime_scan_blank(&s, NULL);
		else
			buf_putc(out, *s.p++);
	}
}

/* FROM with a blank after each encoded word, as some programs see it. */
static void put_apart(struct buf *out, const struct buf *from)
{
	for (size_t i = 0; i < from->len; i++) {
		if (from->data[i] == '=' && from->data[i + 1] == '?')
			buf_putc(out, ' ');
		buf_putc(out, from->data[i]);
		if (i > 0 && from->data[i - 1] == '?' && from->data[i] == '=')
			buf_putc(out, ' ');
	}
}

/* FROM without quotes and brackets. */
static void put_bare(struct buf *out, const struct buf *from)
{
	for (size_t i = 0; i < from->len; i++)
		if (!from->data[i] || !strchr("\\\"<>", from->data[i]))
			buf_putc(out, from->data[i]);
}

/* All that programs may read in a malformed field, and what it hides. */
static void give_readings(const struct author *w, const struct buf *value)
{
	struct buf plain, bare;

	buf_init(&plain, value->len);
	buf_init(&bare, value->len);
	put_without_comments(&plain, value);
	give_all(w, value);
	give_all(w, &plain);
	put_bare(&bare, value);
	give_all(w, &bare);
	buf_reset(&bare);
	put_bare(&bare, &plain);
	give_all(w, &bare);
	buf_free(&plain);
	buf_free(&bare);
}

static void give_shown(void *context, const struct mime_address *a)
{
	const struct author *w = context;

	if (a->kind == MIME_MAILBOX)
		w->take(w->context, a->domain.data, true);
}

static void give_hidden(void *context, const struct mime_address *a)
{
	const struct author *w = context;

	if (a->kind == MIME_MAILBOX)
		w->take(w->context, a->domain.data, false);
}

/* What some programs take for "@", "<" or ">" at P, N (Unicode's NFKC): that
 * byte, or 0. Each is three bytes long. */
static char narrow_of(const char *p, size_t n)
{
	static const struct {
		const char *wide;
		char narrow;
	} forms[] = {
		{ "\xef\xbc\xa0", '@' }, { "\xef\xb9\xab", '@' },
		{ "\xef\xbc\x9c", '<' }, { "\xef\xb9\xa4", '<' },
		{ "\xef\xbc\x9e", '>' }, { "\xef\xb9\xa5", '>' },
	};

	for (size_t i = 0; n >= 3 && i < sizeof(forms) / sizeof(*forms); i++)
		if (memcmp(p, forms[i].wide, 3) == 0)
			return forms[i].narrow;
	return 0;
}

static void make_narrow(struct buf *b)
{
	size_t to = 0;

	for (size_t i = 0; i < b->len; i++) {
		char narrow = narrow_of(b->data + i, b->len - i);

		b->data[to++] = narrow ? narrow : b->data[i];
		i += narrow ? 2 : 0;
	}
	buf_truncate(b, to);
}

/* What RAW and its encoded words show, as MORE than names if it is not by the
 * grammar. False: a word may show something else. */
static bool give_texts(const struct author *w, const struct buf *raw, bool more)
{
	struct buf decoded, apart;
	bool all;

	buf_init(&apart, 3 * raw->len);
	buf_init(&decoded, 12 * raw->len + 1);
	all = mime_decode_words(&decoded, raw->data, raw->len);
	make_narrow(&decoded);
	give_angles(w, raw);
	give_angles(w, &decoded);
	if (more) {
		give_readings(w, raw);
		give_readings(w, &decoded);
		put_apart(&apart, raw);
		buf_reset(&decoded);
		mime_decode_words(&decoded, apart.data, apart.len);
		make_narrow(&decoded);
		give_readings(w, &decoded);
	}
	buf_free(&apart);
	buf_free(&decoded);
	return all;
}

bool mime_author_domains(const char *value, size_t n, mime_author_take *take,
			 void *context)
{
	struct author w = { take, context };
	enum mime_address_form narrow,
		form = mime_address_list(value, n, 0, give_shown, &w);
	bool apart = mime_words_apart(value, n), all;
	struct buf raw;

	buf_init(&raw, n);
	buf_put(&raw, value, n);
	all = give_texts(&w, &raw, form != MIME_BY_GRAMMAR || !apart);
	make_narrow(&raw);
	if (raw.len < n) {
		narrow = mime_address_list(raw.data, raw.len, 0, give_hidden,
					   &w);
		give_texts(&w, &raw, narrow != MIME_BY_GRAMMAR || !apart);
	}
	buf_free(&raw);
	return all && form != MIME_ENTANGLED;
}
