/*
 * What another user's session answers, read as it comes: lines, literals, and
 * where the reply is.
 *
 * link: imapd/visit.c
 */
#include "imapd/visit.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "t/unit/tap.h"

/* A visit at whose other end a process says TEXT, at most STEP bytes at once,
 * and ends. */
static struct visit *visit_to(const char *text, size_t step, pid_t *pid)
{
	struct visit *v = mem_alloc(sizeof(*v));
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		exit(1);
	*pid = fork();
	if (*pid == 0) {
		size_t n = strlen(text);

		close(pair[0]);
		while (n > 0) {
			size_t part = n < step ? n : step;

			if (write(pair[1], text, part) != (ssize_t)part)
				_exit(1);
			text += part;
			n -= part;
		}
		_exit(0);
	}
	close(pair[1]);
	v->io = stream_new(pair[0], 65536);
	buf_init(&v->line, 1 << 20);
	return v;
}

static void end(struct visit **v, pid_t pid)
{
	visit_close(v);
	waitpid(pid, NULL, 0);
}

static const struct {
	const char *what;
	const char *text;
	const char *lines; /* what is read, with "|" after each */
	enum visit_reply reply;
} cases[] = {
	{ "a reply", "visit OK done\r\n", "", VISIT_OK },
	{ "NO", "visit NO no\r\n", "", VISIT_NO },
	{ "BAD", "visit BAD no\r\n", "", VISIT_BAD },
	{ "lines before it",
	  "* 1 EXISTS\r\n* 2 FETCH (UID 3)\r\nvisit OK x\r\n",
	  "* 1 EXISTS|* 2 FETCH (UID 3)|", VISIT_OK },
	{ "a literal", "* 1 FETCH (BODY[] {5}\r\nab\r\nc X)\r\nvisit OK x\r\n",
	  "* 1 FETCH (BODY[] {5}\r\nab\r\nc X)|", VISIT_OK },
	{ "a literal that looks like a reply",
	  "* 1 FETCH (BODY[] {15}\r\nvisit OK done\r\n)\r\nvisit NO x\r\n",
	  "* 1 FETCH (BODY[] {15}\r\nvisit OK done\r\n)|", VISIT_NO },
	{ "two literals", "* L {2}\r\n\r\n {0}\r\n x\r\nvisit OK x\r\n",
	  "* L {2}\r\n\r\n {0}\r\n x|", VISIT_OK },
	{ "a literal8", "* M (a ~{3}\r\n\r\n))\r\nvisit OK x\r\n",
	  "* M (a ~{3}\r\n\r\n))|", VISIT_OK },
	{ "braces that are none", "* OK {5} x\r\n* OK {x}\r\nvisit OK x\r\n",
	  "* OK {5} x|* OK {x}|", VISIT_OK },
	{ "a longer tag", "visitor OK x\r\nvisit OK x\r\n", "visitor OK x|",
	  VISIT_OK },
	{ "a line as short as can be", "*\r\n\r\nvisit OK x\r\n", "*||",
	  VISIT_OK },
	{ "a plus", "* 1 EXISTS\r\n+ go on\r\n", "* 1 EXISTS|", VISIT_PLUS },
	{ "a BYE", "* 1 EXISTS\r\n* BYE bye\r\nvisit OK x\r\n", "* 1 EXISTS|",
	  VISIT_LOST },
	{ "an end", "* 1 EXISTS\r\n* 2 EX", "* 1 EXISTS|", VISIT_LOST },
	{ "an end in a literal", "* 1 {100}\r\nabc", "", VISIT_LOST },
	{ "a literal too large", "* 1 {99999999999999999999}\r\nvisit OK x\r\n",
	  "* 1 {99999999999999999999}|", VISIT_OK },
};

static void test_reading(size_t step)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		enum visit_reply reply;
		struct visit *v;
		struct buf got;
		pid_t pid;

		v = visit_to(cases[i].text, step, &pid);
		buf_init(&got, 1 << 20);
		while ((reply = visit_read(v)) == VISIT_LINE) {
			buf_put(&got, v->line.data, v->line.len);
			buf_putc(&got, '|');
		}
		ok(reply == cases[i].reply &&
			   str_equal(got.len ? got.data : "", cases[i].lines),
		   "%s, %zu bytes at once", cases[i].what, step);
		buf_free(&got);
		end(&v, pid);
	}
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	test_reading(1);
	test_reading(2);
	test_reading(7);
	test_reading(1000);
	return done();
}
