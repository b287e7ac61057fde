/* Streams: lines, windows, deadlines. */
#include "io/stream.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "tap.h"

static struct {
	struct stream *s;
	int peer;
} self;

static void begin(size_t max, int64_t timeout_ms)
{
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) < 0)
		exit(1);
	self.s = stream_new(fd[0], max);
	self.peer = fd[1];
	stream_set_timeout(self.s, timeout_ms);
}

static void end(void)
{
	stream_free(&self.s);
	close(self.peer);
}

static void test_lines(void)
{
	char *line;
	size_t n;

	begin(100, 200);
	err_ignore(file_write(self.peer, "one\r\ntwo\nthr", 12));
	ok(stream_line(self.s, 100, &line, &n) == ERR_OK && n == 5, "a line");
	ok(stream_line(self.s, 100, &line, &n) == ERR_OK && n == 4 &&
		   memcmp(line, "two\n", 4) == 0,
	   "the next one, from the window");
	ok(stream_line(self.s, 100, &line, &n) == ERR_TIMEOUT,
	   "half a line runs into the time-out");
	err_ignore(file_write(self.peer, "ee\n", 3));
	ok(stream_line(self.s, 100, &line, &n) == ERR_OK && n == 6,
	   "and is whole later");
	ok(stream_line(self.s, 3, &line, &n) == ERR_TIMEOUT, "nothing there");
	err_ignore(file_write(self.peer, "four\n", 5));
	ok(stream_line(self.s, 3, &line, &n) == ERR_TOO_LONG,
	   "a line over the limit");
	ok(stream_line(self.s, 5, &line, &n) == ERR_OK && n == 5,
	   "was not consumed");
	close(self.peer);
	self.peer = -1;
	ok(stream_line(self.s, 100, &line, &n) == ERR_EOF, "the end");
	end();
}

static void test_times(bool nonblock)
{
	int64_t start = clock_ms(), took;

	begin(100, 300);
	file_set_nonblock(stream_fd(self.s), nonblock);
	ok(stream_fill(self.s) == ERR_TIMEOUT, "a silent peer");
	took = clock_ms() - start;
	ok(took >= 290 && took < 2000, "costs the time-out");
	start = clock_ms();
	stream_set_deadline(self.s, start + 100);
	ok(stream_fill(self.s) == ERR_TIMEOUT, "a deadline that is earlier");
	took = clock_ms() - start;
	ok(took >= 90 && took < 290, "counts");
	stream_set_deadline(self.s, start - 100);
	ok(stream_fill(self.s) == ERR_TIMEOUT, "one that has passed");
	stream_set_deadline(self.s, 0);
	stream_puts(self.s, "hello");
	err_ignore(file_write(self.peer, "x", 1));
	ok(stream_fill(self.s) == ERR_OK, "input");
	{
		char got[16];

		ok(recv(self.peer, got, sizeof(got), MSG_DONTWAIT) == 5,
		   "output leaves before a read");
	}
	end();
}

static void test_window(void)
{
	char block[30000];
	size_t n, all = 0;

	memset(block, 'x', sizeof(block));
	begin(16384, 1000);
	err_ignore(file_write(self.peer, block, sizeof(block)));
	while (all < sizeof(block)) {
		if (stream_fill(self.s))
			break;
		stream_window(self.s, &n);
		all += n;
		stream_consume(self.s, n);
	}
	ok(all == sizeof(block), "a window that is consumed goes on");
	err_ignore(file_write(self.peer, block, sizeof(block)));
	while (stream_fill(self.s) == ERR_OK)
		;
	stream_window(self.s, &n);
	ok(n == 16384 && stream_fill(self.s) == ERR_TOO_LONG,
	   "one that is not ends at its limit");
	end();
}

static void test_stop(void)
{
	int64_t start = clock_ms();
	char *line;
	size_t n;
	int stop[2];

	if (pipe(stop) < 0)
		exit(1);
	begin(100, 60000);
	stream_set_stop(self.s, stop[0]);
	close(stop[1]);
	err_ignore(file_write(self.peer, "one\n", 4));
	ok(stream_line(self.s, 100, &line, &n) == ERR_OK,
	   "what has come is read, stop or no stop");
	ok(stream_line(self.s, 100, &line, &n) == ERR_STOPPING &&
		   clock_ms() - start < 10000,
	   "a stop ends a long wait");
	err_ignore(file_write(self.peer, "o", 1));
	ok(stream_fill(self.s) == ERR_OK, "half a line");
	err_ignore(file_write(self.peer, "n", 1));
	ok(stream_line(self.s, 100, &line, &n) == ERR_STOPPING,
	   "a stop ends the wait for its end, also while more of it comes");
	stream_set_stop(self.s, -1);
	stream_set_timeout(self.s, 50);
	ok(stream_line(self.s, 100, &line, &n) == ERR_TIMEOUT,
	   "unless it is looked for no more");
	close(stop[0]);
	end();
}

/* The peer reads nothing, and the sockets' buffers are full soon. */
static void test_send(void)
{
	static const char block[65536];

	begin(100, 60000);
	stream_set_send_timeout(self.s, 50);
	for (int i = 0; i < 1000 && stream_flush(self.s) == ERR_OK; i++)
		stream_put(self.s, block, sizeof(block));
	ok(stream_flush(self.s) == ERR_TIMEOUT,
	   "a peer that does not read has a time-out of its own");
	end();
}

int main(void)
{
	test_lines();
	test_times(false);
	test_times(true);
	test_window();
	test_stop();
	test_send();
	return done();
}
