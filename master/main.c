/*
 * master: reads the configuration, makes folders and sockets, starts the
 * services and watches them. It parses nothing that comes from the network.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "config/config.h"
#include "log/log.h"
#include "master/accept.h"
#include "master/control.h"
#include "master/folders.h"
#include "master/notify.h"
#include "master/reload.h"
#include "master/run.h"
#include "master/verify.h"
#include "server/sandbox.h"

#define START_LIMIT_S 20

static struct {
	struct event_base *base;
	struct config *config; /* until it is part of the set in force */
	const char *config_path;
	bool foreground;
	bool test;
	bool announced;	 /* all services were ready */
	bool reported;	 /* those that are not were reported */
	bool after_kill; /* the former master did not end by itself */
	bool stopping;
	int report_fd; /* tells the waiting command the result of the start */
	int pid_fd;
	char *pid_path;
} self = { .report_fd = -1 };

static void usage(FILE *to)
{
	fputs("usage: master [-f | -t] [-c FILE]\n\n"
	      "Starts and watches the programs of the mail suite Posthorn. "
	      "`posthorn start` is the\nusual way to call it. See "
	      "master(8).\n\n"
	      "  -c FILE     the configuration [" CONFIG_DIR "/posthorn.conf]\n"
	      "  -f          stay in the foreground\n"
	      "  -t          start nothing, say what would prevent it\n"
	      "  --help      this text\n"
	      "  --version   the version\n",
	      to);
}

static void parse_options(int argc, char **argv)
{
	self.config_path = CONFIG_DIR "/posthorn.conf";
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-c") == 0 && i + 1 < argc) {
			self.config_path = argv[++i];
		} else if (strcmp(argv[i], "-f") == 0) {
			self.foreground = true;
		} else if (strcmp(argv[i], "-t") == 0) {
			self.test = true;
		} else if (strcmp(argv[i], "--help") == 0) {
			usage(stdout);
			exit(EX_OK);
		} else if (strcmp(argv[i], "--version") == 0) {
			puts("Posthorn " POSTHORN_VERSION);
			exit(EX_OK);
		} else {
			usage(stderr);
			exit(EX_USAGE);
		}
	}
}

static void die_of(const struct buf *faults, int status)
{
	fputs(faults->data, stderr);
	exit(status);
}

/* Does a master hold the lock on its pid file? */
static bool is_running(void)
{
	char *path = mem_printf("%s/master.pid",
				config_string(self.config, "run_directory"));
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	bool locked = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0;

	if (fd >= 0)
		close(fd);
	free(path);
	return locked;
}

/* -t: what would prevent a start or reload, on standard output. */
static void return_verdict(struct buf *faults)
{
	verify_meaning(self.config, faults);
	if (!is_running())
		verify_ports(self.config, faults);
	fputs(faults->data, stdout);
	exit(faults->len > 0 ? EX_CONFIG : EX_OK);
}

static void load_config(void)
{
	struct buf faults;
	char *full = realpath(self.config_path, NULL);

	if (full)
		self.config_path = full;
	buf_init(&faults, 1 << 20);
	self.config = config_load(self.config_path, NULL, 0, &faults);
	if (!self.config)
		die_of(&faults, EX_CONFIG);
	verify_config(self.config, &faults);
	if (self.test)
		return_verdict(&faults);
	if (faults.len > 0)
		die_of(&faults, EX_CONFIG);
	folders_prepare(self.config, &faults);
	if (faults.len > 0)
		die_of(&faults, EX_CANTCREAT);
	buf_free(&faults);
}

static void warn_of_meaning(void)
{
	struct buf doubts;

	buf_init(&doubts, 1 << 20);
	verify_meaning(self.config, &doubts);
	log_warn_lines(NULL, doubts.data);
	buf_free(&doubts);
}

/* The former master may have ended, and removed the name, between our open and
 * the lock: then another master would not see our file. */
static bool is_named(int fd, const char *path)
{
	struct stat ours, named;

	return fstat(fd, &ours) == 0 && stat(path, &named) == 0 &&
	       ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

static void open_pid_file(void)
{
	self.pid_fd = open(self.pid_path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (self.pid_fd < 0) {
		fprintf(stderr, "%s: cannot open: %s\n", self.pid_path,
			strerror(errno));
		exit(EX_CANTCREAT);
	}
	/* it may be from another umask; a failure only affects readers */
	err_ignore(fchmod(self.pid_fd, 0644));
	if (flock(self.pid_fd, LOCK_EX | LOCK_NB) < 0) {
		fprintf(stderr, "Posthorn is running already (%s)\n",
			self.pid_path);
		exit(EX_TEMPFAIL);
	}
}

/* One master for one run_directory: the lock ends with the process. */
static void lock_pid_file(void)
{
	self.pid_path = mem_printf("%s/master.pid",
				   config_string(self.config, "run_directory"));
	open_pid_file();
	while (!is_named(self.pid_fd, self.pid_path)) {
		close(self.pid_fd);
		open_pid_file();
	}
	self.after_kill = lseek(self.pid_fd, 0, SEEK_END) > 0;
}

/* If it stays, the next start only takes longer: it waits for leftovers. */
static void remove_pid_file(void)
{
	err_ignore(unlink(self.pid_path));
}

static void write_pid(void)
{
	char *text = mem_printf("%ld\n", (long)getpid());

	if (ftruncate(self.pid_fd, 0) < 0 ||
	    pwrite(self.pid_fd, text, strlen(text), 0) < 0)
		log_warn("%s: cannot write: %m", self.pid_path);
	free(text);
}

/* The first process waits until the second reports the result of the start. */
static void wait_for_start(int fd)
{
	char text[4096];
	ssize_t n = read(fd, text, sizeof(text) - 1);

	if (n > 0 && memcmp(text, "ok", 2) == 0)
		exit(EX_OK);
	if (n > 0) {
		text[n] = '\0';
		fputs(text, stderr);
	} else {
		fputs("Posthorn did not start: see the log\n", stderr);
	}
	exit(EX_UNAVAILABLE);
}

static void go_to_background(void)
{
	int fds[2], null;
	pid_t pid;

	if (self.foreground)
		return;
	if (pipe2(fds, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		perror("cannot go to the background");
		exit(EX_OSERR);
	}
	if (pid > 0) {
		close(fds[1]);
		wait_for_start(fds[0]);
	}
	close(fds[0]);
	self.report_fd = fds[1];
	setsid();
	if (chdir("/") < 0)
		log_warn("cannot change to /: %m");
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return;
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	if (strcmp(config_string(self.config, "log_target"), "stderr") != 0)
		dup2(null, STDERR_FILENO);
}

static void report(const char *text)
{
	if (self.report_fd < 0) {
		if (strcmp(text, "ok") != 0)
			fputs(text, stderr);
		return;
	}
	if (write(self.report_fd, text, strlen(text)) < 0)
		log_warn("nobody waits for the start");
	close(self.report_fd);
	self.report_fd = -1;
}

/* Tells whoever waits for the start what does not come up. All the rest
 * serves, so for systemd it is a start. */
static void report_missing(void)
{
	struct buf text, state;

	if (self.announced || self.reported || self.stopping)
		return;
	self.reported = true;
	buf_init(&text, 65536);
	buf_init(&state, 65536 + 100);
	run_not_ready(&text);
	log_error_lines(NULL, text.data);
	buf_printf(&state, "READY=1\nSTATUS=%.*s",
		   (int)strcspn(text.data, "\n"), text.data);
	notify_systemd(state.data);
	buf_puts(&text, "the other services run, and what is not ready is "
			"tried again; see posthorn status\n");
	report(text.data);
	buf_free(&state);
	buf_free(&text);
}

static void on_start_limit(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	report_missing();
}

static void changed(void)
{
	if (self.stopping && run_all_gone()) {
		event_base_loopbreak(self.base);
		return;
	}
	if (self.announced || !run_all_tried())
		return;
	if (!run_all_ready()) {
		report_missing();
		return;
	}
	self.announced = true;
	log_info("all services are ready");
	report("ok");
	notify_systemd("READY=1\nSTATUS=all services are ready");
}

static void limit_start(void)
{
	struct timeval t = { START_LIMIT_S, 0 };

	event_base_once(self.base, -1, EV_TIMEOUT, on_start_limit, NULL, &t);
}

static void ask_to_reload(control_done *done, void *context)
{
	if (self.stopping)
		done(false, "the suite stops\n", context);
	else if (reload_going_on())
		done(false, "another reload is under way\n", context);
	else
		accept_reload(done, context);
}

static void stop(void)
{
	if (self.stopping)
		return;
	self.stopping = true;
	log_info("stopping");
	notify_systemd("STOPPING=1");
	reload_give_up();
	run_stop();
	changed();
}

static void on_signal(evutil_socket_t sig, short what, void *arg)
{
	(void)what;
	(void)arg;
	if (sig != SIGHUP)
		stop();
	else if (!self.stopping)
		accept_reload(NULL, NULL);
}

static void watch_signals(void)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		event_add(evsignal_new(self.base, signals[i], on_signal, NULL),
			  NULL);
}

static void open_control(void)
{
	static const struct control_actions actions = { run_status,
							ask_to_reload, stop };
	char *path =
		mem_printf("%s/public/master",
			   config_string(run_set()->config, "run_directory"));

	if (!control_begin(self.base, path, &actions))
		log_error("%s: cannot listen: %m", path);
	free(path);
}

static void start_services(void)
{
	struct buf faults;
	struct set *set;

	buf_init(&faults, 65536);
	set = accept_first(self.config, self.config_path, self.after_kill,
			   &faults);
	self.config = NULL;
	if (!set) {
		log_error_lines(NULL, faults.data);
		report(faults.data);
		remove_pid_file();
		exit(EX_UNAVAILABLE);
	}
	buf_free(&faults);
	run_begin(self.base, changed);
	run_start(set);
	accept_begin(self.base);
}

static void close_sockets(void)
{
	struct set *last = run_put_set(NULL);

	set_free(&last);
}

static void say_what_is_not_separated(void)
{
	if (geteuid() != 0)
		log_warn("started without root: all programs run as uid %ld, "
			 "there is no chroot, and system users cannot log in",
			 (long)geteuid());
	sandbox_report();
}

int main(int argc, char **argv)
{
	parse_options(argc, argv);
	umask(022);
	load_config();
	lock_pid_file();
	go_to_background();
	if (!log_open("posthorn/master",
		      config_string(self.config, "log_target")))
		log_warn("cannot open the log: %m");
	write_pid();
	self.base = event_base_new();
	if (!self.base)
		log_die(EX_OSERR, "cannot make an event loop");
	log_info("Posthorn " POSTHORN_VERSION " starts, configuration %s",
		 self.config_path);
	say_what_is_not_separated();
	warn_of_meaning();
	watch_signals();
	start_services();
	open_control();
	limit_start();
	notify_alive(self.base);
	changed();
	event_base_dispatch(self.base);
	control_end();
	close_sockets();
	remove_pid_file();
	log_info("stopped");
	return EX_OK;
}
