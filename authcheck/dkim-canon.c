#include "authcheck/dkim-canon.h"

#include <string.h>

#include "base/str.h"

/* Unfolded; runs of white space become one space, none stands at either end. */
static void put_relaxed(struct buf *out, const char *p, size_t n)
{
	const char *end = p + n;
	bool blank = false, any = false;

	for (; p < end; p++) {
		if (*p == '\r' && p + 1 < end && p[1] == '\n') {
			p++;
			continue;
		}
		if (*p == ' ' || *p == '\t') {
			blank = true;
			continue;
		}
		if (blank && any)
			buf_putc(out, ' ');
		buf_putc(out, *p);
		blank = false;
		any = true;
	}
}

static void put_name(struct buf *out, const struct mime_field *f)
{
	for (size_t i = 0; i < f->nname; i++)
		buf_putc(out, (char)str_tolower((unsigned char)f->name[i]));
	buf_putc(out, ':');
}

/* RAW up to its value as it is: name, blanks, colon. */
static void put_start(struct buf *out, const struct mime_field *f, bool relaxed)
{
	if (relaxed)
		put_name(out, f);
	else
		buf_put(out, f->raw, (size_t)(f->value - f->raw));
}

static void put_value(struct buf *out, const char *value, size_t n,
		      bool relaxed)
{
	if (relaxed)
		put_relaxed(out, value, n);
	else
		buf_put(out, value, n);
}

void dkim_canon_field(struct buf *out, const struct mime_field *f, bool relaxed)
{
	put_start(out, f, relaxed);
	put_value(out, f->value, f->nvalue, relaxed);
}

/* Is P, up to its "=" at EQUAL, the name b? */
static bool is_b(const char *p, const char *equal)
{
	while (p < equal && str_isspace((unsigned char)*p))
		p++;
	while (p < equal && str_isspace((unsigned char)equal[-1]))
		equal--;
	return equal - p == 1 && *p == 'b';
}

void dkim_canon_signature(struct buf *out, const struct mime_field *f,
			  bool relaxed)
{
	const char *p = f->value, *end = p + f->nvalue;
	struct buf without;

	buf_init(&without, f->nvalue + 1);
	while (p < end) {
		const char *stop = memchr(p, ';', (size_t)(end - p)), *equal;

		stop = stop ? stop : end;
		equal = memchr(p, '=', (size_t)(stop - p));
		buf_put(&without, p,
			(size_t)((equal && is_b(p, equal) ? equal + 1 : stop) -
				 p));
		if (stop < end)
			buf_putc(&without, ';');
		p = stop < end ? stop + 1 : end;
	}
	put_start(out, f, relaxed);
	put_value(out, without.data, without.len, relaxed);
	buf_free(&without);
}

void dkim_canon_begin(struct dkim_canon *c, bool relaxed,
		      void (*take)(void *context, const char *data, size_t n),
		      void *context)
{
	*c = (struct dkim_canon){ .relaxed = relaxed,
				  .take = take,
				  .context = context };
}

static void give(struct dkim_canon *c, const char *data, size_t n)
{
	c->take(c->context, data, n);
	c->length += (int64_t)n;
}

/* What was held back, since it might have been at an end. */
static void give_held(struct dkim_canon *c)
{
	for (; c->lines > 0; c->lines--)
		give(c, "\r\n", 2);
	if (c->blank)
		give(c, " ", 1);
	c->blank = false;
}

static void give_text(struct dkim_canon *c, const char *data, size_t n)
{
	give_held(c);
	give(c, data, n);
	c->open = c->any = true;
}

static void end_line(struct dkim_canon *c)
{
	c->blank = c->open = false;
	c->lines++;
}

static bool is_special(const struct dkim_canon *c, char byte)
{
	return byte == '\r' || (c->relaxed && (byte == ' ' || byte == '\t'));
}

void dkim_canon_body(struct dkim_canon *c, const char *data, size_t n)
{
	const char *end = data + n;

	while (data < end) {
		const char *p = data;

		if (c->cr) {
			c->cr = false;
			if (*data == '\n') {
				end_line(c);
				data++;
			} else {
				give_text(c, "\r", 1);
			}
			continue;
		}
		while (p < end && !is_special(c, *p))
			p++;
		if (p > data)
			give_text(c, data, (size_t)(p - data));
		if (p < end && *p == '\r')
			c->cr = true;
		else if (p < end)
			c->blank = true;
		data = p < end ? p + 1 : end;
	}
}

/* Empty lines at the end are none, and the last line has an end. */
void dkim_canon_end(struct dkim_canon *c)
{
	if (c->cr)
		give_text(c, "\r", 1);
	c->blank = false;
	c->lines = 0;
	if (c->any || !c->relaxed)
		give(c, "\r\n", 2);
}
