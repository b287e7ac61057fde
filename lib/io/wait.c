#include "io/wait.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/heartbeat.h"

static int wait_for(struct pollfd *p, nfds_t fds, int64_t until_ms)
{
	for (;;) {
		int64_t left = until_ms - clock_ms();
		int n, turn;

		if (left < 0)
			left = 0;
		turn = heartbeat_turn(left);
		n = poll(p, fds, turn);
		if (n > 0)
			return ERR_OK;
		if (n < 0 && errno != EINTR)
			return err_sys("wait for", "the other side");
		if (n == 0 && turn == left)
			return err_set(ERR_TIMEOUT, "timed out");
	}
}

int wait_until(int fd, short events, int64_t until_ms)
{
	struct pollfd p = { .fd = fd, .events = events };

	return wait_for(&p, 1, until_ms);
}

int wait_beside(int fd, short events, int stop, int64_t until_ms)
{
	struct pollfd p[2] = { { .fd = fd, .events = events },
			       { .fd = stop, .events = POLLIN } };
	int err = wait_for(p, 2, until_ms);

	if (!err && !p[0].revents)
		return err_set(ERR_STOPPING, "asked to stop");
	return err;
}

int wait_input_beside(int fd, int stop, int64_t until_ms)
{
	return wait_beside(fd, POLLIN, stop, until_ms);
}

/* Of an end that is closed epoll always tells. */
int wait_hang_up(int fd)
{
	struct epoll_event nothing_else = { .events = 0 };
	int watch = epoll_create1(EPOLL_CLOEXEC), err;

	if (watch < 0 || epoll_ctl(watch, EPOLL_CTL_ADD, fd, &nothing_else) == 0)
		return watch;
	err = errno;
	close(watch);
	errno = err;
	return -1;
}
