/*
 * Both ends of a socket that carries lines of the log: the child's, which writes
 * and waits when it has sent too much, and the parent's, which knows by the
 * kernel's word who wrote, and keeps count of what each may send.
 */
#include "log/relay.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "log/log.h"

#define RATE (256 << 10) /* bytes a second in the log, of one process */
#define BURST (1 << 20)
#define TURN_PACKETS 64 /* of one process, before others have their turn */
#define TURN_MS 50	/* until one that has sent too much is looked at */
#define EVENTS 32

struct source {
	LIST_ENTRY(source) link;
	int fd;
	int64_t left; /* bytes that it may send, at … */
	int64_t at_ms;
	bool paused; /* not polled until it may */
};

static struct {
	int epoll; /* -1 until there is a source */
	LIST_HEAD(, source) sources;
	unsigned paused;
	bool stalled; /* the log takes nothing at the moment */
	bool let_fork;
} self = { .epoll = -1, .sources = LIST_HEAD_INITIALIZER(self.sources) };

void relay_let_fork(void)
{
	self.let_fork = true;
}

static bool listen_to(struct source *s)
{
	struct epoll_event e = { EPOLLIN, { .ptr = s } };

	return epoll_ctl(self.epoll, EPOLL_CTL_ADD, s->fd, &e) == 0;
}

/* FD is the end of a process. */
static bool add(int fd)
{
	struct source *s;

	if (self.epoll < 0)
		self.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (self.epoll < 0)
		return false;
	s = mem_alloc(sizeof(*s));
	*s = (struct source){ .fd = fd, .left = BURST, .at_ms = clock_ms() };
	if (!listen_to(s)) {
		free(s);
		return false;
	}
	LIST_INSERT_HEAD(&self.sources, s, link);
	return true;
}

static void release(struct source *s)
{
	LIST_REMOVE(s, link);
	self.paused -= s->paused;
	close(s->fd);
	free(s);
}

/* Closing is not enough: a new process may still have it, too. */
static void drop(struct source *s)
{
	epoll_ctl(self.epoll, EPOLL_CTL_DEL, s->fd, NULL);
	release(s);
}

/* In a new process: none of this is its business. What is polled is the
 * parent's, too, and stays. */
static void forget(void)
{
	struct source *s;

	while ((s = LIST_FIRST(&self.sources)))
		release(s);
	if (self.epoll >= 0)
		close(self.epoll);
	self.epoll = -1;
	self.stalled = self.let_fork = false;
}

static bool make_pair(int pair[2])
{
	static const int on = 1;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return false;
	/* with each packet the kernel says whose it is */
	setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	return true;
}

pid_t relay_fork(void)
{
	int pair[2];
	pid_t pid;

	if (!log_can_relay())
		return fork();
	if (!make_pair(pair))
		return -1;
	pid = fork();
	if (pid == 0) {
		forget();
		close(pair[0]);
		log_to_relay(pair[1]);
		return 0;
	}
	close(pair[1]);
	/* lines of a process that has no reader are lost, and no more */
	if (pid < 0 || log_pass(pair[0]) || !add(pair[0]))
		close(pair[0]);
	return pid;
}

/* What S sent: who, and with it a socket of a process of its own, or -1. */
struct packet {
	char text[LOG_LINE_MAX];
	size_t n;
	struct ucred who;
	int fd;
};

static void take_control(struct msghdr *m, struct packet *p)
{
	p->who.pid = -1;
	p->fd = -1;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_CREDENTIALS)
			memcpy(&p->who, CMSG_DATA(c), sizeof(p->who));
		else if (c->cmsg_type == SCM_RIGHTS)
			memcpy(&p->fd, CMSG_DATA(c), sizeof(p->fd));
	}
}

/* What S sent. 0: nothing is there; -1: its end. There is no room for more
 * descriptors than we want: the kernel closes the others. */
static int receive(const struct source *s, struct packet *p)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(p->who)) +
					      CMSG_SPACE(sizeof(p->fd))];
	struct iovec text = { p->text, sizeof(p->text) };
	struct msghdr m = { .msg_iov = &text,
			    .msg_iovlen = 1,
			    .msg_control = control };
	ssize_t n;

	m.msg_controllen = self.let_fork ? sizeof(control)
					 : CMSG_SPACE(sizeof(p->who));
	do
		n = recvmsg(s->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -1;
	take_control(&m, p);
	p->n = (size_t)n;
	/* an empty packet is somebody's, the end is nobody's */
	return p->who.pid < 0 ? -1 : 1;
}

static void take_socket(const struct packet *p)
{
	if (p->who.uid != geteuid() || !add(p->fd))
		close(p->fd);
}

/* Each line of P; gives the bytes that this has cost. */
static size_t put_lines(const struct packet *p)
{
	size_t cost = 64, n;

	for (size_t at = 0; at < p->n; at += n + 1) {
		const char *end = memchr(p->text + at, '\n', p->n - at);

		n = end ? (size_t)(end - (p->text + at)) : p->n - at;
		if (n > 0)
			cost += log_relayed(p->who.pid, p->text + at, n);
	}
	return cost;
}

static void refill(struct source *s, int64_t now)
{
	int64_t passed = now - s->at_ms;

	s->at_ms = now;
	s->left += passed > 5000 ? BURST : passed * RATE / 1000;
	if (s->left > BURST)
		s->left = BURST;
}

static void pause_source(struct source *s)
{
	/* one that is left in would still report its end, again and again */
	epoll_ctl(self.epoll, EPOLL_CTL_DEL, s->fd, NULL);
	s->paused = true;
	self.paused++;
}

/* Takes at most MOST packets of S, or as many as it may send. */
static void read_source(struct source *s, int most, bool limited)
{
	struct packet p;

	refill(s, clock_ms());
	for (int i = 0; i < most; i++) {
		int got = receive(s, &p);

		if (got < 0)
			drop(s);
		if (got <= 0)
			return;
		if (p.fd >= 0)
			take_socket(&p);
		else
			s->left -= (int64_t)put_lines(&p);
		if (limited && s->left <= 0) {
			pause_source(s);
			return;
		}
	}
}

static void resume(void)
{
	int64_t now = clock_ms();
	struct source *s;

	if (self.paused > 0)
		LIST_FOREACH(s, &self.sources, link) {
			if (!s->paused)
				continue;
			refill(s, now);
			if (s->left <= 0 || !listen_to(s))
				continue;
			s->paused = false;
			self.paused--;
		}
}

int relay_fd(void)
{
	return self.stalled ? -1 : self.epoll;
}

int relay_turn(int ms)
{
	bool soon = self.stalled || self.paused > 0;

	return soon && (ms < 0 || ms > TURN_MS) ? TURN_MS : ms;
}

void relay_read(void)
{
	struct epoll_event e[EVENTS];
	int n;

	if (self.epoll < 0)
		return;
	self.stalled = !log_takes();
	if (self.stalled)
		return;
	resume();
	n = epoll_wait(self.epoll, e, EVENTS, 0);
	for (int i = 0; i < n; i++)
		read_source(e[i].data.ptr, TURN_PACKETS, true);
}

void relay_drain(void)
{
	struct source *s, *next;

	for (s = LIST_FIRST(&self.sources); s && log_takes(); s = next) {
		next = LIST_NEXT(s, link);
		read_source(s, BURST / 64, false);
	}
}
