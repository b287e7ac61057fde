/*
 * First the table, as the administrator writes it: each row is checked when the
 * configuration is read, here and by posthorn check. A row's key is a checksum
 * of its command, by which it is asked for, so that a session and the program
 * `decoder` that have read different tables do not take one command for
 * another; made_by adds the command's file, so that texts of an older one are
 * made anew. Then the question: the bytes go over in a pipe, and the text comes
 * back as a sealed file in memory. A connection that ends without an answer
 * is made again, after pauses that grow a while.
 */
#include "client/decoder.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/file.h"
#include "base/mem.h"
#include "io/wait.h"
#include "ipc/ipc.h"

#define WAIT_MS 30000
#define PAUSE_MS 10 /* and twice as much after each try … */
#define PAUSE_MAX_MS 200
#define VERSION "1" /* of what the program makes of a command's output */

static const char blanks[] = " \t\r\n";

/* A type can be decoded unless it is text or in parts: these are searched as
 * they are. An end of a name has one dot, in front. */
static bool is_name(const char *name)
{
	const char *slash = strchr(name, '/');

	if (*name == '.')
		return name[1] && !strpbrk(name + 1, "./");
	return slash && slash > name && slash[1] && !strchr(slash + 1, '/') &&
	       !str_starts_ci(name, "text/") &&
	       !str_starts_ci(name, "message/") &&
	       !str_starts_ci(name, "multipart/");
}

static void split(struct strlist *l, const char *text, size_t n)
{
	const char *end = text + n;

	while (text < end) {
		size_t skip = strspn(text, blanks), word;

		text += skip;
		word = text < end ? strcspn(text, blanks) : 0;
		if (word > (size_t)(end - text))
			word = (size_t)(end - text);
		if (word > 0)
			strlist_add_span(l, text, word);
		text += word + (word == 0);
	}
}

/* Changes with the command's file, as far as can be seen. */
static uint32_t with_file(uint32_t crc, const char *path)
{
	struct stat st = { 0 };
	int64_t what[3];

	if (stat(path, &st) < 0)
		return crc;
	what[0] = st.st_size;
	what[1] = st.st_mtim.tv_sec;
	what[2] = st.st_mtim.tv_nsec;
	return crc32c(crc, what, sizeof(what));
}

static void identify(struct decoder *r)
{
	r->key = crc32c(0, VERSION, sizeof(VERSION));
	for (size_t i = 0; i < r->words.n; i++) {
		r->argv[i] = r->words.item[i];
		r->key = crc32c(r->key, r->argv[i], strlen(r->argv[i]) + 1);
	}
	r->made_by = with_file(r->key, r->argv[0]);
}

/* TEXT, N: what is within the braces. Gives what is wrong with it, or NULL. */
static const char *read_row(struct decoder *r, const char *text, size_t n)
{
	const char *colon = memchr(text, ':', n);

	if (!colon)
		return "has no colon between types and command";
	split(&r->names, text, (size_t)(colon - text));
	split(&r->words, colon + 1, n - (size_t)(colon + 1 - text));
	for (size_t i = 0; i < r->names.n; i++)
		if (!is_name(r->names.item[i]))
			return "names what is neither a type that can be "
			       "decoded nor the end of a file's name";
	if (r->names.n == 0 || r->words.n == 0 || r->words.item[0][0] != '/')
		return "is not of the form {type: /path/of/command words}";
	return r->words.n > DECODER_ARGS_MAX ? "has too many words" : NULL;
}

static bool add_row(struct decoders *d, const char *item, struct buf *faults)
{
	size_t n = strlen(item);
	bool braces = n > 1 && *item == '{' && item[n - 1] == '}';
	struct decoder *r = &d->row[d->n];
	const char *why = "one too many";

	if (d->n < DECODERS_MAX)
		why = read_row(r, item + braces, n - 2 * braces);
	if (why) {
		buf_printf(faults, "fts_decoder: %s %s\n", item, why);
		return false;
	}
	d->n++;
	identify(r);
	for (size_t i = 0; i < r->names.n; i++)
		d->made_by = crc32c(d->made_by, r->names.item[i],
				    strlen(r->names.item[i]) + 1);
	d->made_by = crc32c(d->made_by, &r->made_by, sizeof(r->made_by));
	return true;
}

bool decoders_read(struct decoders *d, const struct strlist *items,
		   const char *run, struct buf *faults)
{
	bool good = true;

	*d = (struct decoders){ .socket = mem_printf("%s/public/decoder",
						     run) };
	for (size_t i = 0; i < items->n; i++)
		good &= add_row(d, items->item[i], faults);
	return good;
}

static bool is_for(const struct decoder *r, const char *type, const char *name)
{
	for (size_t i = 0; i < r->names.n; i++) {
		const char *one = r->names.item[i];

		if (*one == '.' ? name && str_ends_ci(name, one)
				: str_equal_ci(type, one))
			return true;
	}
	return false;
}

const struct decoder *decoders_find(const struct decoders *d, const char *type,
				    const char *name)
{
	if (!str_equal_ci(type, "application/octet-stream"))
		name = NULL;
	for (size_t i = 0; i < d->n; i++)
		if (is_for(&d->row[i], type, name))
			return &d->row[i];
	return NULL;
}

const struct decoder *decoders_get(const struct decoders *d, uint32_t key)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->row[i].key == key)
			return &d->row[i];
	return NULL;
}

static int take_text(int fd, struct buf *out)
{
	struct stat st;
	char *room = NULL;

	if (file_is_sealed(fd) && fstat(fd, &st) == 0 && st.st_size >= 0 &&
	    st.st_size <= (off_t)DECODER_TEXT_MAX)
		room = buf_room(out, (size_t)st.st_size);
	if (!room || file_pread(fd, room, (size_t)st.st_size, 0))
		return err_set(ERR_TEMP, "decoder: no text in its answer");
	buf_added(out, (size_t)st.st_size);
	return ERR_OK;
}

static int take_answer(struct ipc_in *a, struct buf *out)
{
	int code, fd;

	if (ipc_is(a, "none"))
		return err_set(ERR_UNSUPPORTED, "%s", ipc_text(a, "why"));
	fd = ipc_is(a, "text") ? ipc_take_fd(a) : -1;
	if (fd < 0)
		return err_set(ERR_TEMP, "decoder: %s", ipc_text(a, "why"));
	code = take_text(fd, out);
	close(fd);
	return code;
}

/* What is asked: the text of DATA, N, by the command KEY. */
struct question {
	const char *socket;
	uint32_t key;
	uint64_t asker;
	const char *data;
	size_t n;
};

/* The reading end in the packet; gives the other one, or -1. A session may make
 * no file in memory, which would be nobody's. */
static int begin_question(struct ipc_out *m, const struct question *q)
{
	int end[2];

	if (pipe2(end, O_CLOEXEC) < 0)
		return -1;
	file_set_nonblock(end[1], true);
	ipc_begin(m, "decode");
	ipc_put_int(m, "command", q->key);
	ipc_put_int(m, "asker", (int64_t)q->asker);
	ipc_put_own_fd(m, end[0]);
	return end[1];
}

/* That nobody reads is said by the answer, or that there is none. */
static void pour(int fd, const struct question *q, int64_t until)
{
	for (size_t at = 0; at < q->n;) {
		ssize_t n = write(fd, q->data + at, q->n - at);

		if (n > 0)
			at += (size_t)n;
		else if (errno != EINTR &&
			 (errno != EAGAIN ||
			  wait_until(fd, POLLOUT, until) != ERR_OK))
			return;
	}
}

static int ask_on(int sock, const struct question *q, struct ipc_in *a,
		  int64_t until)
{
	struct ipc_out m = { .ready = false };
	int fd = begin_question(&m, q), code;

	if (fd < 0)
		return err_sys("make", "a pipe");
	code = ipc_send(sock, &m, until - clock_ms());
	ipc_out_free(&m);
	if (!code)
		pour(fd, q, until);
	close(fd);
	return code ? code : ipc_recv(sock, a, until - clock_ms());
}

static int ask_once(const struct question *q, struct ipc_in *a, int64_t ms)
{
	int64_t until = clock_ms() + ms;
	int code, sock = ipc_connect_within(q->socket, ms);

	if (sock < 0)
		return err_sys("connect to", q->socket);
	code = ask_on(sock, q, a, until);
	close(sock);
	return code;
}

/* Others of our user may just be asking there, and then we are one too many; or
 * a process ends before it has taken the question. */
static int ask(const struct question *q, struct buf *out)
{
	int64_t until = clock_ms() + WAIT_MS;
	struct ipc_in a = { .data = NULL };
	int pause = PAUSE_MS;
	int code = ask_once(q, &a, WAIT_MS);

	while (code == ERR_EOF && clock_ms() + pause < until) {
		poll(NULL, 0, pause);
		if (pause < PAUSE_MAX_MS)
			pause *= 2;
		code = ask_once(q, &a, until - clock_ms());
	}
	code = code ? err_set(ERR_TEMP, "decoder: %s", err_why(code))
		    : take_answer(&a, out);
	ipc_in_free(&a);
	return code;
}

int decoder_ask(const struct decoders *d, const struct decoder *row,
		uint64_t asker, const char *data, size_t n, struct buf *out)
{
	const struct question q = { d->socket, row->key, asker, data, n };

	if (n > DECODER_INPUT_MAX)
		return err_set(ERR_UNSUPPORTED, "too large");
	return ask(&q, out);
}
