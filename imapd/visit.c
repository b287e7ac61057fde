/*
 * The owner's session may be slow, or hostile: what it says is read in pieces of
 * bounded size, and only its literals' lengths and the ends of its lines are
 * looked at, to know where a response ends and which is the tagged one.
 */
#include "imapd/visit.h"

#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

#define WINDOW_MAX 65536
#define WAIT_MS 1860000 /* a search of a large folder may take long */
#define LINE_MAX_BYTES ((1u << 30) + (1u << 20)) /* a message, and more */
#define STATUS 4 /* "OK ", "NO ", "BAD" after a tag and a space */
#define TAIL 24	 /* of a line: "{4294967295}" and its end */

int visit_open(struct session *s, const char *owner, struct visit **v)
{
	int sock, code = share_visit(&s->share, owner, &sock);

	*v = NULL;
	if (code)
		return code;
	*v = mem_alloc(sizeof(**v));
	str_copy((*v)->owner, sizeof((*v)->owner), owner);
	(*v)->io = stream_new(sock, WINDOW_MAX);
	stream_set_timeout((*v)->io, WAIT_MS);
	buf_init(&(*v)->line, LINE_MAX_BYTES);
	/* it greets as after a login, with the tag that accountd gave it */
	if (visit_read(*v) == VISIT_OK)
		return ERR_OK;
	visit_close(v);
	return err_set(ERR_TEMP, "the folders of %s cannot be opened", owner);
}

void visit_close(struct visit **v)
{
	if (!*v)
		return;
	stream_free(&(*v)->io);
	buf_free(&(*v)->line);
	free(*v);
	*v = NULL;
}

bool visit_has_come(const struct visit *v)
{
	struct pollfd p = { stream_fd(v->io), POLLIN, 0 };
	size_t n;

	stream_window(v->io, &n);
	return n > 0 || poll(&p, 1, 0) > 0;
}

void visit_ask(struct visit *v, const char *fmt, ...)
{
	va_list ap;

	stream_puts(v->io, VISIT_TAG " ");
	va_start(ap, fmt);
	stream_vprintf(v->io, fmt, ap);
	va_end(ap);
	stream_puts(v->io, "\r\n");
}

/* What of a response has been read. */
struct reading {
	char tail[TAIL + 1]; /* of the line so far */
	size_t ntail;
	uint64_t literal; /* bytes of it still to come */
};

static void note_tail(struct reading *r, const char *data, size_t n)
{
	size_t keep = n < TAIL ? n : TAIL, old = r->ntail;

	if (old + keep > TAIL) {
		memmove(r->tail, r->tail + old + keep - TAIL, TAIL - keep);
		old = TAIL - keep;
	}
	memcpy(r->tail + old, data + n - keep, keep);
	r->ntail = old + keep;
	r->tail[r->ntail] = '\0';
}

/* Does the line that has ended announce a literal? */
static bool begins_literal(struct reading *r)
{
	const char *brace = strrchr(r->tail, '{');
	size_t digits = brace ? strspn(brace + 1, "0123456789") : 0;
	int64_t n;

	if (digits == 0 || strcmp(brace + 1 + digits, "}\r\n") != 0 ||
	    !str_span_to_int(brace + 1, digits, 0, INT64_MAX, &n))
		return false;
	r->literal = (uint64_t)n;
	r->ntail = 0;
	return true;
}

/* Takes the next piece of the response at hand, N bytes at DATA. The bytes
 * that belong to it; *OVER: it ends with them. */
static size_t take(struct reading *r, const char *data, size_t n, bool *over)
{
	const char *lf;

	*over = false;
	if (r->literal > 0) {
		n = r->literal < n ? (size_t)r->literal : n;
		r->literal -= n;
		return n;
	}
	lf = memchr(data, '\n', n);
	if (lf)
		n = (size_t)(lf - data) + 1;
	note_tail(r, data, n);
	*over = lf && !begins_literal(r);
	return n;
}

static bool starts(const char *data, size_t n, const char *text)
{
	size_t len = strlen(text);

	return n >= len && memcmp(data, text, len) == 0;
}

/* What the response is that begins at DATA, N. */
static enum visit_reply judge(const char *data, size_t n, const char *tag)
{
	size_t len = strlen(tag);

	if (starts(data, n, "* BYE"))
		return VISIT_LOST;
	if (n > 0 && *data == '+')
		return VISIT_PLUS;
	if (n < len + STATUS || !starts(data, n, tag) || data[len] != ' ')
		return VISIT_LINE;
	data += len + 1;
	return starts(data, n - len - 1, "OK ")	  ? VISIT_OK
	       : starts(data, n - len - 1, "NO ") ? VISIT_NO
						  : VISIT_BAD;
}

/* Waits until what is at hand can be judged: enough of it, or all of it. */
static bool await_start(struct visit *v, const char *tag)
{
	size_t n, enough = strlen(tag) + 1 + STATUS;
	const char *data = stream_window(v->io, &n);

	if (enough < 6)
		enough = 6;
	while (n < enough && !memchr(data, '\n', n)) {
		if (stream_fill(v->io) != ERR_OK)
			return false;
		data = stream_window(v->io, &n);
	}
	return true;
}

/* Passes one response on to S, or into the line of V. */
static bool move_response(struct session *s, struct visit *v, bool pass)
{
	struct reading r = { .ntail = 0 };
	bool over = false;

	while (!over) {
		size_t n;
		const char *data = stream_window(v->io, &n);

		if (n == 0) {
			if (stream_fill(v->io) != ERR_OK)
				return false;
			continue;
		}
		n = take(&r, data, n, &over);
		if (pass)
			stream_put(s->c.io, data, n);
		else
			buf_put(&v->line, data, n);
		stream_consume(v->io, n);
	}
	return true;
}

static enum visit_reply next(struct session *s, struct visit *v,
			     const char *tag, bool tagged)
{
	enum visit_reply reply;
	const char *data;
	bool pass;
	size_t n;

	if (!await_start(v, tag))
		return VISIT_LOST;
	data = stream_window(v->io, &n);
	reply = judge(data, n, tag);
	pass = s && (tagged || reply == VISIT_LINE || reply == VISIT_PLUS);
	buf_reset(&v->line);
	if (reply == VISIT_LOST || !move_response(s, v, pass) || v->line.over)
		return VISIT_LOST;
	return reply;
}

enum visit_reply visit_read(struct visit *v)
{
	enum visit_reply reply = next(NULL, v, VISIT_TAG, false);

	if (reply != VISIT_LOST && v->line.len >= 2) {
		v->line.len -= 2;
		v->line.data[v->line.len] = '\0';
	}
	return reply;
}

enum visit_reply visit_pass(struct session *s, struct visit *v, const char *tag,
			    bool tagged)
{
	enum visit_reply reply;

	do
		reply = next(s, v, tag, tagged);
	while (reply == VISIT_LINE);
	return reply;
}

enum visit_reply visit_pass_some(struct session *s, struct visit *v,
				 const char *tag)
{
	enum visit_reply reply = VISIT_LINE;

	while (reply == VISIT_LINE && visit_has_come(v))
		reply = next(s, v, tag, true);
	return reply;
}
