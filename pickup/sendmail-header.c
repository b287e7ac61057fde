/* The header of a message that a program gave us. */
#include <string.h>

#include "address/address.h"
#include "base/encode.h"
#include "base/err.h"
#include "intake/posting.h"
#include "mime/field.h"
#include "pickup/sendmail.h"


static const char *const plain[] = { "To", "Cc", "Bcc" };
static const char *const resent[] = { "Resent-To", "Resent-Cc", "Resent-Bcc" };

static bool is_one_of(const struct mime_field *f, const char *const *name)
{
	for (size_t i = 0; i < 3; i++)
		if (mime_field_is(f, name[i]))
			return true;
	return false;
}

/* A resent message is for those in its Resent- fields. */
static bool is_resent(const struct sendmail_header *h)
{
	const char *pos = h->data;
	struct mime_field f;

	while (mime_field_next(&pos, h->data + h->n, &f))
		if (is_one_of(&f, resent))
			return true;
	return false;
}

bool sendmail_extract(const struct sendmail *s, const struct sendmail_header *h,
		      struct strlist *out, struct buf *why)
{
	const char *const *names = is_resent(h) ? resent : plain;
	const char *pos = h->data;
	struct mime_field f;

	(void)s;
	while (mime_field_next(&pos, h->data + h->n, &f)) {
		int err;

		if (!is_one_of(&f, names))
			continue;
		err = address_header(f.value, f.nvalue, POSTING_RECIPIENTS_MAX,
				     out);
		if (!err)
			continue;
		buf_printf(why, "%.*s: %s", (int)f.nname, f.name,
			   err == ERR_LIMIT ? "too many recipients"
					    : "not a list of addresses");
		return false;
	}
	return true;
}

static bool needs_quotes(const char *name)
{
	return strpbrk(name, "()<>[]:;@\\,.\"") != NULL;
}

static bool is_ascii(const char *name)
{
	for (; *name; name++)
		if ((unsigned char)*name >= 0x7f)
			return false;
	return true;
}

/* Encoded words contain whole characters and have at most 75 bytes (RFC 2047
 * sections 2 and 5): 45 bytes of text become 60 of base64. */
static void put_encoded(struct buf *out, const char *name)
{
	size_t left = strlen(name);

	while (left > 0) {
		size_t n = left < 45 ? left : 45;

		while (n < left && n > 1 &&
		       ((unsigned char)name[n] & 0xc0) == 0x80)
			n--;
		buf_puts(out, "=?UTF-8?B?");
		encode_base64(out, name, n);
		buf_puts(out, left > n ? "?= " : "?=");
		name += n;
		left -= n;
	}
}

static void put_quoted(struct buf *out, const char *name)
{
	buf_putc(out, '"');
	for (; *name; name++) {
		if (*name == '"' || *name == '\\')
			buf_putc(out, '\\');
		buf_putc(out, *name);
	}
	buf_putc(out, '"');
}

void sendmail_put_mailbox(struct buf *out, const char *name,
			  const char *address)
{
	struct buf clean;

	buf_init(&clean, 1024);
	for (const char *p = name ? name : ""; *p; p++)
		buf_putc(&clean, (unsigned char)*p < ' ' ? ' ' : *p);
	if (clean.len == 0 || clean.over) {
		buf_puts(out, address);
		buf_free(&clean);
		return;
	}
	if (!is_ascii(clean.data) && str_is_utf8(clean.data, clean.len))
		put_encoded(out, clean.data);
	else if (!is_ascii(clean.data) || needs_quotes(clean.data))
		put_quoted(out, clean.data);
	else
		buf_puts(out, clean.data);
	buf_printf(out, " <%s>", address);
	buf_free(&clean);
}

/* The field's lines without a separator line of an mbox before them. */
static bool is_mbox_line(const struct mime_field *f)
{
	return f->nraw >= 5 && memcmp(f->raw, "From ", 5) == 0;
}

void sendmail_put_header(const struct sendmail *s,
			 const struct sendmail_header *h, const char *sender,
			 struct buf *out)
{
	const char *pos = h->data;
	struct mime_field f;
	bool from = false;

	while (mime_field_next(&pos, h->data + h->n, &f)) {
		from = from || mime_field_is(&f, "From");
		if (is_mbox_line(&f) ||
		    (s->options->extract && (mime_field_is(&f, "Bcc") ||
					     mime_field_is(&f, "Resent-Bcc"))))
			continue;
		buf_put(out, f.raw, f.nraw);
	}
	if (from || !*sender)
		return;
	if (out->len && out->data[out->len - 1] != '\n')
		buf_putc(out, '\n');
	buf_puts(out, "From: ");
	sendmail_put_mailbox(out, sendmail_full_name(s), sender);
	buf_putc(out, '\n');
}
