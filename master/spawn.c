#include "master/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "ipc/ipc.h"
#include "log/log.h"

static void pass_fd(const char *name, int fd)
{
	char *number = mem_printf("%d", fd);

	if (fd >= 0)
		file_set_cloexec(fd, false);
	setenv(name, number, 1);
	free(number);
}

static void pass_listeners(const struct spawn *s)
{
	char *words = mem_strdup(s->listen), *word;

	while ((word = strsep(&words, " "))) {
		char *colon = strrchr(word, ':');

		if (colon)
			file_set_cloexec(atoi(colon + 1), false);
	}
	setenv("POSTHORN_LISTEN", s->listen, 1);
}

/* In the new process: only what the service shall have. */
static void become(const struct spawn *s, bool again, int ready, int log)
{
	sigset_t none;

	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	pass_listeners(s);
	pass_fd("POSTHORN_READY", ready);
	pass_fd("POSTHORN_LOG", log);
	setenv("POSTHORN_USER", s->user, 1);
	setenv("POSTHORN_PEERS", s->peers, 1);
	setenv("POSTHORN_CHROOT", s->root, 1);
	setenv("POSTHORN_AGAIN", again ? "yes" : "", 1);
	unsetenv("NOTIFY_SOCKET");
	execl(s->program, s->name, "-c", s->config_path, (char *)NULL);
	log_die(EX_OSERR, "cannot execute %s: %m", s->program);
}

static void close_pair(const int pair[2])
{
	for (int i = 0; i < 2; i++)
		if (pair[i] >= 0)
			close(pair[i]);
}

static bool make_links(const struct spawn *s, int ready[2], int log[2])
{
	return pipe2(ready, O_CLOEXEC) == 0 &&
	       (!s->in_place ||
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, log) ==
			0);
}

pid_t spawn(const struct spawn *s, bool again, struct spawn_links *links)
{
	int ready[2] = { -1, -1 }, log[2] = { -1, -1 }, err;
	pid_t pid = make_links(s, ready, log) ? fork() : -1;

	if (pid == 0)
		become(s, again, ready[1], log[1]);
	err = errno;
	if (pid > 0) {
		setpgid(pid, pid);
		*links = (struct spawn_links){ ready[0], log[0] };
		ready[0] = log[0] = -1;
	}
	close_pair(ready);
	close_pair(log);
	errno = err;
	return pid;
}

void spawn_reload(pid_t pid, const struct spawn_links *links)
{
	struct ipc_out m = { 0 };
	int fd = log_fd();

	if (fd >= 0) {
		ipc_begin(&m, "log");
		ipc_put_fd(&m, fd);
		if (ipc_send(links->log, &m, 0))
			log_warn("cannot hand the log file on");
		ipc_out_free(&m);
	}
	kill(pid, SIGHUP);
}
