#include "server/link.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "ipc/ipc.h"
#include "log/log.h"

/* With TEXT as NAME, unless that is NULL; with FD, unless it is -1. */
static bool say_with(int sock, const char *verb, const char *name,
		     const char *text, int fd)
{
	struct ipc_out m = { 0 };
	int err;

	ipc_begin(&m, verb);
	if (name)
		ipc_put(&m, name, text);
	if (fd >= 0)
		ipc_put_fd(&m, fd);
	err = ipc_send(sock, &m, 0);
	ipc_out_free(&m);
	return err == ERR_OK;
}

static bool say(int sock, const char *verb)
{
	return say_with(sock, verb, NULL, NULL, -1);
}

void link_close(struct link *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

static enum link_word take_log(struct ipc_in *m)
{
	log_replace(ipc_text(m, "target"), ipc_take_fd(m));
	return LINK_ANSWERED;
}

static enum link_word take_config(struct link *l, struct ipc_in *m)
{
	int fd = ipc_take_fd(m);

	if (fd < 0)
		return LINK_ANSWERED;
	if (l->config_fd >= 0)
		close(l->config_fd);
	l->config_fd = fd;
	return LINK_RELOAD;
}

static enum link_word obey(struct link *l, struct ipc_in *m)
{
	if (ipc_is(m, "go"))
		return LINK_GO;
	if (ipc_is(m, "log"))
		return take_log(m);
	if (ipc_is(m, "reload"))
		return take_config(l, m);
	/* a pong that does not fit the socket is lost, like none */
	if (ipc_is(m, "ping") && !say(l->fd, "pong"))
		log_warn("cannot answer master");
	return LINK_ANSWERED;
}

enum link_word link_read(struct link *l)
{
	struct ipc_in m = { 0 };
	enum link_word word = LINK_QUIET;
	int err;

	if (l->fd < 0)
		return LINK_QUIET;
	err = ipc_recv(l->fd, &m, 0);
	if (err == ERR_OK) {
		word = obey(l, &m);
	} else if (err != ERR_BUSY) {
		link_close(l);
		word = LINK_ENDED;
	}
	ipc_in_free(&m);
	return word;
}

bool link_wait_for_go(struct link *l)
{
	while (l->fd >= 0) {
		struct pollfd p = { .fd = l->fd, .events = POLLIN };

		if (poll(&p, 1, -1) < 0 && errno != EINTR)
			return false;
		switch (link_read(l)) {
		case LINK_GO:
			return true;
		case LINK_ENDED:
			return false;
		default:
			break;
		}
	}
	return true;
}

void link_hung(const struct link *l)
{
	/* the log has it already */
	if (l->fd >= 0 && !say(l->fd, "hung"))
		log_debug("master cannot be told");
}

void link_give_up(const struct link *l, const char *why)
{
	if (l->fd >= 0 && !say_with(l->fd, "give-up", "why", why, -1))
		log_debug("master cannot be told");
}

void link_last_words(const struct link *l, const char *why)
{
	if (l->fd >= 0 && !say_with(l->fd, "last-words", "why", why, -1))
		log_debug("master cannot be told");
}

bool link_ping(int sock)
{
	return say(sock, "ping");
}

bool link_go(int sock)
{
	return say(sock, "go");
}

bool link_log(int sock, const char *target, int log_fd)
{
	return say_with(sock, "log", "target", target, log_fd);
}

bool link_reload(int sock, int config_fd)
{
	return say_with(sock, "reload", NULL, NULL, config_fd);
}

/* Of "VERB NUL why=WHY NUL", of SIZE bytes. */
static void take_why(struct link_heard *heard, const char *text, size_t size)
{
	const char *why = memchr(text, '=', size);

	snprintf(heard->why, sizeof(heard->why), "%s", why ? why + 1 : "");
}

static bool tells_why(struct link_heard *heard, const char *verb)
{
	bool gives_up = strcmp(verb, "give-up") == 0;

	heard->gives_up |= gives_up;
	return gives_up || strcmp(verb, "last-words") == 0;
}

bool link_hear(int sock, const char *name, struct link_heard *heard)
{
	char text[512];
	ssize_t n;

	*heard = (struct link_heard){ false };
	while ((n = recv(sock, text, sizeof(text) - 1, MSG_DONTWAIT)) > 0) {
		text[n] = '\0';
		text[strcspn(text, "\n")] = '\0';
		if (strcmp(text, "pong") == 0)
			heard->alive = true;
		else if (strcmp(text, "hung") == 0)
			heard->hung++;
		else if (tells_why(heard, text))
			take_why(heard, text, (size_t)n);
		else
			log_error("%s: stack: %s", name, text);
	}
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}
