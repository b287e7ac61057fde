#include "mime/field.h"

#include <string.h>

#include "base/str.h"

/* The byte after the line at P. */
static const char *line_end(const char *p, const char *end)
{
	const char *lf = memchr(p, '\n', (size_t)(end - p));

	return lf ? lf + 1 : end;
}

static bool is_blank(int c)
{
	return c == ' ' || c == '\t';
}

/* Is the line at P, which ends before NEXT, empty? */
static bool empty_line(const char *p, const char *next)
{
	return *p == '\n' || (*p == '\r' && next - p == 2 && p[1] == '\n');
}

/* How many bytes of line end there are before END. */
static size_t line_end_size(const char *start, const char *end)
{
	if (end == start || end[-1] != '\n')
		return 0;
	return end - start > 1 && end[-2] == '\r' ? 2 : 1;
}

bool mime_field_next(const char **pos, const char *end, struct mime_field *f)
{
	const char *p = *pos, *next, *colon;

	if (p >= end)
		return false;
	next = line_end(p, end);
	if (empty_line(p, next)) {
		*pos = next;
		return false;
	}
	colon = memchr(p, ':', (size_t)(next - p));
	while (next < end && is_blank(*next))
		next = line_end(next, end);
	f->raw = p;
	f->nraw = (size_t)(next - p);
	f->name = p;
	f->nname = colon ? (size_t)(colon - p) : 0;
	while (f->nname > 0 && is_blank(p[f->nname - 1]))
		f->nname--;
	f->value = colon ? colon + 1 : p;
	f->nvalue = (size_t)(next - f->value) - line_end_size(f->value, next);
	*pos = next;
	return true;
}

bool mime_field_is(const struct mime_field *f, const char *name)
{
	return f->nname > 0 && str_span_is(f->name, f->nname, name);
}

bool mime_field_find(const char *header, size_t n, const char *name,
		     struct mime_field *f)
{
	const char *pos = header;

	while (mime_field_next(&pos, header + n, f))
		if (mime_field_is(f, name))
			return true;
	return false;
}

size_t mime_header_size(const char *data, size_t n)
{
	const char *p = data, *end = data + n, *next;

	for (; p < end; p = next) {
		next = line_end(p, end);
		if (empty_line(p, next))
			return (size_t)(next - data);
	}
	return n;
}

size_t mime_header_end(const char *data, size_t n, size_t seen)
{
	size_t from = seen > 3 ? seen - 3 : 0;
	const char *gap;

	if (n >= 2 && memcmp(data, "\r\n", 2) == 0)
		return 2;
	gap = memmem(data + from, n - from, "\r\n\r\n", 4);
	return gap ? (size_t)(gap - data) + 4 : 0;
}

void mime_unfold(struct buf *out, const char *value, size_t n)
{
	const char *end = value + n, *p, *next;

	while (value < end && str_isspace((unsigned char)*value))
		value++;
	while (value < end && str_isspace((unsigned char)end[-1]))
		end--;
	for (p = value; p < end; p = next) {
		next = line_end(p, end);
		buf_put(out, p, (size_t)(next - p) - line_end_size(p, next));
		/* A tab from folding is a space to a reader. */
		if (next < end && *next == '\t') {
			buf_putc(out, ' ');
			next++;
		}
	}
}
