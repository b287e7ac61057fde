/*
 * A line is put together in one buffer and goes out in one write, so that
 * lines of several processes in one file do not mix. All of it after the stamp
 * is escaped: what a peer sent cannot make a second line or a false stamp.
 * errno is preserved, so that %m works in a series of calls. A file is
 * replaced under its descriptor number (log_replace).
 */
#include "log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/mem.h"

#define WAIT_MS 1000 /* for the reader of a relayed line */

static struct {
	char *program;
	char *path; /* NULL unless the target is a file */
	int fd;
	int last_words; /* where log_die also writes; or -1 */
	bool syslog;
	bool relayed;  /* fd is a socket: log/relay.h */
	unsigned lost; /* lines that it did not take */
	bool debug;
	char host[65];
	pid_t pid; /* 0: to be asked for */
	bool forks_seen_to;
	struct buf line;
	time_t stamp_of; /* second for which `stamp` was made */
	char stamp[CLOCK_DATE_SIZE];
} self = { .fd = STDERR_FILENO, .last_words = -1 };

static const char *program(void)
{
	return self.program ? self.program : "posthorn";
}

static int open_file(const char *path)
{
	/* a FIFO without a reader must not block logging */
	return open(path,
		    O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC,
		    0640);
}

static bool is_file(const char *target)
{
	return strcmp(target, "syslog") != 0 && strcmp(target, "stderr") != 0;
}

/* Lines go to TARGET, which is open at FD if it is a file. */
static void aim(const char *target, int fd)
{
	self.syslog = strcmp(target, "syslog") == 0;
	if (self.syslog)
		openlog(self.program, LOG_PID | LOG_NDELAY, LOG_MAIL);
	if (self.path && fd >= 0) {
		/* the number stays, so that a forked child can keep only it */
		dup3(fd, self.fd, O_CLOEXEC);
		close(fd);
	} else if (fd >= 0) {
		self.fd = fd;
	} else {
		if (self.path)
			close(self.fd);
		self.fd = STDERR_FILENO;
	}
	free(self.path);
	self.path = fd >= 0 ? mem_strdup(target) : NULL;
}

bool log_open(const char *name, const char *target)
{
	int fd = is_file(target) ? open_file(target) : -1;

	free(self.program);
	self.program = mem_strdup(name);
	if (gethostname(self.host, sizeof(self.host) - 1) < 0)
		strcpy(self.host, "localhost");
	self.host[strcspn(self.host, ".")] = '\0';
	tzset();
	aim(target, fd);
	return fd >= 0 || !is_file(target);
}

void log_replace(const char *target, int fd)
{
	if (is_file(target) == (fd >= 0))
		aim(target, fd);
	else if (fd >= 0)
		close(fd);
}

/* Does the path lead to another file than the one that is open? */
static bool is_renamed(void)
{
	struct stat now, then;

	return stat(self.path, &now) < 0 || fstat(self.fd, &then) < 0 ||
	       now.st_ino != then.st_ino || now.st_dev != then.st_dev;
}

void log_reopen(void)
{
	int fd;

	if (!self.path || !is_renamed())
		return;
	fd = open_file(self.path);
	if (fd < 0) {
		log_warn("%s: cannot be opened again: %m; further lines go to "
			 "the file that had this name",
			 self.path);
		return;
	}
	dup3(fd, self.fd, O_CLOEXEC);
	close(fd);
}

int log_fd(void)
{
	return self.path ? self.fd : -1;
}

int log_trouble(void)
{
	struct statvfs v;
	struct stat st;

	if (!self.path || fstat(self.fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    fstatvfs(self.fd, &v) < 0)
		return 0;
	if (v.f_flag & ST_RDONLY)
		return EROFS;
	/* what only root may use is of no use to the services */
	return v.f_blocks && v.f_bavail == 0 ? ENOSPC : 0;
}

int log_keep_fd(void)
{
	if (!self.syslog)
		return self.fd;
	/* its number must not be reused for another file */
	closelog();
	return -1;
}

void log_set_debug(bool on)
{
	self.debug = on;
}

/* The date of now, made once a second. */
static const char *stamp(void)
{
	time_t now = clock_wall();

	if (now != self.stamp_of)
		clock_log_date(self.stamp, sizeof(self.stamp), now);
	self.stamp_of = now;
	return self.stamp;
}

static void forget_pid(void)
{
	self.pid = 0;
}

/* Not asked for again for each line. */
static pid_t our_pid(void)
{
	if (!self.forks_seen_to)
		pthread_atfork(NULL, NULL, forget_pid);
	self.forks_seen_to = true;
	if (!self.pid)
		self.pid = getpid();
	return self.pid;
}

/* TEXT[N] as a line of PID. Gives the length of it. */
static size_t put_line(int priority, pid_t pid, const char *text, size_t n)
{
	struct buf *b = &self.line;

	if (b->max == 0)
		buf_init(b, 4 * LOG_LINE_MAX + 256);
	buf_reset(b);
	if (self.path)
		buf_printf(b, "%s %s ", stamp(), self.host);
	if (!self.syslog)
		buf_printf(b, "%s[%ld]: ", program(), (long)pid);
	encode_visible(b, text, n);
	if (self.syslog) {
		syslog(priority, "%s", b->data);
		return b->len;
	}
	buf_putc(b, '\n');
	while (write(self.fd, b->data, b->len) < 0 && errno == EINTR)
		;
	return b->len;
}

/* Waits for the reader, but not for each line again while it stands still. */
static bool reader_takes(void)
{
	struct pollfd p = { .fd = self.fd, .events = POLLOUT };

	return self.lost == 0 && poll(&p, 1, WAIT_MS) > 0;
}

static bool send_line(const char *text, size_t n)
{
	ssize_t sent;

	do
		sent = send(self.fd, text, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent < 0 &&
	       (errno == EINTR || (errno == EAGAIN && reader_takes())));
	return sent >= 0;
}

/* The reader makes a line of it. */
static void relay(const char *text, size_t n)
{
	char lost[80];
	int len = snprintf(lost, sizeof(lost),
			   "warning: %u lines of this process are lost",
			   self.lost);

	if (self.lost > 0 && !send_line(lost, (size_t)len))
		self.lost++;
	else
		self.lost = send_line(text, n) ? 0 : 1;
}

static void emit(int priority, const char *text, size_t n)
{
	if (self.relayed)
		relay(text, n);
	else
		put_line(priority, our_pid(), text, n);
}

bool log_can_relay(void)
{
	return !self.syslog;
}

void log_to_relay(int sock)
{
	if (dup2(sock, STDERR_FILENO) < 0)
		log_die(EX_OSERR, "no standard error: %m");
	close(sock);
	if (self.path)
		close(self.fd);
	free(self.path);
	self.path = NULL;
	self.fd = STDERR_FILENO;
	self.relayed = true;
	self.lost = 0;
}

bool log_pass(int fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(fd))] = { 0 };
	char nothing = '\n';
	struct iovec text = { &nothing, 1 };
	struct msghdr m = { .msg_iov = &text,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	if (!self.relayed)
		return false;
	*c = (struct cmsghdr){ CMSG_LEN(sizeof(fd)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	while (sendmsg(self.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
	       (errno == EINTR || (errno == EAGAIN && reader_takes())))
		;
	close(fd);
	return true;
}

size_t log_relayed(pid_t pid, const char *text, size_t n)
{
	return put_line(LOG_INFO, pid, text, n);
}

bool log_takes(void)
{
	struct pollfd p = { .fd = self.fd, .events = POLLOUT };

	return self.syslog || poll(&p, 1, 0) != 0;
}

__attribute__((format(printf, 3, 0))) static void format(int priority,
							 const char *label,
							 const char *fmt,
							 va_list ap)
{
	char text[LOG_LINE_MAX];
	size_t n = strlen(label);
	int more;

	memcpy(text, label, n);
	more = vsnprintf(text + n, sizeof(text) - n, fmt, ap);
	if (more < 0)
		return;
	n = n + (size_t)more < sizeof(text) ? n + (size_t)more
					    : sizeof(text) - 1;
	emit(priority, text, n);
}

#define LINE(priority, label)                     \
	do {                                      \
		int saved = errno;                \
		va_list ap;                       \
		va_start(ap, fmt);                \
		format(priority, label, fmt, ap); \
		va_end(ap);                       \
		errno = saved;                    \
	} while (0)

void log_info(const char *fmt, ...)
{
	LINE(LOG_INFO, "");
}

void log_warn(const char *fmt, ...)
{
	LINE(LOG_WARNING, "warning: ");
}

void log_error(const char *fmt, ...)
{
	LINE(LOG_ERR, "error: ");
}

void log_debug(const char *fmt, ...)
{
	if (self.debug)
		LINE(LOG_DEBUG, "debug: ");
}

static void each_line(void (*log)(const char *fmt, ...), const char *of,
		      const char *text)
{
	for (size_t n; *text; text += n + (text[n] == '\n')) {
		n = strcspn(text, "\n");
		if (n > 0)
			log("%s%s%.*s", of ? of : "", of ? ": " : "", (int)n,
			    text);
	}
}

void log_warn_lines(const char *of, const char *text)
{
	each_line(log_warn, of, text);
}

void log_error_lines(const char *of, const char *text)
{
	each_line(log_error, of, text);
}

void log_last_words(int fd)
{
	self.last_words = fd;
}

__attribute__((format(printf, 1, 0))) static void say_last_words(
	const char *fmt, va_list ap)
{
	char text[LOG_LINE_MAX];
	int n = vsnprintf(text, sizeof(text), fmt, ap);

	/* there may be no reader */
	if (n > 0 && write(self.last_words, text, strlen(text)) < 0)
		self.last_words = -1;
}

void log_die(int status, const char *fmt, ...)
{
	va_list words;

	LINE(LOG_CRIT, "fatal: ");
	va_start(words, fmt);
	if (self.last_words >= 0)
		say_last_words(fmt, words);
	va_end(words);
	exit(status);
}
