#include "pop3d/command.h"

#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

#define REPLY_MAX 512 /* RFC 2449 section 4 */

void command_reply(struct stream *io, const char *fmt, ...)
{
	struct buf line;
	va_list ap;

	buf_init(&line, REPLY_MAX);
	va_start(ap, fmt);
	buf_vprintf(&line, fmt, ap);
	va_end(ap);
	stream_puts(io,
		    line.over ? "-ERR [SYS/PERM] reply too long" : line.data);
	stream_puts(io, "\r\n");
	buf_free(&line);
}

static enum command_result refuse(struct stream *io, const char *why)
{
	command_reply(io, "-ERR %s", why);
	return COMMAND_BAD;
}

/* Only AUTH has long lines. */
static bool is_too_long(const char *line, size_t n)
{
	return n > COMMAND_LINE_MAX && !str_span_is(line, 5, "AUTH ");
}

static enum command_result split(struct command *c)
{
	char *space = strchr(c->line, ' ');

	c->word = c->line;
	c->args = "";
	if (space) {
		*space = '\0';
		c->args = space + 1;
	}
	return COMMAND_GOOD;
}

enum command_result command_read(struct stream *io, struct command *c)
{
	char *line;
	size_t n;
	int err = stream_line(io, sizeof(c->line) - 1, &line, &n);

	if (err == ERR_TIMEOUT)
		return COMMAND_TIMEOUT;
	if (err == ERR_STOPPING)
		return COMMAND_STOPPING;
	if (err == ERR_TOO_LONG) {
		command_reply(io, "-ERR line too long");
		stream_hang_up(io);
	}
	if (err)
		return COMMAND_END;
	n--;
	if (n > 0 && line[n - 1] == '\r')
		n--;
	if (is_too_long(line, n))
		return refuse(io, "line too long");
	if (memchr(line, '\0', n))
		return refuse(io, "NUL in the command");
	memcpy(c->line, line, n);
	c->line[n] = '\0';
	/* it may have been a password */
	mem_wipe(line, n);
	return split(c);
}

int command_numbers(const struct command *c, long long number[2])
{
	struct strlist words = { 0 };
	int64_t value;
	int n = 0;

	strlist_split(&words, c->args);
	for (size_t i = 0; i < words.n && n >= 0; i++)
		if (i == 2 || !str_to_int(words.item[i], 0, UINT32_MAX, &value))
			n = -1;
		else
			number[n++] = value;
	strlist_free(&words);
	return n;
}
