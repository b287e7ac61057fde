#include "decoder/serve.h"

#include <errno.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "decoder/run.h"
#include "decoder/xml.h"
#include "io/wait.h"
#include "ipc/ipc.h"
#include "log/log.h"

#define IDLE_MS 1000 /* for a question: there are few of these processes */
#define SEND_MS 10000

/* Only what nobody can change, or make a command wait for. */
static bool is_part(int fd)
{
	struct stat st;

	return fd >= 0 && file_is_sealed(fd) && fstat(fd, &st) == 0 &&
	       st.st_size <= (off_t)DECODER_INPUT_MAX;
}

/* What a pipe brings, in a file that is ours. The sender has as long for it as a
 * command. */
static int take_pipe(int pipe, int fd)
{
	const int64_t until = clock_ms() + RUN_MS;
	char piece[65536];
	size_t size = 0;
	ssize_t n;
	int code;

	file_set_nonblock(pipe, true);
	while ((n = read(pipe, piece, sizeof(piece))) != 0) {
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return err_sys("read", "a pipe");
		code = n < 0 ? wait_until(pipe, POLLIN, until)
			     : file_write(fd, piece, (size_t)n);
		size += n < 0 ? 0 : (size_t)n;
		if (size > DECODER_INPUT_MAX)
			code = err_set(ERR_TOO_LONG, "too large");
		if (code)
			return code;
	}
	return file_seal(fd);
}

/* *FD is a pipe: then a file with what it brings takes its place. */
static int take_part(int *fd)
{
	struct stat st;
	int code, file;

	if (*fd < 0 || fstat(*fd, &st) < 0 || !S_ISFIFO(st.st_mode))
		return ERR_OK;
	file = memfd_create("part", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (file < 0)
		return err_sys("make", "a file in memory");
	code = take_pipe(*fd, file);
	close(*fd);
	*fd = file;
	return code;
}

/* The question's text into OUT. */
static int decode(const struct decoders *d, struct ipc_in *in, int fd,
		  struct buf *out)
{
	const struct decoder *row;
	int64_t key;
	int code;

	if (!ipc_is(in, "decode") || !is_part(fd) ||
	    !ipc_int(in, "command", 0, UINT32_MAX, &key))
		return err_set(ERR_SYNTAX, "malformed question");
	row = decoders_get(d, (uint32_t)key);
	if (!row) /* of before a reload */
		return err_set(ERR_TEMP, "no such command any more");
	code = run_command(row->argv, fd, out);
	if (!code && xml_is(out))
		xml_strip(out);
	if (code == ERR_TEMP)
		log_warn("%s: %s", row->argv[0], err_why(code));
	else
		log_debug("%s: %s, %zu bytes", row->argv[0],
			  code ? err_why(code) : "done", out->len);
	return code;
}

static int put_text(struct ipc_out *m, const struct buf *text)
{
	int code, fd = memfd_create("text", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return err_sys("make", "a file in memory");
	ipc_begin(m, "text");
	ipc_put_own_fd(m, fd);
	code = file_write(fd, text->data, text->len);
	return code ? code : file_seal(fd);
}

bool serve_is_of_many(const struct serving *s, int fd)
{
	struct ucred peer;
	socklen_t n = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 &&
	       (peer.uid == s->mail_uid || peer.uid == 0);
}

/* May the user for whom IN comes have one more process? Others than the sessions
 * of many are counted by their uid, whatever they say. */
static bool has_turn(const struct serving *s, const struct ipc_in *in, int sock)
{
	static const struct prefork_elsewhere nowhere;

	return !serve_is_of_many(s, sock) ||
	       prefork_claim(ipc_text(in, "asker"), "", &nowhere);
}

/* Answers IN on SOCK; false if the connection is no longer usable. */
static bool answer(void *context, struct ipc_in *in, int sock)
{
	const struct serving *s = context;
	struct ipc_out out = { .ready = false };
	struct buf text;
	int fd, code;

	if (!has_turn(s, in, sock))
		return false; /* it comes again */
	fd = ipc_take_fd(in);
	err_clear();
	buf_init(&text, DECODER_TEXT_MAX);
	code = take_part(&fd);
	if (!code)
		code = decode(&s->decoders, in, fd, &text);
	if (!code)
		code = put_text(&out, &text);
	if (code) {
		ipc_begin(&out, code == ERR_UNSUPPORTED ? "none" : "temp");
		ipc_put(&out, "why", err_why(code));
	}
	if (fd >= 0)
		close(fd);
	buf_free(&text);
	code = ipc_send(sock, &out, SEND_MS);
	ipc_out_free(&out);
	return code == ERR_OK;
}

bool serve_connection(void *context, const struct prefork_listener *listener,
		      int fd)
{
	(void)listener;
	prefork_packets(fd, IDLE_MS, answer, context);
	return true;
}
