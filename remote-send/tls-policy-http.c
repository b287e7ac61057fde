#include "remote-send/tls-policy-http.h"

#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "client/tls.h"

#define LINE_MAX_SIZE 4096
#define HEADERS_MAX 100

/* What the header says about the body. */
struct response {
	bool text;    /* Content-Type is text/plain */
	bool chunked; /* else by LENGTH, else until the end */
	int64_t length;
	bool good;
};

/* A line without its end, NUL-terminated in place; NULL if there is none. */
static char *next_line(struct stream *s)
{
	char *line;
	size_t n;

	if (stream_line(s, LINE_MAX_SIZE, &line, &n))
		return NULL;
	line[--n] = '\0';
	if (n > 0 && line[n - 1] == '\r')
		line[n - 1] = '\0';
	return line;
}

static void take_type(struct response *r, char *value)
{
	value[strcspn(value, ";")] = '\0';
	r->text = str_equal_ci(str_trim(value), "text/plain");
}

static void take_length(struct response *r, char *value)
{
	int64_t length;

	if (!str_to_int(value, 0, INT64_MAX, &length) ||
	    (r->length >= 0 && r->length != length))
		r->good = false;
	else
		r->length = length;
}

static void take_encoding(struct response *r, char *value)
{
	if (str_equal_ci(value, "chunked"))
		r->chunked = true;
	else
		r->good = false;
}

static const struct {
	const char *name;
	void (*take)(struct response *r, char *value);
} fields[] = {
	{ "Content-Type", take_type },
	{ "Content-Length", take_length },
	{ "Transfer-Encoding", take_encoding },
};

static void read_field(struct response *r, char *line)
{
	char *colon = strchr(line, ':');

	if (!colon) {
		r->good = false;
		return;
	}
	*colon = '\0';
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (str_equal_ci(line, fields[i].name))
			fields[i].take(r, str_trim(colon + 1));
}

static const char *read_header(struct stream *s, struct response *r)
{
	char *line = next_line(s);

	if (!line)
		return "no answer";
	if (!str_starts(line, "HTTP/1.") || strlen(line) < 12 || line[8] != ' ')
		return "not an answer of HTTP/1.1";
	/* no redirects (RFC 8461 section 3.3), and nothing else either */
	if (strncmp(line + 9, "200", 3) != 0 || (line[12] && line[12] != ' '))
		return "the status is not 200";
	for (int i = 0; i < HEADERS_MAX; i++) {
		line = next_line(s);
		if (!line)
			return "the header has no end";
		if (!*line)
			return r->good ? NULL : "malformed header";
		read_field(r, line);
	}
	return "too many header fields";
}

/* Up to N bytes, or all until the end if N is negative. */
static const char *read_bytes(struct stream *s, int64_t n, struct buf *body)
{
	while (n != 0) {
		size_t have;
		const char *data = stream_window(s, &have);
		int err;

		if (have == 0) {
			err = stream_fill(s);
			if (err == ERR_EOF && n < 0 && tls_ended(stream_fd(s)))
				return NULL;
			if (err)
				return "the body has no end";
			continue;
		}
		if (n > 0 && (int64_t)have > n)
			have = (size_t)n;
		buf_put(body, data, have);
		if (body->over)
			return "the body is too large";
		stream_consume(s, have);
		if (n > 0)
			n -= (int64_t)have;
	}
	return NULL;
}

/* The size of a chunk, in hexadecimal; -1 if it is not one. */
static int64_t chunk_size(const char *line)
{
	int64_t size = 0;
	int digits = 0;

	for (; *line && *line != ';' && *line != ' '; line++, digits++) {
		const char *hex = "0123456789abcdef";
		const char *at = strchr(hex, str_tolower(*line));

		if (!at || digits == 8)
			return -1;
		size = size * 16 + (at - hex);
	}
	return digits > 0 ? size : -1;
}

static const char *read_chunks(struct stream *s, struct buf *body)
{
	for (;;) {
		char *line = next_line(s);
		int64_t size = line ? chunk_size(line) : -1;
		const char *why;

		if (size < 0)
			return "malformed chunk";
		if (size == 0)
			return NULL;
		why = read_bytes(s, size, body);
		if (why)
			return why;
		line = next_line(s);
		if (!line || *line)
			return "malformed chunk";
	}
}

const char *http_get(struct stream *s, const char *host, const char *path,
		     struct buf *body)
{
	struct response r = { .length = -1, .good = true };
	const char *why;

	stream_printf(s,
		      "GET %s HTTP/1.1\r\nHost: %s\r\n"
		      "User-Agent: Posthorn\r\nAccept: text/plain\r\n"
		      "Connection: close\r\n\r\n",
		      path, host);
	if (stream_flush(s))
		return "the connection broke";
	why = read_header(s, &r);
	if (why)
		return why;
	if (!r.text)
		return "the type is not text/plain";
	return r.chunked ? read_chunks(s, body) : read_bytes(s, r.length, body);
}
