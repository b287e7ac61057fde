/* log/relay.h: what processes without the log's file can do, and cannot. */
#include "log/relay.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "log/log.h"
#include "tap.h"

#define LONG_MS 60000

static char path[] = "/tmp/posthorn-relay.XXXXXX";
static char *text; /* of the log */

static size_t look(void)
{
	int fd = open(path, O_RDONLY);
	struct stat st;

	free(text);
	text = NULL;
	if (fd >= 0 && fstat(fd, &st) == 0)
		text = calloc(1, (size_t)st.st_size + 1);
	if (text && read(fd, text, (size_t)st.st_size) != st.st_size)
		*text = '\0';
	close(fd);
	return text ? strlen(text) : 0;
}

static bool has(const char *what)
{
	look();
	return text && strstr(text, what);
}

static size_t count(const char *what)
{
	size_t n = 0;

	look();
	for (const char *at = text; at && (at = strstr(at, what)); at++)
		n++;
	return n;
}

static bool has_line_of(pid_t pid, const char *what)
{
	char line[200];

	snprintf(line, sizeof(line), " prog[%ld]: %s\n", (long)pid, what);
	return has(line);
}

/* What a parent's loop does, until PID has ended. */
static int serve_until_end(pid_t pid)
{
	int status = -1;

	for (;;) {
		struct pollfd p = { .fd = relay_fd(), .events = POLLIN };
		bool over = waitpid(pid, &status, WNOHANG) != 0;

		poll(&p, 1, relay_turn(over ? 0 : 20));
		relay_read();
		if (over)
			break;
	}
	relay_drain();
	return status;
}

static pid_t run(void (*act)(void))
{
	pid_t pid = relay_fork();

	if (pid == 0) {
		act();
		_exit(0);
	}
	return pid;
}

static void say_lines(void)
{
	log_info("one");
	log_warn("two\nDec  1 00:00:00 host posthorn/qmgr[1]: %s", "forged");
	dprintf(STDERR_FILENO, "from\nthe library\n");
}

static void lines(void)
{
	pid_t pid = run(say_lines);

	serve_until_end(pid);
	ok(has_line_of(pid, "one"), "a line has the name and the process");
	ok(!has("\nDec  1 00:00:00 host posthorn/qmgr[1]: forged"),
	   "a line end in a line makes no other's");
	ok(has_line_of(pid, "from") && has_line_of(pid, "the library"),
	   "standard error is logged by lines");
	log_info("ours");
	ok(has_line_of(getpid(), "ours"), "and our own as before");
}

/* With all descriptors that there may be. */
static void destroy(void)
{
	struct stat st, log;

	for (int fd = 0; fd < 100; fd++) {
		if (stat(path, &log) < 0 || fstat(fd, &st) < 0 ||
		    st.st_ino != log.st_ino || st.st_dev != log.st_dev)
			continue;
		fcntl(fd, F_SETFL, 0);
		if (ftruncate(fd, 0) == 0 || pwrite(fd, "x", 1, 0) == 1)
			_exit(1);
	}
	if (send(STDERR_FILENO, "", 0, 0) < 0)
		_exit(2);
	log_info("after an empty packet");
	shutdown(STDERR_FILENO, SHUT_RDWR);
	log_info("to nobody");
}

static void attack(void)
{
	size_t before = look();
	pid_t pid = run(destroy);

	ok(serve_until_end(pid) == 0 && look() >= before,
	   "nothing that is written can be taken back");
	ok(has_line_of(pid, "after an empty packet"),
	   "an empty packet is not the end");
}

static void pass_files(void)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = { 0 };
	char word[] = "a file";
	struct iovec v = { word, 6 };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	*c = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	for (int i = 0; i < 100; i++)
		if (sendmsg(STDERR_FILENO, &m, 0) < 0)
			_exit(1);
}

static int next_fd(void)
{
	int fd = dup(STDIN_FILENO);

	close(fd);
	return fd;
}

static void files(void)
{
	int before = next_fd();
	pid_t pid = run(pass_files);

	serve_until_end(pid);
	ok(next_fd() == before, "descriptors that come with lines are closed");
	ok(count("a file") == 100, "and the lines are logged");
}

static void flood(void)
{
	char line[4000];
	int64_t end = clock_ms() + 1500;

	memset(line, 'f', sizeof(line));
	while (clock_ms() < end)
		if (send(STDERR_FILENO, line, sizeof(line), MSG_DONTWAIT) < 0)
			poll(NULL, 0, 1);
}

static void say_many(void)
{
	for (int i = 0; i < 300; i++)
		log_info("of many %d.", i);
}

static void flooded(void)
{
	size_t before = look(), written;
	int64_t begun = clock_ms();
	pid_t bad = run(flood), good = run(say_many);

	serve_until_end(good);
	ok(count(" of many ") == 300, "whoever sends too much delays no other");
	serve_until_end(bad);
	written = look() - before;
	ok(written < 2 * (1 << 20) + (size_t)(clock_ms() - begun) * 300,
	   "and is limited: %zu bytes", written);
}

static void say_to_nobody(void)
{
	int64_t begun = clock_ms();

	for (int i = 0; i < 3000; i++)
		log_info("unread %d.", i);
	/* once a second, not for each line */
	if (clock_ms() - begun > 20000)
		_exit(1);
	while (poll(&(struct pollfd){ STDERR_FILENO, POLLOUT, 0 }, 1,
		    LONG_MS) <= 0)
		;
	log_info("read again");
}

/* The parent does not read for a while. */
static void slow(void)
{
	pid_t pid = run(say_to_nobody);

	poll(NULL, 0, 1800);
	ok(serve_until_end(pid) == 0, "a parent that does not read holds up "
				      "nobody for long");
	ok(has("lines of this process are lost") &&
		   has_line_of(pid, "read again"),
	   "and what is lost is counted");
}

static void say_in_grandchild(void)
{
	pid_t pid = relay_fork();

	if (pid == 0) {
		log_info("from below");
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	log_info("its parent: %ld", (long)pid);
}

static void grandchildren(void)
{
	char *at;
	pid_t pid;

	relay_let_fork();
	pid = run(say_in_grandchild);
	serve_until_end(pid);
	look();
	at = text ? strstr(text, "its parent: ") : NULL;
	ok(at && has_line_of((pid_t)atol(at + 12), "from below"),
	   "a process of such a process has lines of its own");
}

int main(void)
{
	int fd = mkstemp(path);

	if (fd < 0 || !log_open("prog", path))
		return 1;
	close(fd);
	lines();
	attack();
	files();
	flooded();
	slow();
	grandchildren();
	unlink(path);
	return done();
}
