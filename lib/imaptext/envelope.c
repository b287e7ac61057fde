#include "imaptext/imaptext.h"

#include <string.h>

#include "mime/field.h"

enum {
	DATE,
	SUBJECT,
	FROM,
	SENDER,
	REPLY_TO,
	TO,
	CC,
	BCC,
	IN_REPLY_TO,
	MESSAGE_ID,
	NFIELDS
};

/* In the order of RFC 3501 section 7.4.2. */
static const struct {
	const char *name;
	bool addresses;
	bool from; /* if missing or empty, that of From */
} row[NFIELDS] = {
	[DATE] = { "Date", false, false },
	[SUBJECT] = { "Subject", false, false },
	[FROM] = { "From", true, false },
	[SENDER] = { "Sender", true, true },
	[REPLY_TO] = { "Reply-To", true, true },
	[TO] = { "To", true, false },
	[CC] = { "Cc", true, false },
	[BCC] = { "Bcc", true, false },
	[IN_REPLY_TO] = { "In-Reply-To", false, false },
	[MESSAGE_ID] = { "Message-ID", false, false },
};

#define VALUE_MAX (256 << 10)

/* Where the fields of an envelope are. If a field occurs several times the
 * first counts, but address fields are joined. */
struct found {
	struct mime_field first[NFIELDS];
	struct buf joined[NFIELDS];
};

static void add(struct found *found, int i, const struct mime_field *f)
{
	struct buf *joined = &found->joined[i];

	if (!found->first[i].raw) {
		found->first[i] = *f;
		return;
	}
	if (!row[i].addresses)
		return;
	if (joined->len == 0)
		buf_put(joined, found->first[i].value, found->first[i].nvalue);
	buf_puts(joined, ", ");
	buf_put(joined, f->value, f->nvalue);
}

static void collect(const char *header, size_t n, struct found *found)
{
	const char *pos = header;
	struct mime_field f;
	int i;

	memset(found, 0, sizeof(*found));
	for (i = 0; i < NFIELDS; i++)
		buf_init(&found->joined[i], VALUE_MAX);
	while (mime_field_next(&pos, header + n, &f))
		for (i = 0; i < NFIELDS; i++)
			if (mime_field_is(&f, row[i].name)) {
				add(found, i, &f);
				break;
			}
	for (i = 0; i < NFIELDS; i++)
		if (found->joined[i].len > 0) {
			found->first[i].value = found->joined[i].data;
			found->first[i].nvalue = found->joined[i].len;
		}
}

static void put_text(struct buf *out, const struct mime_field *f,
		     struct buf *value)
{
	buf_reset(value);
	if (!f->raw) {
		buf_puts(out, "NIL");
		return;
	}
	mime_unfold(value, f->value, f->nvalue);
	imap_put_string(out, value->data, value->len);
}

/* The address list of F; false, and nothing put, if it is empty. */
static bool put_list(struct buf *out, const struct mime_field *f)
{
	size_t before = out->len;

	if (!f->raw)
		return false;
	imap_addresses(out, f->value, f->nvalue);
	if (out->len > before && out->data[before] == '(')
		return true;
	buf_truncate(out, before);
	return false;
}

void imap_envelope(struct buf *out, const char *header, size_t n)
{
	struct found found;
	const struct mime_field *f = found.first;
	struct buf value;
	int i;

	collect(header, n, &found);
	buf_init(&value, VALUE_MAX);
	for (i = 0; i < NFIELDS; i++) {
		buf_putc(out, i == 0 ? '(' : ' ');
		if (!row[i].addresses)
			put_text(out, &f[i], &value);
		else if (!put_list(out, &f[i]) &&
			 !(row[i].from && put_list(out, &f[FROM])))
			buf_puts(out, "NIL");
	}
	buf_putc(out, ')');
	for (i = 0; i < NFIELDS; i++)
		buf_free(&found.joined[i]);
	buf_free(&value);
}
