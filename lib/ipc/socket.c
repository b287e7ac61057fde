/*
 * Sockets that carry packets. Only a connect with a time limit blocks in the
 * kernel: sends and receives are tried, and poll waits if the caller has time.
 * Descriptors travel beside the bytes (SCM_RIGHTS); a truncated packet or list
 * of descriptors is refused as a whole, and the descriptors are closed. The
 * kernel, never the peer, tells who is at the other end when a connection is
 * accepted.
 */
#include "ipc/ipc.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/heartbeat.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/wait.h"
#include "ipc/packet.h"
#include "log/log.h"
#include "log/rate.h"

#define CONNECT_MS 10000

static struct {
	char dir[100];
} self = { "." };

union control {
	struct cmsghdr align;
	char space[CMSG_SPACE(IPC_FDS_MAX * sizeof(int))];
};

static void attach(struct msghdr *h, union control *c, const int *fd, int n)
{
	struct cmsghdr *cmsg;

	if (n == 0)
		return;
	memset(c, 0, sizeof(*c));
	h->msg_control = c;
	h->msg_controllen = CMSG_SPACE((size_t)n * sizeof(int));
	cmsg = CMSG_FIRSTHDR(h);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
	memcpy(CMSG_DATA(cmsg), fd, (size_t)n * sizeof(int));
}

int ipc_send(int sock, const struct ipc_out *m, int64_t ms)
{
	struct iovec iov = { m->data.data, m->data.len };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control c;
	int64_t until = 0;
	int err;

	if (m->data.over)
		return err_set(ERR_TOO_LONG, "too much for a packet");
	attach(&h, &c, m->fd, m->nfds);
	while (sendmsg(sock, &h, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN && errno != EWOULDBLOCK)
			return err_sys("send", "a packet");
		if (ms == 0)
			return ERR_BUSY;
		if (!until)
			until = clock_ms() + ms;
		err = wait_until(sock, POLLOUT, until);
		if (err)
			return err;
	}
	return ERR_OK;
}

static void collect(struct msghdr *h, struct ipc_in *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(m->fd, CMSG_DATA(c), n * sizeof(int));
		m->nfds = (int)n;
	}
}

/* One try to receive; ERR_BUSY if nothing is there. */
static int receive(int sock, struct ipc_in *m)
{
	struct iovec iov = { m->data, m->cap_data };
	union control c;
	struct msghdr h = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &c,
			    .msg_controllen = sizeof(c) };
	ssize_t n;

	do
		n = recvmsg(sock, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return ERR_BUSY; /* no failure: no cause */
	if (n < 0)
		return err_sys("receive", "a packet");
	collect(&h, m);
	if (n == 0)
		return err_set(ERR_EOF, "connection closed");
	m->len = (size_t)n;
	if (h.msg_flags & (MSG_TRUNC | MSG_CTRUNC) || !ipc_parse(m)) {
		ipc_in_reset(m);
		return err_set(ERR_SYNTAX, "malformed packet");
	}
	return ERR_OK;
}

int ipc_recv(int sock, struct ipc_in *m, int64_t ms)
{
	int64_t until = 0;
	int err;

	ipc_in_reset(m);
	if (!m->data) {
		m->data = mem_resize(NULL, IPC_PACKET_MAX, 1);
		m->cap_data = IPC_PACKET_MAX;
	}
	for (;;) {
		err = receive(sock, m);
		if (err != ERR_BUSY || ms == 0)
			return err;
		if (!until)
			until = clock_ms() + ms;
		err = wait_until(sock, POLLIN, until);
		if (err)
			return err;
	}
}

bool ipc_end_input(int sock)
{
	char c;

	/* it fails if the peer is gone, which then waits for nothing */
	err_ignore(shutdown(sock, SHUT_RD));
	return recv(sock, &c, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

int ipc_call(int sock, const struct ipc_out *q, struct ipc_in *a, int64_t ms)
{
	int64_t until = clock_ms() + ms, left;
	int err = ipc_send(sock, q, ms);

	if (err)
		return err;
	/* the answer cannot be there yet: do not try to receive it first */
	err = wait_until(sock, POLLIN, until);
	if (err)
		return err;
	left = until - clock_ms();
	return ipc_recv(sock, a, left > 0 ? left : 1);
}

void ipc_set_dir(const char *dir)
{
	if (!str_copy(self.dir, sizeof(self.dir), dir))
		log_die(78, "the path of the private folder is too long: %s",
			dir);
}

static bool fill_address(struct sockaddr_un *a, const char *path)
{
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (str_copy(a->sun_path, sizeof(a->sun_path), path))
		return true;
	errno = ENAMETOOLONG;
	return false;
}

/* The address of the service NAME. */
static bool find_address(struct sockaddr_un *a, const char *name)
{
	char path[sizeof(self.dir) + sizeof(a->sun_path)];

	if (name[0] == '/')
		return fill_address(a, name);
	snprintf(path, sizeof(path), "%s/%s", self.dir, name);
	return fill_address(a, path);
}

int ipc_connect_within(const char *name, int64_t ms)
{
	struct timeval wait = { ms / 1000, ms % 1000 * 1000 };
	struct sockaddr_un a;
	int fd, err;

	if (!find_address(&a, name))
		return -1;
	fd = socket(AF_UNIX,
		    SOCK_SEQPACKET | SOCK_CLOEXEC |
			    (ms > 0 ? 0 : SOCK_NONBLOCK),
		    0);
	if (fd < 0)
		return -1;
	/* wait while the other side has no room for another connection */
	if (ms > 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	heartbeat_long(ms);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		err = errno;
		close(fd);
		errno = err;
		return -1;
	}
	return fd;
}

int ipc_connect(const char *name)
{
	return ipc_connect_within(name, CONNECT_MS);
}

int ipc_connect_now(const char *name)
{
	return ipc_connect_within(name, 0);
}

int ipc_listen(const char *path, mode_t mode, int backlog)
{
	struct sockaddr_un a;
	int fd, err;

	if (!fill_address(&a, path))
		return -1;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	err_ignore(unlink(path)); /* bind tells if it is still there */
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    chmod(path, mode) < 0 || listen(fd, backlog) < 0) {
		err = errno;
		close(fd);
		errno = err;
		return -1;
	}
	return fd;
}

static bool is_allowed(uid_t uid, const uid_t *uids, size_t n)
{
	if (uid == 0 || uid == geteuid())
		return true;
	for (size_t i = 0; i < n; i++)
		if (uids[i] == uid)
			return true;
	return false;
}

/* Accepts, and asks the kernel who the peer is; -1 with errno. */
static int accept_peer(int listener, struct ucred *peer)
{
	socklen_t len = sizeof(*peer);
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0 &&
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &len) < 0) {
		close(fd);
		errno = EACCES;
		return -1;
	}
	return fd;
}

int ipc_accept(int listener, const uid_t *uids, size_t n, uid_t *uid)
{
	static struct log_rate refused;
	struct ucred peer;
	int fd = accept_peer(listener, &peer);

	if (fd < 0)
		return -1;
	if (!is_allowed(peer.uid, uids, n)) {
		if (log_rate_allows(&refused, 1, "connections refused"))
			log_warn("connection from uid %ld, process %ld refused",
				 (long)peer.uid, (long)peer.pid);
		close(fd);
		errno = EACCES;
		return -1;
	}
	if (uid)
		*uid = peer.uid;
	return fd;
}

int ipc_accept_any(int listener, uid_t *uid)
{
	struct ucred peer;
	int fd = accept_peer(listener, &peer);

	if (fd >= 0 && uid)
		*uid = peer.uid;
	return fd;
}
