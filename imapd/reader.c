#include "imapd/reader.h"

#include <string.h>

#include "base/str.h"

void reader_init(struct reader *r, size_t max)
{
	memset(r, 0, sizeof(*r));
	buf_init(&r->text, max);
}

void reader_free(struct reader *r)
{
	buf_free(&r->text);
}

void reader_reset(struct reader *r)
{
	buf_reset(&r->text);
	r->state = READER_IN_LINE;
	r->literal = 0;
	r->nonsync = r->binary = false;
	r->start[0] = '\0';
}

/* Keeps the first bytes for the answer, and forgets the rest. */
static void forget(struct reader *r)
{
	size_t n = r->text.len;

	if (n >= sizeof(r->start))
		n = sizeof(r->start) - 1;
	if (r->start[0] == '\0') {
		memcpy(r->start, r->text.data, n);
		r->start[n] = '\0';
	}
	buf_reset(&r->text);
}

static void skip_line(struct reader *r, enum reader_result why)
{
	forget(r);
	r->failure = why;
	r->state = READER_SKIP_LINE;
}

/* Finds "{n}" or "{n+}" at the end of the line. */
static bool ends_in_literal(struct reader *r)
{
	const char *end = r->text.data + r->text.len, *p;
	int64_t n;

	if (r->text.len < 3 || end[-1] != '}')
		return false;
	r->nonsync = end[-2] == '+';
	end -= r->nonsync ? 2 : 1;
	for (p = end; p > r->text.data && str_isdigit(p[-1]); p--)
		;
	if (p == r->text.data || p[-1] != '{' || p == end)
		return false;
	r->binary = p - 1 > r->text.data && p[-2] == '~';
	if (!str_span_to_int(p, (size_t)(end - p), 0, UINT32_MAX, &n))
		n = UINT32_MAX;
	r->literal = (uint64_t)n;
	return true;
}

/* The line is complete but for its LF. */
static enum reader_result end_line(struct reader *r)
{
	struct buf *t = &r->text;

	if (t->len > 0 && t->data[t->len - 1] == '\r')
		buf_truncate(t, t->len - 1);
	if (!ends_in_literal(r)) {
		r->state = READER_ENDED;
		return READER_DONE;
	}
	r->state = READER_AT_LITERAL;
	return READER_LITERAL;
}

/* The end of a line of a failed command: it may announce another
 * non-synchronising literal. */
static enum reader_result end_skipped(struct reader *r)
{
	if (ends_in_literal(r) && r->nonsync) {
		r->state = READER_SKIP_LITERAL;
		buf_reset(&r->text);
		return READER_MORE;
	}
	r->state = READER_ENDED;
	return r->failure;
}

/* Keeps the end of a skipped line, which could announce a literal. */
static void keep_tail(struct buf *t, const char *data, size_t n)
{
	enum { TAIL = 16 };

	if (n > TAIL) {
		data += n - TAIL;
		n = TAIL;
	}
	if (t->len + n > TAIL)
		buf_consume(t, t->len + n - TAIL);
	buf_put(t, data, n);
}

/* A piece of a skipped line. */
static enum reader_result feed_skipped(struct reader *r, const char *data,
				       size_t n, bool complete)
{
	struct buf *t = &r->text;

	keep_tail(t, data, n);
	if (!complete)
		return READER_MORE;
	if (t->len > 0 && t->data[t->len - 1] == '\r')
		buf_truncate(t, t->len - 1);
	return end_skipped(r);
}

/* Appends a piece of a line; if that fails, as much as fits. */
static void add_to_line(struct reader *r, const char *data, size_t n)
{
	const char *nul = memchr(data, '\0', n);
	size_t keep = nul ? (size_t)(nul - data) : n;
	size_t room = r->text.max - r->text.len;

	buf_put(&r->text, data, keep < room ? keep : room);
	if (nul)
		skip_line(r, READER_SYNTAX);
	else if (n > room)
		skip_line(r, READER_TOO_LONG);
}

static enum reader_result feed_line(struct reader *r, const char *data,
				    size_t n, size_t *used)
{
	const char *lf = memchr(data, '\n', n);
	size_t take = lf ? (size_t)(lf - data) : n;

	*used += take + (lf != NULL);
	if (r->state == READER_IN_LINE)
		add_to_line(r, data, take);
	if (r->state == READER_SKIP_LINE)
		return feed_skipped(r, data, take, lf != NULL);
	return lf ? end_line(r) : READER_MORE;
}

static void feed_literal(struct reader *r, const char *data, size_t n,
			 size_t *used)
{
	size_t take = n < r->literal ? n : (size_t)r->literal;

	*used += take;
	r->literal -= take;
	if (r->state == READER_SKIP_LITERAL) {
		if (r->literal == 0)
			r->state = READER_SKIP_LINE;
		return;
	}
	if (!r->binary && memchr(data, '\0', take)) {
		forget(r);
		r->failure = READER_SYNTAX;
		r->state = r->literal ? READER_SKIP_LITERAL : READER_SKIP_LINE;
		return;
	}
	buf_put(&r->text, data, take);
	if (r->literal == 0)
		r->state = READER_IN_LINE;
}

enum reader_result reader_feed(struct reader *r, const char *data, size_t n,
			       size_t *used)
{
	enum reader_result result = READER_MORE;

	*used = 0;
	while (*used < n && result == READER_MORE) {
		if (r->state == READER_IN_LITERAL ||
		    r->state == READER_SKIP_LITERAL)
			feed_literal(r, data + *used, n - *used, used);
		else
			result = feed_line(r, data + *used, n - *used, used);
	}
	return result;
}

bool reader_accept(struct reader *r)
{
	if (r->literal > r->text.max ||
	    r->text.len + r->literal + 2 > r->text.max) {
		reader_refuse(r, READER_TOO_LONG);
		return false;
	}
	buf_puts(&r->text, "\r\n");
	r->state = r->literal ? READER_IN_LITERAL : READER_IN_LINE;
	return true;
}

void reader_refuse(struct reader *r, enum reader_result result)
{
	forget(r);
	r->failure = result;
	if (!r->nonsync)
		r->state = READER_ENDED;
	else
		r->state = r->literal ? READER_SKIP_LITERAL : READER_SKIP_LINE;
}

void reader_taken(struct reader *r)
{
	buf_puts(&r->text, "\r\n");
	r->literal = 0;
	r->state = READER_IN_LINE;
}
