#include "server/child.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <time.h>

#include "base/mem.h"
#include "log/log.h"

#define TRIES 5 /* of a millisecond: a killed process is gone soon */

static struct {
	pid_t *left;
	size_t n, cap;
} self;

static bool is_gone(pid_t pid)
{
	pid_t got;

	do
		got = waitpid(pid, NULL, WNOHANG);
	while (got < 0 && errno == EINTR);
	return got != 0;
}

void child_reap(void)
{
	size_t kept = 0;

	for (size_t i = 0; i < self.n; i++)
		if (!is_gone(self.left[i]))
			self.left[kept++] = self.left[i];
	self.n = kept;
}

static void leave(pid_t pid)
{
	log_warn("process %ld was killed, and waits in the kernel: it is not "
		 "waited for",
		 (long)pid);
	if (self.n == self.cap) {
		self.cap += 16;
		self.left = mem_resize(self.left, self.cap, sizeof(pid_t));
	}
	self.left[self.n++] = pid;
}

void child_report(pid_t pid, int status)
{
	if (WIFSIGNALED(status))
		log_error("process %ld ended by signal %d%s", (long)pid,
			  WTERMSIG(status),
			  WCOREDUMP(status) ? ", core dumped" : "");
	else
		log_warn("process %ld ended with status %d", (long)pid,
			 WEXITSTATUS(status));
}

void child_end(pid_t pid)
{
	static const struct timespec pause = { 0, 1000000 };

	child_reap();
	kill(pid, SIGKILL);
	for (int i = 0; i < TRIES; i++) {
		if (is_gone(pid))
			return;
		nanosleep(&pause, NULL);
	}
	leave(pid);
}
