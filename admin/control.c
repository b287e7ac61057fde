/* posthorn start, stop, reload. */
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

#define ANSWER_MS 60000 /* a reload waits for the services */
#define STOP_WAIT_MS 120000

int admin_ask_master(const struct admin *a, const char *verb, struct ipc_in *m)
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
				  err_why(err));
	if (ipc_is(m, "ok"))
		return EX_OK;
	if (ipc_is(m, "denied"))
		return admin_fail(EX_NOPERM, "%s", ipc_get(m, "why"));
	for (size_t i = 0; i < m->nattrs; i++)
		fprintf(stderr, "%s\n", m->attr[i].value);
	return EX_CONFIG;
}

/* Runs master, which reports itself why it does not start. Faults that did not
 * prevent the start are reported here. */
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
		admin_warn(a, "the suite runs");
	return WEXITSTATUS(status);
}

int admin_start(const struct admin *a)
{
	struct ipc_in m = { 0 };
	char *program;
	int status;

	if (a->argc > 0)
		return admin_usage(a, "usage: posthorn start\n\nStarts master, "
				      "waits until all services are ready, and "
				      "says what posthorn\ncheck finds.\n");
	status = admin_ask_master(a, "status", &m);
	ipc_in_free(&m);
	if (status == EX_OK)
		return admin_fail(EX_TEMPFAIL, "the suite runs already");
	program = mem_printf("%s/master",
			     config_string(a->config, "daemon_directory"));
	status = run_master(a, program);
	free(program);
	return status;
}

/* Waits until master no longer listens on its socket. */
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

int admin_not_running(const struct admin *a)
{
	if (!a->faulty)
		return admin_fail(EX_UNAVAILABLE,
				  "the suite does not run; posthorn start "
				  "starts it");
	return admin_fail(EX_UNAVAILABLE,
			  "nobody answers in %s; but %s has faults, see "
			  "posthorn check: the suite may run elsewhere",
			  config_string(a->config, "run_directory"),
			  a->config_path);
}

int admin_stop(const struct admin *a)
{
	struct ipc_in m = { 0 };
	int status;

	if (a->argc > 0)
		return admin_usage(a,
				   "usage: posthorn stop\n\nStops the "
				   "services in order, and waits for them.\n");
	status = admin_ask_master(a, "stop", &m);
	ipc_in_free(&m);
	if (status == EX_UNAVAILABLE)
		return admin_not_running(a);
	return status == EX_OK ? wait_for_end(a) : status;
}

int admin_reload(const struct admin *a)
{
	struct ipc_in m = { 0 };
	int status;

	if (a->argc > 0)
		return admin_usage(a, "usage: posthorn reload\n\nReads the "
				      "configuration again. One that the "
				      "services cannot use is refused\n"
				      "(exit code 78), and the old one stays "
				      "in force. Otherwise it takes effect\n"
				      "(0), and what posthorn check finds, "
				      "even faults, is printed.\n");
	status = admin_ask_master(a, "reload", &m);
	ipc_in_free(&m);
	if (status == EX_UNAVAILABLE)
		return admin_not_running(a);
	if (status == EX_OK)
		admin_warn(a, "the new configuration is in force");
	return status;
}
