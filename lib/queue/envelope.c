#include "queue/envelope.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/err.h"
#include "base/str.h"

#define WORDS_MAX 4 /* of one record: rcpt ADDRESS NOTIFY ORCPT */
#define VALUE_MAX (4 << 20)

/* The fields that are plain text: name of the record and place. */
static const struct {
	const char *name;
	size_t offset;
} text_field[] = {
	{ "sender", offsetof(struct envelope, sender) },
	{ "envid", offsetof(struct envelope, envid) },
	{ "ret", offsetof(struct envelope, ret) },
	{ "body", offsetof(struct envelope, body) },
	{ "client", offsetof(struct envelope, client) },
	{ "client-name", offsetof(struct envelope, client_name) },
	{ "helo", offsetof(struct envelope, helo) },
	{ "login", offsetof(struct envelope, login) },
	{ "protocol", offsetof(struct envelope, protocol) },
	{ "tls", offsetof(struct envelope, tls) },
	{ "hold", offsetof(struct envelope, hold) },
	{ "prologue", offsetof(struct envelope, prologue) },
};

#define TEXT_FIELDS (sizeof(text_field) / sizeof(text_field[0]))

static const char **field_of(struct envelope *e, size_t i)
{
	return (const char **)(void *)((char *)e + text_field[i].offset);
}

static void put_word(struct buf *out, const char *word)
{
	buf_putc(out, ' ');
	encode_percent(out, word, strlen(word));
}

static void put_recipient(struct buf *out, const struct envelope_recipient *r)
{
	buf_puts(out, "rcpt");
	put_word(out, r->address);
	buf_printf(out, " %u", r->notify);
	put_word(out, r->orcpt ? r->orcpt : "");
	buf_putc(out, '\n');
}

void envelope_write(struct buf *out, const struct envelope *e)
{
	struct envelope copy = *e;

	for (size_t i = 0; i < TEXT_FIELDS; i++) {
		const char *value = *field_of(&copy, i);

		/* the sender is always there: it marks an envelope */
		if (i > 0 && (!value || !*value))
			continue;
		buf_puts(out, text_field[i].name);
		put_word(out, value ? value : "");
		buf_putc(out, '\n');
	}
	buf_printf(out, "arrival %" PRId64 "\n", e->arrival_us);
	if (e->smtputf8)
		buf_puts(out, "smtputf8 yes\n");
	for (size_t i = 0; i < e->nrecipients; i++)
		put_recipient(out, &e->recipient[i]);
}

/* Decodes the words of a line into memory of A. False if there are too many,
 * or one is not in percent encoding. */
static bool read_words(struct arena *a, const char *line, size_t n,
		       const char **word, size_t *nwords)
{
	*nwords = 0;
	for (const char *end = line + n;; line++) {
		const char *blank = memchr(line, ' ', (size_t)(end - line));
		const char *stop = blank ? blank : end;
		struct buf b;
		bool good;

		if (*nwords == WORDS_MAX)
			return false;
		buf_init(&b, VALUE_MAX);
		good = decode_percent(&b, line, (size_t)(stop - line)) &&
		       !memchr(b.data, '\0', b.len);
		word[(*nwords)++] = arena_strndup(a, b.data, b.len);
		buf_free(&b);
		if (!good || !blank)
			return good;
		line = blank;
	}
}

static bool take_recipient(struct arena *a, struct envelope *e, size_t *cap,
			   const char **word)
{
	struct envelope_recipient *bigger;
	int64_t notify;

	if (!str_to_int(word[2], 0, 15, &notify) || !*word[1])
		return false;
	if (e->nrecipients == *cap) {
		*cap = *cap ? *cap * 2 : 4;
		bigger = arena_alloc(a, *cap * sizeof(*bigger));
		if (e->nrecipients)
			memcpy(bigger, e->recipient,
			       e->nrecipients * sizeof(*bigger));
		e->recipient = bigger;
	}
	e->recipient[e->nrecipients++] =
		(struct envelope_recipient){ word[1], (unsigned)notify,
					     word[3] };
	return true;
}

static bool take_text(struct envelope *e, const char **word)
{
	for (size_t i = 0; i < TEXT_FIELDS; i++)
		if (strcmp(word[0], text_field[i].name) == 0) {
			*field_of(e, i) = word[1];
			return true;
		}
	/* a record of a later version: ignore it */
	return true;
}

static bool take_record(struct arena *a, struct envelope *e, size_t *cap,
			const char **word, size_t n)
{
	if (n == 4 && strcmp(word[0], "rcpt") == 0)
		return take_recipient(a, e, cap, word);
	if (n != 2)
		return false;
	if (strcmp(word[0], "arrival") == 0)
		return str_to_int(word[1], 0, INT64_MAX, &e->arrival_us);
	if (strcmp(word[0], "smtputf8") == 0) {
		e->smtputf8 = true;
		return true;
	}
	return take_text(e, word);
}

int envelope_read(struct arena *a, const char *data, size_t n,
		  struct envelope *e)
{
	size_t cap = 0;

	*e = (struct envelope){ .sender = NULL };
	for (size_t i = 1; i < TEXT_FIELDS; i++)
		*field_of(e, i) = "";
	while (n > 0) {
		const char *word[WORDS_MAX], *lf = memchr(data, '\n', n);
		size_t nwords, len;

		if (!lf)
			return ERR_SYNTAX;
		len = (size_t)(lf - data);
		if (!read_words(a, data, len, word, &nwords) ||
		    !take_record(a, e, &cap, word, nwords))
			return ERR_SYNTAX;
		data += len + 1;
		n -= len + 1;
	}
	return e->sender ? ERR_OK : ERR_SYNTAX;
}
