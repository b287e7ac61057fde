#include "local-deliver/errand.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/heartbeat.h"
#include "local-deliver/identity.h"
#include "log/log.h"
#include "log/relay.h"
#include "server/child.h"
#include "server/sandbox.h"

/* One read into OUT; bytes over its limit are dropped. False at the end. */
static bool take(int fd, struct buf *out)
{
	char data[16384];
	ssize_t n = read(fd, data, sizeof(data));

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	buf_put(out, data, (size_t)n);
	return n > 0;
}

/* Reads the answer to its end. False if it takes too long. */
static bool listen_to(int fd, struct buf *out)
{
	int64_t until = clock_ms() + ERRAND_MS;
	struct pollfd p = { .fd = fd, .events = POLLIN };

	for (;;) {
		int64_t left = until - clock_ms();

		if (left <= 0)
			return false;
		if (poll(&p, 1, heartbeat_turn(left)) > 0 && !take(fd, out))
			return true;
	}
}

static int collect(pid_t pid, bool in_time)
{
	int status;

	if (!in_time) {
		log_error("a process took too long, and is killed");
		child_end(pid);
		return -1;
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	if (!WIFEXITED(status)) {
		log_error("a process ended by signal %d", WTERMSIG(status));
		return -1;
	}
	return WEXITSTATUS(status);
}

int errand_run(const struct identity *id, int keep,
	       int (*act)(void *context, int out), void *context,
	       struct buf *out)
{
	int fd[2], result;
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC) < 0)
		return -1;
	pid = relay_fork();
	if (pid == 0) {
		const int kept[] = { fd[1], keep };

		identity_become(id, kept, keep < 0 ? 1 : 2);
		sandbox_enter(SANDBOX_OPEN);
		_exit(act(context, fd[1]));
	}
	close(fd[1]);
	result = pid < 0 ? -1 : collect(pid, listen_to(fd[0], out));
	close(fd[0]);
	return result;
}
