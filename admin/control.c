/* posthorn start, stop, reload, status. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "admin/admin.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "ipc/ipc.h"

#define ANSWER_MS 30000
#define STOP_WAIT_MS 120000

/* Asks master VERB. EX_OK with its answer in M; EX_UNAVAILABLE if it does
 * not run. */
static int ask_master(const struct admin *a, const char *verb, struct ipc_in *m)
{
	char *path = admin_socket(a, "master");
	struct ipc_out q = { 0 };
	int fd = ipc_connect(path), err;

	if (fd < 0) {
		free(path);
		return EX_UNAVAILABLE;
	}
	ipc_begin(&q, verb);
	err = ipc_call(fd, &q, m, ANSWER_MS);
	close(fd);
	free(path);
	ipc_out_free(&q);
	if (err)
		return admin_fail(EX_TEMPFAIL, "master does not answer: %s",
				  err_text(err));
	if (ipc_is(m, "ok"))
		return EX_OK;
	if (ipc_is(m, "denied"))
		return admin_fail(EX_NOPERM, "%s", ipc_get(m, "why"));
	for (size_t i = 0; i < m->nattrs; i++)
		fprintf(stderr, "%s\n", m->attr[i].value);
	return EX_CONFIG;
}

/* Runs master, which says itself why it does not start. Of what it starts in
 * spite of, the caller hears now. */
static int run_master(const struct admin *a, const char *program)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		execl(program, "master", "-c", a->config_path, (char *)NULL);
		_exit(admin_fail(EX_OSFILE, "%s: cannot execute: %s", program,
				 strerror(errno)));
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid < 0 || !WIFEXITED(status))
		return admin_fail(EX_OSERR, "%s was not run to its end",
				  program);
	if (WEXITSTATUS(status) == EX_OK)
		admin_warn(a);
	return WEXITSTATUS(status);
}

int admin_start(const struct admin *a)
{
	struct ipc_in m = { 0 };
	char *program;
	int status;

	if (a->argc > 0)
		return admin_usage(a,
				   "usage: posthorn start\n\nStarts master, "
				   "waits until all services are ready, and "
				   "says what posthorn\ncheck finds.\n");
	status = ask_master(a, "status", &m);
	ipc_in_free(&m);
	if (status == EX_OK)
		return admin_fail(EX_TEMPFAIL, "the suite runs already");
	program = mem_printf("%s/master",
			     config_string(a->config, "daemon_directory"));
	status = run_master(a, program);
	free(program);
	return status;
}

/* Waits until nobody listens on master's socket any more. */
static int wait_for_end(const struct admin *a)
{
	char *path = admin_socket(a, "master");
	int64_t until = clock_ms() + STOP_WAIT_MS;
	int fd = -1;

	while (clock_ms() < until) {
		fd = ipc_connect(path);
		if (fd < 0)
			break;
		close(fd);
		usleep(50000);
	}
	free(path);
	return fd < 0 ? EX_OK
		      : admin_fail(EX_TEMPFAIL, "it does not stop: see the "
						"log");
}

int admin_stop(const struct admin *a)
{
	struct ipc_in m = { 0 };
	int status;

	if (a->argc > 0)
		return admin_usage(a,
				   "usage: posthorn stop\n\nStops the "
				   "services in order, and waits for them.\n");
	status = ask_master(a, "stop", &m);
	ipc_in_free(&m);
	if (status == EX_UNAVAILABLE)
		return admin_fail(EX_UNAVAILABLE, "the suite does not run");
	return status == EX_OK ? wait_for_end(a) : status;
}

int admin_reload(const struct admin *a)
{
	struct ipc_in m = { 0 };
	int status;

	if (a->argc > 0)
		return admin_usage(a, "usage: posthorn reload\n\nReads the "
				      "configuration again. A faulty one is "
				      "refused, and the old one\nstays in "
				      "force. Says what posthorn check "
				      "finds.\n");
	status = ask_master(a, "reload", &m);
	ipc_in_free(&m);
	if (status == EX_UNAVAILABLE)
		return admin_fail(EX_UNAVAILABLE, "the suite does not run");
	if (status == EX_OK)
		admin_warn(a);
	return status;
}

struct service_line {
	char name[64];
	char state[16];
	long pid;
	int restarts;
	long long seconds;
};

static bool parse_line(const char *text, struct service_line *l)
{
	return sscanf(text, "%63s %ld %15s %d %lld", l->name, &l->pid, l->state,
		      &l->restarts, &l->seconds) == 5;
}

static void print_line(const struct admin *a, const struct service_line *l,
		       bool first)
{
	if (a->json)
		printf("%s\n{\"service\":\"%s\",\"state\":\"%s\",\"pid\":%ld,"
		       "\"restarts\":%d,\"seconds\":%lld}",
		       first ? "[" : ",", l->name, l->state, l->pid,
		       l->restarts, l->seconds);
	else
		printf("%-14s %-9s %7ld %9d %8lld s\n", l->name, l->state,
		       l->pid, l->restarts, l->seconds);
}

/* Prints what master says; true if all services are ready. */
static bool print_lines(const struct admin *a, const struct ipc_in *m)
{
	struct service_line l;
	bool all = true;

	if (!a->json)
		printf("%-14s %-9s %7s %9s %10s\n", "SERVICE", "STATE", "PID",
		       "RESTARTS", "FOR");
	for (size_t i = 0; i < m->nattrs; i++) {
		if (!parse_line(m->attr[i].value, &l))
			continue;
		all = all && strcmp(l.state, "ready") == 0;
		print_line(a, &l, i == 0);
	}
	if (a->json)
		puts(m->nattrs ? "\n]" : "[]");
	return all;
}

int admin_status(const struct admin *a)
{
	struct ipc_in m = { 0 };
	int status;

	if (a->argc > 0)
		return admin_usage(a,
				   "usage: posthorn status [--json]\n\nExit "
				   "code 0: all services are ready; 69: the "
				   "suite does not run;\n75: a service is not "
				   "ready.\n");
	status = ask_master(a, "status", &m);
	if (status == EX_UNAVAILABLE)
		status = admin_fail(EX_UNAVAILABLE, "the suite does not run");
	else if (status == EX_OK && !print_lines(a, &m))
		status = EX_TEMPFAIL;
	ipc_in_free(&m);
	return status;
}
