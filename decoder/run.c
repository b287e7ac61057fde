/*
 * The command can make no process, so that its end is the end of all that it
 * does. Its input is a sealed file, which it can also seek in, as unzip(1) does
 * in /dev/stdin.
 */
#include "decoder/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/heartbeat.h"
#include "server/sandbox.h"

#define PIECE 65536
#define NICE 10
#define NOT_RUN 127 /* exit status: this process did not become the command */

/* What a command may read and execute, beside its own file. */
static const char *const readable[] = {
	"/usr",	      "/bin",	   "/sbin",	   "/lib",
	"/lib32",     "/lib64",	   "/etc",	   "/opt",
	"/dev/null",  "/dev/zero", "/dev/urandom", "/proc/self",
};

#define READABLE (sizeof(readable) / sizeof(*readable))

static void limit(int what, rlim_t soft, rlim_t hard)
{
	const struct rlimit r = { soft, hard };

	if (setrlimit(what, &r) < 0)
		_exit(NOT_RUN);
}

static void limit_all(void)
{
	limit(RLIMIT_CPU, RUN_CPU_S, RUN_CPU_S + 1);
	limit(RLIMIT_AS, (rlim_t)RUN_MEMORY_MIB << 20,
	      (rlim_t)RUN_MEMORY_MIB << 20);
	limit(RLIMIT_NOFILE, RUN_FILES, RUN_FILES);
	limit(RLIMIT_FSIZE, 0, 0);
	limit(RLIMIT_CORE, 0, 0);
}

/* Nothing is left open but IN, OUT, and a place for complaints. */
static void redirect(int in, int out)
{
	int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    dup2(nothing, STDERR_FILENO) < 0 ||
	    close_range(STDERR_FILENO + 1, ~0u, 0) < 0)
		_exit(NOT_RUN);
}

static void become(char *const *argv, int in, int out, pid_t parent)
{
	char path[] = "PATH=/usr/local/bin:/usr/bin:/bin", home[] = "HOME=/",
	     locale[] = "LC_ALL=C.UTF-8";
	char *const env[] = { path, home, locale, NULL };
	const char *paths[READABLE + 1];

	memcpy(paths, readable, sizeof(readable));
	paths[READABLE] = argv[0];
	redirect(in, out);
	if (chdir("/") < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
	    getppid() != parent)
		_exit(NOT_RUN);
	signal(SIGPIPE, SIG_DFL);
	err_ignore(nice(NICE)); /* or others are slower */
	if (!sandbox_program(paths, READABLE + 1))
		_exit(NOT_RUN);
	limit_all();
	execve(argv[0], argv, env);
	_exit(NOT_RUN);
}

/* A descriptor of our own for the file: the sender's has a position, and may be
 * open for more than reading. */
static int reopen(int fd)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* Gives the process, and the end of its output in *FROM. */
static pid_t start(char *const *argv, int fd, int *from)
{
	pid_t pid = -1, parent = getpid();
	int in = reopen(fd), out[2];

	if (in < 0)
		return -1;
	if (pipe2(out, O_CLOEXEC) == 0) {
		pid = fork();
		if (pid == 0)
			become(argv, in, out[1], parent);
		close(out[1]);
		*from = out[0];
		if (pid < 0)
			close(out[0]);
	}
	close(in);
	return pid;
}

/* Reads until the end (ERR_OK), the limit of OUT (ERR_TOO_LONG), or UNTIL
 * (ERR_TIMEOUT). */
static int take_output(int from, struct buf *out, int64_t until)
{
	for (;;) {
		struct pollfd p = { .fd = from, .events = POLLIN };
		int64_t left = until - clock_ms();
		size_t room = out->max - out->len;
		ssize_t n;

		if (room == 0)
			return ERR_TOO_LONG;
		if (left <= 0)
			return ERR_TIMEOUT;
		if (poll(&p, 1, heartbeat_turn(left)) <= 0)
			continue;
		room = room > PIECE ? PIECE : room;
		n = read(from, buf_room(out, room), room);
		if (n <= 0)
			return ERR_OK;
		buf_added(out, (size_t)n);
	}
}

static int judge(int ended, int status)
{
	if (ended == ERR_TOO_LONG)
		return ERR_OK;
	if (ended == ERR_TIMEOUT)
		return err_set(ERR_UNSUPPORTED, "it took over %d s",
			       RUN_MS / 1000);
	if (WIFSIGNALED(status))
		return err_set(ERR_UNSUPPORTED, "it was ended by signal %d",
			       WTERMSIG(status));
	if (WEXITSTATUS(status) == NOT_RUN)
		return err_set(ERR_TEMP, "it cannot be run");
	if (WEXITSTATUS(status) != 0)
		return err_set(ERR_UNSUPPORTED, "its exit status is %d",
			       WEXITSTATUS(status));
	return ERR_OK;
}

/* Waits for PID, which has closed its output, or is to be ended. */
static int end(pid_t pid, int ended, int64_t until)
{
	struct timespec pause = { 0, 1000000 };
	int status = 0;

	while (ended == ERR_OK && waitpid(pid, &status, WNOHANG) == 0) {
		if (clock_ms() >= until)
			ended = ERR_TIMEOUT;
		heartbeat();
		nanosleep(&pause, NULL);
	}
	if (ended != ERR_OK) {
		kill(pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	return judge(ended, status);
}

int run_command(char *const *argv, int fd, struct buf *out)
{
	int64_t until = clock_ms() + RUN_MS;
	int from, ended;
	pid_t pid = start(argv, fd, &from);

	if (pid < 0)
		return err_set(ERR_TEMP, "no process: %s", strerror(errno));
	ended = take_output(from, out, until);
	close(from);
	return end(pid, ended, until);
}
