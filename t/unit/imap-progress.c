/*
 * What a client hears of a command that takes long.
 *
 * link: imapd/progress.c imapd/conn.c imapd/reader.c imapd/args.c
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "imapd/progress.h"
#include "tap.h"

static struct conn c;
static int peer;

/* What has come from C. */
static const char *heard(void)
{
	static char said[1000];
	ssize_t n = recv(peer, said, sizeof(said) - 1, MSG_DONTWAIT);

	said[n > 0 ? n : 0] = '\0';
	return said;
}

int main(void)
{
	struct progress p;
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) < 0)
		exit(1);
	peer = fd[1];
	conn_init(&c, stream_new(fd[0], 4096), 4096);
	c.tag = "A7";
	progress_begin(&p, &c, 1000);
	progress_tell(&p, 1, 100, 1000 + PROGRESS_MS - 1);
	is(heard(), "", "a quick command is silent");
	progress_tell(&p, 57, 100, 1000 + PROGRESS_MS);
	is(heard(), "* OK [INPROGRESS (\"A7\" 57 100)] Still at it.\r\n",
	   "a long one tells how far it is, at once");
	progress_tell(&p, 58, 100, 1000 + 2 * PROGRESS_MS - 1);
	is(heard(), "", "but not too often");
	progress_tell(&p, 99, 100, 1000 + 2 * PROGRESS_MS);
	is(heard(), "* OK [INPROGRESS (\"A7\" 99 100)] Still at it.\r\n",
	   "and again");
	progress_tell(&p, 1, 0, 1000 + 9 * PROGRESS_MS);
	progress_tell(&p, 3, 2, 1000 + 9 * PROGRESS_MS);
	is(heard(), "", "never more than all, nor without a goal");
	close(peer);
	progress_tell(&p, 1, 2, 1000 + 9 * PROGRESS_MS);
	ok(stream_flush(c.io) != 0, "who has gone is noticed later");
	conn_free(&c);
	return done();
}
