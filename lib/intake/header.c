#include "intake/header.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

void intake_header_init(struct intake_header *h)
{
	*h = (struct intake_header){ .arena = arena_new() };
}

void intake_header_free(struct intake_header *h)
{
	arena_free(&h->arena);
	free(h->field);
	h->field = NULL;
}

/* A field's name is printable, without spaces (RFC 5322 section 2.2). */
static bool is_name(const char *name, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (name[i] <= ' ' || name[i] >= 0x7f || name[i] == ':')
			return false;
	return n > 0;
}

/* Text in which each line end is followed by white space, and no line is blank,
 * or programs would see the end of the header there. */
static bool is_value(const char *value)
{
	bool text = false;

	for (const char *p = value; *p; p++) {
		if (*p == '\n')
			return false;
		if (*p != '\r') {
			text |= !str_isspace((unsigned char)*p);
			continue;
		}
		if (!text || p[1] != '\n' || (p[2] != ' ' && p[2] != '\t'))
			return false;
		text = false;
		p++;
	}
	return text || !strchr(value, '\r');
}

static void open_place(struct intake_header *h, size_t at)
{
	if (h->n == h->cap) {
		h->cap = h->cap ? h->cap * 2 : 32;
		h->field = mem_resize(h->field, h->cap, sizeof(*h->field));
	}
	memmove(&h->field[at + 1], &h->field[at],
		(h->n - at) * sizeof(*h->field));
	h->n++;
}

/* "From joe Mon …" of a mailbox file, which is not a field. */
static const char *skip_mailbox_line(const char *p, const char *end)
{
	const char *start = p, *lf;

	if (p < end && *p == '>')
		p++;
	if (end - p < 5 || memcmp(p, "From ", 5) != 0)
		return start;
	lf = memchr(p, '\n', (size_t)(end - p));
	return lf ? lf + 1 : end;
}

void intake_header_read(struct intake_header *h, const char *data, size_t n)
{
	const char *end = data + n, *pos = skip_mailbox_line(data, end);
	struct mime_field field;

	arena_reset(h->arena);
	h->n = 0;
	h->changed = false;
	h->body = pos;
	while (mime_field_next(&pos, end, &field)) {
		if (!is_name(field.name, field.nname)) {
			h->body = field.raw;
			return;
		}
		open_place(h, h->n);
		h->field[h->n - 1] = field;
		h->body = pos;
	}
	h->body = pos;
}

size_t intake_header_find(const struct intake_header *h, const char *name,
			  size_t from)
{
	while (from < h->n && !mime_field_is(&h->field[from], name))
		from++;
	return from < h->n ? from : h->n;
}

void intake_header_value(const struct intake_header *h, size_t at,
			 struct buf *out)
{
	mime_unfold(out, h->field[at].value, h->field[at].nvalue);
}

/* The field NAME: VALUE in memory of H. */
static struct mime_field make(struct intake_header *h, const char *name,
			      size_t nname, const char *value)
{
	char *raw =
		arena_printf(h->arena, "%.*s: %s\r\n", (int)nname, name, value);

	return (struct mime_field){ .raw = raw,
				    .nraw = strlen(raw),
				    .name = raw,
				    .nname = nname,
				    .value = raw + nname + 2,
				    .nvalue = strlen(value) };
}

bool intake_header_insert(struct intake_header *h, size_t at, const char *name,
			  const char *value)
{
	size_t n = strlen(name);

	if (at > h->n || !is_name(name, n) || !is_value(value))
		return false;
	open_place(h, at);
	h->field[at] = make(h, name, n, value);
	h->changed = true;
	return true;
}

bool intake_header_change(struct intake_header *h, size_t at, const char *value)
{
	const struct mime_field *old = &h->field[at];

	if (at >= h->n || !is_value(value))
		return false;
	h->field[at] = make(h, old->name, old->nname, value);
	h->changed = true;
	return true;
}

void intake_header_remove(struct intake_header *h, size_t at)
{
	if (at >= h->n)
		return;
	h->n--;
	memmove(&h->field[at], &h->field[at + 1],
		(h->n - at) * sizeof(*h->field));
	h->changed = true;
}

/* The list is compacted once, however many are removed. */
void intake_header_remove_all(struct intake_header *h, const char *name,
			      bool (*gone)(const struct mime_field *f,
					   const void *context),
			      const void *context)
{
	size_t kept = 0;

	for (size_t i = 0; i < h->n; i++)
		if (!mime_field_is(&h->field[i], name) ||
		    (gone && !gone(&h->field[i], context)))
			h->field[kept++] = h->field[i];
	h->changed |= kept < h->n;
	h->n = kept;
}

/* Adjacent unchanged fields are written together. */
void intake_header_write(const struct intake_header *h, struct buf *out)
{
	for (size_t i = 0; i < h->n;) {
		const char *from = h->field[i].raw, *to = from;

		while (i < h->n && h->field[i].raw == to)
			to += h->field[i++].nraw;
		buf_put(out, from, (size_t)(to - from));
	}
	buf_puts(out, "\r\n");
}

void intake_header_settled(struct intake_header *h)
{
	h->changed = false;
}
