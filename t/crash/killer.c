/*
 * Kills a process at one of its system calls, by ptrace.
 *
 *     killer MASTER PROGRAM N           processes below MASTER, or itself, of
 *                                       that name; all their calls count
 *     killer 0 - N COMMAND [ARGUMENT …] the command and what it starts
 *
 * The process that makes the Nth call, counted from 1, is killed as it enters
 * it; N = 0: none is. It says `ready` when it counts, and ends with `killed
 * PID CALL`, the call's number, or, when its standard input or the command
 * has ended, with `seen CALLS`. Exit code 77: the system does not allow it.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ptrace.h>

#define OPTIONS                                                             \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | \
	 PTRACE_O_TRACECLONE)
#define NOT_ALLOWED 77

static struct {
	unsigned long n, seen;
	pid_t command;
} self;

/* Its state, as in proc(5); 'X' if it is not there. */
static char read_process(pid_t pid, char name[64], pid_t *parent)
{
	char path[64], text[512] = "", state = 'X';
	FILE *f;
	char *end;

	*parent = 0;
	name[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "r");
	if (!f)
		return state;
	if (fgets(text, sizeof(text), f) && (end = strrchr(text, ')'))) {
		*end = '\0';
		snprintf(name, 64, "%s", strchr(text, '(') + 1);
		sscanf(end + 1, " %c %d", &state, parent);
	}
	fclose(f);
	return state;
}

/* Has it ended, so that it can no more be traced? */
static bool has_ended(pid_t pid)
{
	char name[64];
	pid_t parent;

	return strchr("ZX", read_process(pid, name, &parent)) != NULL;
}

static bool is_meant(pid_t pid, pid_t master, const char *program)
{
	char name[64], other[64];
	pid_t parent;

	read_process(pid, name, &parent);
	if (strcmp(name, program) != 0)
		return false;
	for (; pid > 1; pid = parent) {
		if (pid == master)
			return true;
		read_process(pid, other, &parent);
	}
	return false;
}

static void seize(pid_t pid)
{
	if (ptrace(PTRACE_SEIZE, pid, NULL, OPTIONS) < 0) {
		if (errno == ESRCH || has_ended(pid))
			return;
		perror("killer: ptrace");
		exit(NOT_ALLOWED);
	}
	ptrace(PTRACE_INTERRUPT, pid, NULL, NULL);
}

static void seize_all(pid_t master, const char *program)
{
	DIR *d = opendir("/proc");
	struct dirent *e;

	while (d && (e = readdir(d))) {
		pid_t pid = (pid_t)atoi(e->d_name);

		if (isdigit((unsigned char)e->d_name[0]) &&
		    is_meant(pid, master, program))
			seize(pid);
	}
	if (d)
		closedir(d);
}

/* It waits for a byte before it becomes the command: until it is seized. */
static void start_command(char **argv, const sigset_t *set)
{
	int go[2];
	char c;

	if (pipe(go) < 0)
		exit(NOT_ALLOWED);
	self.command = fork();
	if (self.command == 0) {
		close(go[1]);
		if (read(go[0], &c, 1) != 1)
			_exit(NOT_ALLOWED);
		close(go[0]);
		sigprocmask(SIG_UNBLOCK, set, NULL);
		execvp(argv[0], argv);
		_exit(127);
	}
	close(go[0]);
	seize(self.command);
	if (write(go[1], "", 1) != 1)
		exit(NOT_ALLOWED);
	close(go[1]);
}

static void see_call(pid_t pid)
{
	struct ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0 ||
	    info.op != PTRACE_SYSCALL_INFO_ENTRY || ++self.seen != self.n)
		return;
	kill(pid, SIGKILL);
	printf("killed %d %llu\n", (int)pid, info.entry.nr);
	exit(0); /* lets go of all others */
}

static void see_stop(pid_t pid, int status)
{
	int signal = WSTOPSIG(status), event = status >> 16;
	bool group = event == PTRACE_EVENT_STOP && signal != SIGTRAP;

	if (signal == (SIGTRAP | 0x80))
		see_call(pid);
	if (signal == (SIGTRAP | 0x80) || event)
		signal = 0;
	ptrace(group ? PTRACE_LISTEN : PTRACE_SYSCALL, pid, NULL,
	       (void *)(long)signal);
}

/* False when the command is over. */
static bool see_all(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, __WALL | WNOHANG)) > 0)
		if (WIFSTOPPED(status))
			see_stop(pid, status);
		else if (pid == self.command)
			return false;
	return true;
}

int main(int argc, char **argv)
{
	struct pollfd p[2] = { { .fd = STDIN_FILENO, .events = POLLIN } };
	struct signalfd_siginfo info;
	sigset_t set;

	if (argc < 4)
		return 2;
	self.n = strtoul(argv[3], NULL, 10);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	p[1] = (struct pollfd){ signalfd(-1, &set, SFD_CLOEXEC), POLLIN, 0 };
	setlinebuf(stdout);
	if (argc > 4)
		start_command(argv + 4, &set);
	else
		seize_all((pid_t)atoi(argv[1]), argv[2]);
	puts("ready");
	while (see_all()) {
		poll(p, 2, -1);
		if (p[0].revents && argc == 4)
			break;
		if (p[1].revents && read(p[1].fd, &info, sizeof(info)) < 0)
			break;
	}
	printf("seen %lu\n", self.seen);
	return 0;
}
