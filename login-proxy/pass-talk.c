/* The dialogue with a host: its lines come in, and what they lead to goes out. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "login-proxy/pass-parts.h"
#include "login-proxy/reach.h"

#define LINES_MAX 500 /* of a host until the login is over */

static void take_lines(struct pass *p);

/* Sends what the dialogue wants: it fits the socket's buffer, or the host does
 * not read. */
static bool send_out(struct pass *p)
{
	struct buf *out = &p->talk.out;
	ssize_t n = 0;
	size_t all = out->len;

	if (all > 0)
		n = send(p->net, out->data, all, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (all > 0)
		mem_wipe(out->data, all);
	buf_reset(out);
	return n >= 0 && (size_t)n == all;
}

static void on_input(evutil_socket_t fd, short what, void *arg)
{
	struct pass *p = arg;
	char block[4096];
	ssize_t n = -1;

	if (what & EV_READ)
		n = recv(fd, block, sizeof(block), MSG_DONTWAIT);
	if (n < 0 && what & EV_READ && (errno == EAGAIN || errno == EINTR)) {
		pass_listen(p);
		return;
	}
	if (n <= 0 && p->reach) {
		pass_not_reached(p, what & EV_READ
					    ? "it says nothing and closes"
					    : "it says nothing");
		return;
	}
	if (n <= 0) {
		pass_give_up(p, "",
			     what & EV_READ ? "it closed the connection"
					    : "no answer in time");
		return;
	}
	if (p->reach)
		reach_end(p->reach, true);
	p->reach = NULL;
	buf_put(&p->input, block, (size_t)n);
	take_lines(p);
}

void pass_listen(struct pass *p)
{
	pass_await(p, EV_READ, pass_left(p), on_input);
}

/* The next line off the input, in LINE; false: it is not whole. */
static bool take_line(struct pass *p, char line[INPUT_MAX + 1])
{
	const char *lf =
		p->input.len ? memchr(p->input.data, '\n', p->input.len) : NULL;
	size_t n = lf ? (size_t)(lf - p->input.data) : 0;

	if (!lf)
		return false;
	memcpy(line, p->input.data, n);
	buf_consume(&p->input, n + 1);
	while (n > 0 && line[n - 1] == '\r')
		n--;
	line[n] = '\0';
	return true;
}

void pass_act(struct pass *p, enum talk_result result)
{
	if ((result == TALK_MORE || result == TALK_TLS) && !send_out(p)) {
		pass_give_up(p, "", "it does not read");
		return;
	}
	switch (result) {
	case TALK_MORE:
		pass_listen(p);
		break;
	case TALK_TLS:
		/* anyone could have sent what came with the invitation */
		if (p->input.len > 0)
			pass_give_up(p, "", "it speaks before TLS");
		else
			pass_begin_tls(p);
		break;
	case TALK_DONE:
		pass_logged_in(p);
		break;
	case TALK_WRONG:
		pass_say_no(p, "failed");
		break;
	case TALK_REFUSED:
		pass_say_no(p, "refused");
		break;
	case TALK_FAULT:
		pass_give_up(p, "", p->talk.text.data);
		break;
	}
}

static void take_lines(struct pass *p)
{
	static char line[INPUT_MAX + 1];
	enum talk_result result = TALK_MORE;

	while (result == TALK_MORE && p->lines < LINES_MAX &&
	       take_line(p, line)) {
		p->lines++;
		result = talk_line(&p->talk, line);
	}
	if (p->input.over || p->lines >= LINES_MAX ||
	    p->talk.text.len > TALK_TEXT_MAX) {
		pass_give_up(p, "", "it says too much");
		return;
	}
	pass_act(p, result);
}
