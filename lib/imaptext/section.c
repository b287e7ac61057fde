#include "imaptext/section.h"

#include <string.h>

#include "mime/crlf.h"
#include "mime/field.h"

static const struct {
	const char *word;
	enum imap_section_what what;
} words[] = {
	{ "HEADER", IMAP_SECTION_HEADER },
	{ "HEADER.FIELDS", IMAP_SECTION_FIELDS },
	{ "HEADER.FIELDS.NOT", IMAP_SECTION_FIELDS_NOT },
	{ "TEXT", IMAP_SECTION_TEXT },
	{ "MIME", IMAP_SECTION_MIME },
};

/* Takes "1.2." off the front of TEXT; gives the rest, or NULL. */
static const char *parse_path(const char *p, const char *end,
			      struct imap_section *s)
{
	int64_t number;
	const char *stop;

	while (p < end && str_isdigit((unsigned char)*p)) {
		for (stop = p; stop < end; stop++)
			if (!str_isdigit((unsigned char)*stop))
				break;
		if (s->npath == MIME_DEPTH_MAX ||
		    !str_span_to_int(p, (size_t)(stop - p), 1, UINT32_MAX,
				     &number))
			return NULL;
		s->path[s->npath++] = (unsigned)number;
		if (stop == end)
			return stop;
		if (*stop != '.' || stop + 1 == end)
			return NULL;
		p = stop + 1;
	}
	return p;
}

bool imap_section_parse(const char *text, size_t n, struct imap_section *s)
{
	const char *end = text + n, *p;
	size_t i;

	s->npath = 0;
	s->what = IMAP_SECTION_ALL;
	p = parse_path(text, end, s);
	if (!p)
		return false;
	if (p == end)
		return true;
	for (i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (str_span_is(p, (size_t)(end - p), words[i].word)) {
			s->what = words[i].what;
			return s->what != IMAP_SECTION_MIME || s->npath > 0;
		}
	return false;
}

/* What BODYSTRUCTURE shows in a multipart without parts. */
static const struct mime_part empty = { .kind = MIME_LEAF };

static const struct mime_part *child(const struct mime_part *part,
				     unsigned number)
{
	const struct mime_part *c = part->child ? part->child : &empty;

	while (c && --number > 0)
		c = c->next;
	return c;
}

/* The part that PATH leads to. A message that is not a multipart has one part,
 * number 1: its body. */
static const struct mime_part *walk(const struct mime_part *root,
				    const struct imap_section *s)
{
	const struct mime_part *part = root;
	bool message = true; /* PART stands for a message, not a body part */
	int i;

	for (i = 0; part && i < s->npath; i++) {
		if (!message && part->kind == MIME_MESSAGE) {
			part = part->child;
			message = true;
		}
		if (part->kind == MIME_MULTIPART)
			part = child(part, s->path[i]);
		else if (!message || s->path[i] != 1)
			return NULL;
		message = false;
	}
	return part;
}

bool imap_section_find(const struct mime_part *root,
		       const struct imap_section *s, size_t *at, size_t *n)
{
	const struct mime_part *part = walk(root, s);
	bool mime = s->what == IMAP_SECTION_MIME;
	bool all = s->what == IMAP_SECTION_ALL;

	if (!part)
		return false;
	if (all && s->npath == 0) {
		*at = part->header;
		*n = part->body + part->nbody - part->header;
		return true;
	}
	if (!all && !mime && s->npath > 0) {
		if (part->kind != MIME_MESSAGE)
			return false;
		part = part->child;
	}
	if (all || s->what == IMAP_SECTION_TEXT) {
		*at = part->body;
		*n = part->nbody;
	} else {
		*at = part->header;
		*n = part->nheader;
	}
	return true;
}

static bool listed(const struct strlist *names, const struct mime_field *f)
{
	size_t i;

	for (i = 0; i < names->n; i++)
		if (mime_field_is(f, names->item[i]))
			return true;
	return false;
}

void imap_put_fields(struct buf *out, const char *header, size_t n,
		     const struct strlist *names, bool not )
{
	const char *pos = header;
	struct mime_field f;

	while (mime_field_next(&pos, header + n, &f)) {
		if (listed(names, &f) == not )
			continue;
		mime_put_crlf(out, 0, f.raw, f.nraw);
		if (f.raw[f.nraw - 1] != '\n')
			buf_puts(out, "\r\n");
	}
	buf_puts(out, "\r\n");
}
