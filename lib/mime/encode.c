#include "mime/encode.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/encode.h"
#include "base/err.h"

#define LINE_MAX_QP 76 /* with the "=" of a soft line end */
#define LINE_BYTES 57  /* of base64: 76 characters */
#define OUT_SIZE 4096

/* What is on its way to the sink. */
struct out {
	mime_sink *sink;
	void *context;
	size_t n;
	size_t column; /* of the line that is being written */
	int err;
	char data[OUT_SIZE];
};

static void flush(struct out *o)
{
	if (!o->err && o->n > 0)
		o->err = o->sink(o->context, o->data, o->n);
	o->n = 0;
}

static void put(struct out *o, const char *data, size_t n)
{
	if (o->n + n > sizeof(o->data))
		flush(o);
	memcpy(o->data + o->n, data, n);
	o->n += n;
	o->column += n;
}

static int finish(struct out *o)
{
	flush(o);
	return o->err;
}

static void end_line(struct out *o)
{
	put(o, "\r\n", 2);
	o->column = 0;
}

/* Makes room for WIDTH characters in the line. */
static void make_room(struct out *o, size_t width)
{
	if (o->column + width < LINE_MAX_QP)
		return;
	put(o, "=", 1);
	end_line(o);
}

static void put_escaped(struct out *o, char byte)
{
	static const char hex[] = "0123456789ABCDEF";
	unsigned char c = (unsigned char)byte;
	const char coded[3] = { '=', hex[c >> 4], hex[c & 15] };

	make_room(o, 3);
	put(o, coded, 3);
}

static bool is_line_end(const char *p, const char *end)
{
	return end - p >= 2 && p[0] == '\r' && p[1] == '\n';
}

/* May the byte at P be written literally? White space at a line's end may be
 * lost in transit. */
static bool is_plain(const char *p, const char *end)
{
	unsigned char c = (unsigned char)*p;

	if (c == ' ' || c == '\t')
		return p + 1 < end && !is_line_end(p + 1, end);
	return c > ' ' && c < 0x7f && c != '=';
}

int mime_encode_qp(const char *data, size_t n, mime_sink *sink, void *context)
{
	struct out o = { .sink = sink, .context = context };
	const char *p = data, *end = data + n;

	for (; p < end && !o.err; p++) {
		if (is_line_end(p, end)) {
			end_line(&o);
			p++;
		} else if (is_plain(p, end)) {
			make_room(&o, 1);
			put(&o, p, 1);
		} else {
			put_escaped(&o, *p);
		}
	}
	return finish(&o);
}

int mime_mend_qp(const char *data, size_t n, mime_sink *sink, void *context)
{
	struct out o = { .sink = sink, .context = context };
	const char *p = data, *end = data + n;

	for (; p < end && !o.err; p++) {
		if ((unsigned char)*p >= 0x80)
			put_escaped(&o, *p);
		else
			put(&o, p, 1);
		if (*p == '\n')
			o.column = 0;
	}
	return finish(&o);
}

int mime_encode_base64(const char *data, size_t n, mime_sink *sink,
		       void *context)
{
	struct out o = { .sink = sink, .context = context };
	struct buf line;

	buf_init(&line, 2 * LINE_MAX_QP);
	for (size_t at = 0; at < n && !o.err; at += LINE_BYTES) {
		size_t left = n - at;

		buf_reset(&line);
		encode_base64(&line, data + at,
			      left < LINE_BYTES ? left : LINE_BYTES);
		if (at > 0)
			end_line(&o);
		put(&o, line.data, line.len);
	}
	buf_free(&line);
	return finish(&o);
}

int mime_mend_base64(const char *data, size_t n, mime_sink *sink, void *context)
{
	struct out o = { .sink = sink, .context = context };

	for (size_t i = 0; i < n && !o.err; i++)
		if ((unsigned char)data[i] < 0x80)
			put(&o, data + i, 1);
	return finish(&o);
}

int mime_mask(const char *data, size_t n, mime_sink *sink, void *context)
{
	struct out o = { .sink = sink, .context = context };

	for (size_t i = 0; i < n && !o.err; i++)
		put(&o, (unsigned char)data[i] < 0x80 ? data + i : "?", 1);
	return finish(&o);
}

/* Skips eight bytes of ASCII at a time. */
static const char *skip_ascii(const char *p, const char *end)
{
	uint64_t word;

	for (; end - p >= 8; p += 8) {
		memcpy(&word, p, 8);
		if (word & UINT64_C(0x8080808080808080))
			break;
	}
	return p;
}

size_t mime_count_8bit(const char *data, size_t n, size_t max)
{
	const char *p = data, *end = data + n;
	size_t found = 0;

	while (p < end && found < max) {
		p = skip_ascii(p, end);
		for (int i = 0; i < 8 && p < end && found < max; i++)
			found += (unsigned char)*p++ >= 0x80;
	}
	return found;
}
