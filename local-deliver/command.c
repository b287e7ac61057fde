/*
 * Commands that an alias or .forward names. The child of local-deliver starts
 * the command in a process that has become the user responsible for it, and
 * supervises it: writes the message to its standard input, keeps the beginning
 * of its output, ends it when command_time_limit is over, and turns its exit
 * status into a result (sysexits(3)).
 *
 * When the suite stops a command has STOP_MS to finish; then it is ended, and
 * run again after the next start. All of that takes less time than prefork and
 * master have patience, since a command whose supervisor is killed could go on
 * while it is run again.
 *
 * A command may stop reading before the end of the message; its exit status
 * then says what that means. A message that could not be read or written for
 * any other reason is tried again, whatever the command's status.
 */
#include "local-deliver/command.h"

#include <errno.h>
#include <fcntl.h>
#include <paths.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/heartbeat.h"
#include "local-deliver/content.h"
#include "local-deliver/identity.h"
#include "local-deliver/mailbox.h"
#include "log/log.h"
#include "server/child.h"
#include "server/prefork.h"

#define OUTPUT_MAX 1024 /* of the command's output, kept for the sender */
#define STOP_MS 10000	/* to finish in, when the suite stops */
#define KILL_AFTER_MS 5000 /* SIGTERM */
#define KILLED_MS 100
#define LOOK_MS 1000 /* how often a silent command is looked at */

static const struct {
	int code;
	const char *dsn;
	const char *text;
} exits[] = {
	{ EX_USAGE, "5.3.0", "command line usage error" },
	{ EX_DATAERR, "5.6.0", "data format error" },
	{ EX_NOINPUT, "5.3.0", "cannot open input" },
	{ EX_NOUSER, "5.1.1", "user unknown" },
	{ EX_NOHOST, "5.1.2", "host name unknown" },
	{ EX_UNAVAILABLE, "5.3.0", "service unavailable" },
	{ EX_SOFTWARE, "5.3.0", "internal software error" },
	/* no process, no memory: temporary */
	{ EX_OSERR, "4.3.0", "system resource problem" },
	{ EX_OSFILE, "5.3.0", "critical OS file missing" },
	{ EX_CANTCREAT, "5.2.0", "can't create user output file" },
	{ EX_IOERR, "5.3.0", "input/output error" },
	{ EX_TEMPFAIL, "4.3.0", "temporary failure" },
	{ EX_PROTOCOL, "5.5.0", "remote error in protocol" },
	{ EX_NOPERM, "5.7.0", "permission denied" },
	{ EX_CONFIG, "5.3.5", "local configuration error" },
};

/* A command that runs. */
struct run {
	pid_t pid;
	int to;	  /* its standard input, -1 when all is written */
	int from; /* its output, -1 at its end */
	struct content content;
	struct buf pending; /* to be written */
	size_t written;	    /* of pending */
	struct buf output;
	int64_t until_ms;
	bool cut; /* … is sooner than the limit: the suite stops */
	bool timed_out;
	bool ended; /* and this is how: */
	int status;
	int write_errno;  /* its input could not be written, or 0 */
	bool read_failed; /* the queue file could not be read */
};

static void execute(const struct recipient *r, const struct identity *who,
		    const char *command, int in, int out)
{
	struct rlimit no_core = { 0, 0 };
	char **env = command_environment(r, who);
	pid_t supervisor = getppid();

	setpgid(0, 0);
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    dup2(out, STDERR_FILENO) < 0)
		_exit(EX_OSERR);
	identity_become(who, NULL, 0);
	/* If its supervisor dies, the command will be run again: it must not
	 * still be running then. After becoming the user, which resets
	 * this. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != supervisor)
		_exit(EX_TEMPFAIL);
	setrlimit(RLIMIT_CORE, &no_core);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	if (chdir(who->home) < 0 && chdir("/") < 0)
		_exit(EX_OSERR);
	umask(077);
	execle(_PATH_BSHELL, "sh", "-c", command, (char *)NULL, env);
	/* the parent takes this for the first line of its output */
	dprintf(STDERR_FILENO, "cannot run %s: %s\n", _PATH_BSHELL,
		strerror(errno));
	_exit(EX_TEMPFAIL);
}

/* Makes the pipes and the process. */
static bool start(struct run *run, const struct recipient *r,
		  const struct identity *who, const char *command)
{
	int in[2], out[2];

	if (pipe2(in, O_CLOEXEC) < 0)
		return false;
	if (pipe2(out, O_CLOEXEC) < 0) {
		close(in[0]);
		close(in[1]);
		return false;
	}
	run->pid = fork();
	if (run->pid == 0)
		execute(r, who, command, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	if (run->pid < 0) {
		close(in[1]);
		close(out[0]);
		return false;
	}
	run->to = in[1];
	run->from = out[0];
	file_set_nonblock(run->to, true);
	file_set_nonblock(run->from, true);
	return true;
}

static void close_input(struct run *run)
{
	close(run->to);
	run->to = -1;
}

/* Writes as much as possible. A command may stop reading early; its exit
 * status then says what that means. */
static void feed(struct run *run)
{
	ssize_t n;

	if (run->written == run->pending.len) {
		int more;

		buf_reset(&run->pending);
		run->written = 0;
		more = content_next(&run->content, &run->pending);
		run->read_failed = more && more != ERR_EOF;
		if (more) {
			close_input(run);
			return;
		}
	}
	n = write(run->to, run->pending.data + run->written,
		  run->pending.len - run->written);
	if (n >= 0) {
		run->written += (size_t)n;
	} else if (errno != EAGAIN && errno != EINTR) {
		run->write_errno = errno == EPIPE ? 0 : errno;
		close_input(run);
	}
}

static void take_output(struct run *run)
{
	char data[4096];
	ssize_t n = read(run->from, data, sizeof(data));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close(run->from);
		run->from = -1;
		return;
	}
	if ((size_t)n > run->output.max - run->output.len)
		n = (ssize_t)(run->output.max - run->output.len);
	buf_put(&run->output, data, (size_t)n);
}

/* Has it ended, though another process may still hold its output? */
static bool has_ended(const struct run *run)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)run->pid, &info,
		      WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == run->pid;
}

/* When the suite stops there is less time. */
static void heed_stop(struct run *run)
{
	int64_t until_ms = clock_ms() + STOP_MS;

	if (run->cut || until_ms >= run->until_ms || !prefork_stopping())
		return;
	run->cut = true;
	run->until_ms = until_ms;
}

/* Writes and reads until the command has closed its output, or has ended and
 * left the output open in a background process. */
static void converse(struct run *run)
{
	while (run->from >= 0) {
		struct pollfd p[2] = { { .fd = run->from, .events = POLLIN },
				       { .fd = run->to, .events = POLLOUT } };
		int64_t left;

		heed_stop(run);
		left = run->until_ms - clock_ms();
		if (left <= 0) {
			run->timed_out = true;
			return;
		}
		if (left > LOOK_MS)
			left = LOOK_MS;
		if (poll(p, 2, heartbeat_turn(left)) <= 0) {
			if (has_ended(run))
				return;
			continue;
		}
		if (p[0].revents)
			take_output(run);
		if (run->to >= 0 && p[1].revents)
			feed(run);
	}
}

/* Waits until IS_SO, as long as there is time. */
static bool wait_until(struct run *run, bool (*is_so)(struct run *))
{
	struct timespec pause = { 0, 1000000 };

	while (!is_so(run)) {
		heed_stop(run);
		if (clock_ms() >= run->until_ms)
			return false;
		heartbeat();
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < 100000000)
			pause.tv_nsec *= 2;
	}
	return true;
}

static bool collect(struct run *run)
{
	if (!run->ended)
		run->ended = waitpid(run->pid, &run->status, WNOHANG) > 0;
	return run->ended;
}

/* … and all of its process group? Those whose parents ended are our children
 * now. While one is left the group keeps its number. */
static bool collect_group(struct run *run)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-run->pid, &status, WNOHANG)) > 0)
		if (pid == run->pid) {
			run->ended = true;
			run->status = status;
		}
	return collect(run) && pid < 0;
}

/* Signals the command's process group, and the command itself, which may have
 * moved to another group. */
static void signal_command(const struct run *run, int sig)
{
	kill(-run->pid, sig);
	if (!run->ended)
		kill(run->pid, sig);
}

/* Asks the command, and what it has started, to end, then kills what is left:
 * nothing of it may be there when it is run again. */
static void end_group(struct run *run)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	signal_command(run, SIGTERM);
	run->until_ms = clock_ms() + KILL_AFTER_MS;
	if (!wait_until(run, collect_group)) {
		signal_command(run, SIGKILL);
		if (!run->ended)
			child_end(run->pid);
		run->ended = true;
		run->until_ms = clock_ms() + KILLED_MS;
		wait_until(run, collect_group);
	}
	prctl(PR_SET_CHILD_SUBREAPER, 0);
}

/* Waits for its end. */
static void finish(struct run *run)
{
	if (!run->timed_out)
		run->timed_out = !wait_until(run, collect);
	if (run->timed_out)
		end_group(run);
	if (run->to >= 0)
		close(run->to);
	if (run->from >= 0)
		close(run->from);
}

/* What a shell says of a command that it cannot run names it, and perhaps what
 * is secret in it: that is for the log. */
static bool is_not_run(int code)
{
	return code == 126 || code == 127;
}

static void settle_exit(struct recipient *r, int code, const char *says,
			const char *output)
{
	for (size_t i = 0; i < sizeof(exits) / sizeof(exits[0]); i++) {
		if (exits[i].code != code)
			continue;
		settle(r,
		       *exits[i].dsn == '4' ? RESULT_DEFERRED : RESULT_FAILED,
		       exits[i].dsn, "local", "%s%s%s", exits[i].text, says,
		       output);
		return;
	}
	settle(r, RESULT_FAILED, "5.3.0", "local",
	       "Command died with status %d%s%s", code, says, output);
}

static bool is_done(int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == EX_OK;
}

static void settle_run(struct recipient *r, const struct run *run)
{
	const int status = run->status;
	const char *output = run->output.data;
	const char *says = *output ? ". Command output: " : "";

	if (WIFEXITED(status) && is_not_run(WEXITSTATUS(status))) {
		if (*output)
			log_warn("<%s>: %s", r->job->address, output);
		output = says = "";
	}
	if (run->read_failed)
		settle(r, RESULT_DEFERRED, "4.3.0", "local",
		       "the message could not be read from the queue");
	else if (run->write_errno)
		settle(r, RESULT_DEFERRED, "4.3.0", "local",
		       "the message could not be written to the command: %s",
		       strerror(run->write_errno));
	else if (run->timed_out && run->cut && !is_done(status))
		settle_away(r, "the suite stops: the command will be run "
			       "again");
	else if (run->timed_out && !run->cut)
		settle(r, RESULT_FAILED, "5.3.0", "local",
		       "Command time limit exceeded%s%s", says, output);
	else if (WIFSIGNALED(status))
		settle(r, RESULT_DEFERRED, "4.3.0", "local",
		       "Command died with signal %d%s%s", WTERMSIG(status),
		       says, output);
	else if (!is_done(status))
		settle_exit(r, WEXITSTATUS(status), says, output);
	else
		settle(r, RESULT_SENT, "2.0.0", "local",
		       "delivered to command");
}

/* Output becomes one line. */
static void flatten(struct buf *output)
{
	while (output->len &&
	       (unsigned char)output->data[output->len - 1] <= ' ')
		buf_truncate(output, output->len - 1);
	for (size_t i = 0; i < output->len; i++)
		if ((unsigned char)output->data[i] < ' ')
			output->data[i] = ' ';
}

void command_deliver(struct recipient *r, const struct identity *who,
		     const char *command)
{
	struct run run = { .to = -1, .from = -1 };
	struct buf prologue;

	buf_init(&prologue, IPC_PACKET_MAX * 2);
	buf_init(&run.pending, 2 * CONTENT_PIECE_MAX);
	buf_init(&run.output, OUTPUT_MAX);
	mailbox_prologue(r, r->text, &prologue);
	content_begin(&run.content, r->message->job, prologue.data, false);
	run.until_ms = clock_ms() + r->settings->command_ms;
	if (prefork_stopping()) {
		settle_away(r, "the suite stops: the command was not run");
	} else if (start(&run, r, who, command)) {
		converse(&run);
		finish(&run);
		flatten(&run.output);
		settle_run(r, &run);
	} else {
		settle(r, RESULT_DEFERRED, "4.3.0", "local",
		       "cannot start a command: %s", strerror(errno));
	}
	r->detail = command;
	buf_free(&run.output);
	buf_free(&run.pending);
	buf_free(&prologue);
}
