/* Streams: lines, windows, deadlines. */
#include "io/stream.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

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

/* How long it takes to leave a peer that goes on sending, in milliseconds. */
static int64_t leave(int stop)
{
	int64_t start;
	pid_t peer;

	begin(100, 60000);
	stream_set_stop(self.s, stop);
	stream_hang_up(self.s);
	peer = fork();
	if (peer < 0)
		exit(1);
	if (peer == 0) {
		close(stream_fd(self.s));
		while (send(self.peer, "x\n", 2, MSG_NOSIGNAL) > 0)
			;
		_exit(0);
	}
	start = clock_ms();
	stream_free(&self.s);
	start = clock_ms() - start;
	waitpid(peer, NULL, 0);
	close(self.peer);
	return start;
}

static void test_hang_up(void)
{
	int stop[2];

	if (pipe(stop) < 0)
		exit(1);
	ok(leave(stop[0]) >= 2000, "what a peer still sends is thrown away");
	close(stop[1]);
	ok(leave(stop[0]) < 1500, "not for long when others wait");
	close(stop[0]);
}

/* Compresses TEXT, N as a peer does, into OUT; gives the number of bytes. */
static size_t pack(const char *text, size_t n, int how, char *out, size_t size)
{
	z_stream z = { .zalloc = NULL };

	deflateInit2(&z, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY);
	z.next_in = (Bytef *)(uintptr_t)text;
	z.avail_in = (uInt)n;
	z.next_out = (Bytef *)out;
	z.avail_out = (uInt)size;
	deflate(&z, how);
	deflateEnd(&z);
	return size - z.avail_out;
}

/* Reads until there is no more, all of it zeros; how many. */
static size_t drain(int *code)
{
	size_t n, all = 0;

	while ((*code = stream_fill(self.s)) == ERR_OK) {
		const char *window = stream_window(self.s, &n);

		all += n;
		for (size_t i = 0; i < n; i++)
			if (window[i])
				return 0;
		stream_consume(self.s, n);
	}
	return all;
}

static char packed[100000];

/* N zeros, compressed; how many bytes that is. */
static size_t pack_zeros(size_t n, int how)
{
	char *zeros = calloc(1, n);
	size_t size = pack(zeros, n, how, packed, sizeof(packed));

	free(zeros);
	return size;
}

static void test_inflate(void)
{
	enum { ZEROS = 50000000 };
	char *line;
	size_t n = pack("one\ntwo\n", 8, Z_SYNC_FLUSH, packed, sizeof(packed));
	size_t i, got;
	int code;

	begin(4096, 2000);
	ok(stream_deflate(self.s, packed, 3), "input that came before");
	err_ignore(file_write(self.peer, packed + 3, n - 3));
	ok(stream_line(self.s, 100, &line, &n) == ERR_OK && n == 4 &&
		   memcmp(line, "one\n", 4) == 0,
	   "is the beginning of the compressed input");
	stream_window(self.s, &n);
	ok(n == 4, "and what came with it is in the window");
	end();

	begin(4096, 2000);
	stream_deflate(self.s, NULL, 0);
	n = pack_zeros(ZEROS, Z_SYNC_FLUSH);
	for (i = 0; i < n; i += 1000)
		err_ignore(file_write(self.peer, packed + i,
				      n - i > 1000 ? 1000 : n - i));
	shutdown(self.peer, SHUT_WR);
	got = drain(&code);
	ok(got == ZEROS && code == ERR_EOF,
	   "%d zeros from %zu bytes pass through a window of 4096", ZEROS, n);
	end();

	begin(4096, 2000);
	n = pack_zeros(10000, Z_SYNC_FLUSH);
	err_ignore(file_write(self.peer, packed, n));
	stream_deflate(self.s, NULL, 0);
	stream_fill(self.s);
	for (got = 0; stream_window(self.s, &n) && n > 0; got += n)
		stream_consume(self.s, n);
	ok(got == 10000, "what has come is in the window once there is room");
	end();
}

static void test_bad_input(void)
{
	size_t n, i;
	int code;

	begin(4096, 2000);
	stream_deflate(self.s, NULL, 0);
	err_ignore(file_write(self.peer, "\xff NOOP\r\n\xff\xff\xff", 12));
	ok(drain(&code) == 0 && code == ERR_SYNTAX, "what is not compressed");
	ok(stream_fill(self.s) == ERR_SYNTAX, "and so it remains");
	end();

	begin(4096, 2000);
	stream_deflate(self.s, NULL, 0);
	n = pack_zeros(10, Z_FINISH);
	err_ignore(file_write(self.peer, packed, n));
	ok(drain(&code) <= 10 && code == ERR_SYNTAX, "an end of compression");
	end();

	begin(4096, 100);
	stream_deflate(self.s, NULL, 0);
	for (i = 0; i + 5 <= sizeof(packed); i += 5)
		memcpy(packed + i, "\0\0\0\xff\xff", 5);
	err_ignore(file_write(self.peer, packed, i));
	ok(stream_fill(self.s) == ERR_TIMEOUT, "blocks of nothing are silence");
	end();
}

/* What the peer gets, after it has put the pieces together. */
static size_t unpack(char *out, size_t size)
{
	char came[100000];
	z_stream z = { .zalloc = NULL };
	ssize_t n = recv(self.peer, came, sizeof(came), MSG_DONTWAIT);

	if (n <= 0)
		return 0;
	inflateInit2(&z, -15);
	z.next_in = (Bytef *)came;
	z.avail_in = (uInt)n;
	z.next_out = (Bytef *)out;
	z.avail_out = (uInt)size;
	inflate(&z, Z_SYNC_FLUSH);
	inflateEnd(&z);
	return size - z.avail_out;
}

static void test_deflate(void)
{
	char out[200000], text[40000];
	size_t i;

	for (i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i * i % 23);
	begin(4096, 300);
	stream_puts(self.s, "plain\r\n");
	stream_deflate(self.s, NULL, 0);
	ok(recv(self.peer, out, sizeof(out), MSG_DONTWAIT) == 7 &&
		   memcmp(out, "plain\r\n", 7) == 0,
	   "output before is sent as it is");
	err_ignore(stream_flush(self.s));
	ok(recv(self.peer, out, sizeof(out), MSG_DONTWAIT) < 0,
	   "a flush of nothing sends nothing");
	stream_puts(self.s, "small ");
	stream_put(self.s, text, sizeof(text));
	stream_puts(self.s, " end");
	ok(stream_fill(self.s) == ERR_TIMEOUT, "before a wait");
	i = unpack(out, sizeof(out));
	ok(i == 6 + sizeof(text) + 4 && memcmp(out, "small ", 6) == 0 &&
		   memcmp(out + 6, text, sizeof(text)) == 0 &&
		   memcmp(out + i - 4, " end", 4) == 0,
	   "all of the output is sent");
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
	test_hang_up();
	test_inflate();
	test_bad_input();
	test_deflate();
	return done();
}
