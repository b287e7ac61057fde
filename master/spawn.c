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

/* A signal between fork and exec would run master's handler, which writes to
 * the pipe of master's loop: master would take the signal for its own. */
static pid_t fork_quietly(void)
{
	sigset_t all, former;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &former);
	pid = fork();
	if (pid != 0)
		sigprocmask(SIG_SETMASK, &former, NULL);
	return pid;
}

/* In the new process: no handlers of master's, and nothing blocked. SIGHUP is
 * ignored, since there is no log to reopen yet. */
static void signals_reset(void)
{
	static const int ours[] = { SIGTERM, SIGINT, SIGCHLD };
	sigset_t none;

	signal(SIGHUP, SIG_IGN);
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		signal(ours[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* In the new process: only what the service is to have. */
static void become(const struct spawn *s, bool again, int ready, int link)
{
	setpgid(0, 0);
	signals_reset();
	pass_listeners(s);
	pass_fd("POSTHORN_READY", ready);
	pass_fd("POSTHORN_MASTER", link);
	pass_fd("POSTHORN_SEALED", s->config_fd);
	setenv("POSTHORN_USER", s->user, 1);
	setenv("POSTHORN_PEERS", s->peers, 1);
	setenv("POSTHORN_CHROOT", s->root, 1);
	setenv("POSTHORN_AGAIN", again ? "yes" : "", 1);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	execl(s->program, s->name, "-c", s->config_path, (char *)NULL);
	log_die(EX_OSERR, "cannot execute %s: %m", s->program);
}

static void close_pair(const int pair[2])
{
	for (int i = 0; i < 2; i++)
		if (pair[i] >= 0)
			close(pair[i]);
}

static bool make_links(int ready[2], int link[2])
{
	return pipe2(ready, O_CLOEXEC) == 0 &&
	       socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link) == 0;
}

pid_t spawn(const struct spawn *s, bool again, struct spawn_links *links)
{
	int ready[2] = { -1, -1 }, link[2] = { -1, -1 }, err;
	pid_t pid = make_links(ready, link) ? fork_quietly() : -1;

	if (pid == 0)
		become(s, again, ready[1], link[1]);
	err = errno;
	if (pid > 0) {
		setpgid(pid, pid);
		file_set_nonblock(ready[0], true);
		*links = (struct spawn_links){ ready[0], link[0] };
		ready[0] = link[0] = -1;
	}
	close_pair(ready);
	close_pair(link);
	errno = err;
	return pid;
}
