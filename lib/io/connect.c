#include "io/connect.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "io/wait.h"

static socklen_t fill_address(struct sockaddr_storage *a, const char *ip,
			      int port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)a;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)a;

	*a = (struct sockaddr_storage){ .ss_family = AF_INET };
	v4->sin_port = htons((uint16_t)port);
	if (inet_pton(AF_INET, ip, &v4->sin_addr) == 1)
		return sizeof(*v4);
	*a = (struct sockaddr_storage){ .ss_family = AF_INET6 };
	v6->sin6_port = htons((uint16_t)port);
	if (inet_pton(AF_INET6, ip, &v6->sin6_addr) == 1)
		return sizeof(*v6);
	return 0;
}

bool connect_end(int fd)
{
	int so_error = 0;
	socklen_t len = sizeof(so_error);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &so_error, &len) < 0)
		return false;
	errno = so_error;
	return so_error == 0;
}

static bool finish(int fd, int64_t ms, int stop)
{
	int err = wait_beside(fd, POLLOUT, stop, clock_ms() + ms);

	if (err == ERR_TIMEOUT)
		errno = ETIMEDOUT;
	if (err == ERR_STOPPING)
		errno = ECANCELED;
	return !err && connect_end(fd);
}

static void close_with(int fd, int err)
{
	close(fd);
	errno = err;
}

int connect_begin(const char *ip, int port)
{
	struct sockaddr_storage a;
	socklen_t len = fill_address(&a, ip, port);
	int fd, on = 1;

	if (len == 0) {
		errno = EINVAL;
		return -1;
	}
	fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	/* the end of a message must not wait for an acknowledgement */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, (struct sockaddr *)&a, len) == 0 ||
	    errno == EINPROGRESS)
		return fd;
	close_with(fd, errno);
	return -1;
}

int connect_to(const char *ip, int port, int64_t ms, int stop)
{
	int fd = connect_begin(ip, port);

	if (fd < 0)
		return -1;
	if (finish(fd, ms, stop)) {
		file_set_nonblock(fd, false);
		return fd;
	}
	close_with(fd, errno);
	return -1;
}
