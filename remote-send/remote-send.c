/* The program remote-send: takes jobs from qmgr, and sends their messages to
 * other hosts by SMTP. */
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/heartbeat.h"
#include "io/wait.h"
#include "log/log.h"
#include "remote-send/deliver.h"
#include "service/service.h"

#define IDLE_MS 5000	 /* a session without a job is kept this long */
#define ANSWER_MS 60000	 /* for qmgr to take an answer */
#define HANG_UP_MS 10000 /* for qmgr to close its end */
#define GRACE_S 60

static struct {
	struct service service;
	struct settings set;
	struct session session;
	struct arena *arena;
	struct ipc_in in;
	struct ipc_out out;
} self;

static enum tls_wish read_tls(const struct config *c)
{
	static const char *const words[] = { "none", "may", "encrypt",
					     "verify" };
	const char *word = config_string(c, "smtp_tls_security_level");

	for (int i = TLS_NONE; i <= TLS_VERIFY; i++)
		if (strcmp(words[i], word) == 0)
			return (enum tls_wish)i;
	return TLS_MAY;
}

static int64_t ms(const struct config *c, const char *name)
{
	return config_seconds(c, name) * 1000;
}

static void read_settings(struct settings *set, const struct config *c)
{
	const char *protocols = config_string(c, "inet_protocols");

	*set = (struct settings){
		.myhostname = config_string(c, "myhostname"),
		.relayhost = config_string(c, "relayhost"),
		.port = (int)config_int(c, "smtp_tcp_port"),
		.ipv4 = strcmp(protocols, "ipv6") != 0,
		.ipv6 = strcmp(protocols, "ipv4") != 0,
		.tls = read_tls(c),
		.session_limit = (int)config_int(c, "smtp_mx_session_limit"),
		.convert = !config_bool(c, "disable_mime_output_"
					   "conversion"),
		.connect_ms = ms(c, "smtp_connect_timeout"),
		.helo_ms = ms(c, "smtp_helo_timeout"),
		.mail_ms = ms(c, "smtp_mail_timeout"),
		.rcpt_ms = ms(c, "smtp_rcpt_timeout"),
		.data_init_ms = ms(c, "smtp_data_init_timeout"),
		.data_xfer_ms = ms(c, "smtp_data_xfer_timeout"),
		.data_done_ms = ms(c, "smtp_data_done_timeout"),
	};
}

/* Sends the answer to the job; false if qmgr does not take it. */
static bool answer(int fd, const struct delivery *d, enum job_destination dest)
{
	size_t n = 0;
	struct result *result = arena_alloc(
		d->arena, d->job->nrecipients * sizeof(*result));

	for (size_t i = 0; i < d->job->nrecipients; i++)
		if (d->outcome[i].decided)
			result[n++] = d->outcome[i].result;
	job_results_write(&self.out, d->job, result, n, dest);
	return ipc_send(fd, &self.out, ANSWER_MS) == ERR_OK;
}

static bool do_job(int fd)
{
	struct job j;
	struct delivery d = { .set = &self.set,
			      .job = &j,
			      .arena = self.arena,
			      .begun_ms = clock_ms() };
	enum job_destination dest;
	bool good = job_read(self.arena, &self.in, &j) == ERR_OK;

	if (good) {
		d.outcome = arena_alloc(self.arena,
					j.nrecipients * sizeof(*d.outcome));
		dest = deliver(&self.session, &d);
		outcome_log(&d);
		good = answer(fd, &d, dest);
	} else {
		log_error("malformed job");
	}
	if (j.fd >= 0)
		close(j.fd);
	arena_reset(self.arena);
	return good;
}

/* Waits for a packet; a session that stays unused is ended meanwhile. False
 * when this instance retires, even if there are more jobs, which qmgr never
 * lets run out. They go back to it when the connection ends. */
static bool wait_for_job(int fd)
{
	struct pollfd p[2] = { { .fd = fd, .events = POLLIN },
			       { .fd = prefork_retire_fd(),
				 .events = POLLIN } };

	const int64_t until = clock_ms() + IDLE_MS;

	for (;;) {
		bool open = self.session.stream != NULL;
		int64_t left = open ? until - clock_ms() : -1;

		if (open && left <= 0)
			session_close(&self.session, true);
		else if (poll(p, 2, heartbeat_turn(left)) > 0)
			return !p[1].revents;
	}
}

/* Ends the connection. Unread jobs must not be left in it: qmgr would see a
 * broken connection before the answers that are on their way, and mail would
 * be sent again. */
static void hang_up(int fd)
{
	shutdown(fd, SHUT_WR);
	while (ipc_recv(fd, &self.in, HANG_UP_MS) == ERR_OK)
		;
	ipc_in_reset(&self.in);
	close(fd);
}

/* One that a qmgr has left behind was not sent, and the next qmgr sends it. */
static bool take_job(int fd)
{
	return wait_for_job(fd) && ipc_recv(fd, &self.in, 0) == ERR_OK &&
	       !session_is_deserted(&self.session);
}

static bool serve(void *context, const struct prefork_listener *listener,
		  int fd)
{
	(void)context;
	(void)listener;
	self.session.client = wait_hang_up(fd);
	while (take_job(fd) && do_job(fd))
		if (!deliver_may_keep(&self.session))
			session_close(&self.session, true);
	session_close(&self.session, true);
	if (self.session.client >= 0)
		close(self.session.client);
	self.session.client = -1;
	hang_up(fd);
	return true;
}

static void child_start(void *context)
{
	(void)context;
	sandbox_enter(SANDBOX_INET);
}

int main(int argc, char **argv)
{
	struct prefork p = { .spare = 1,
			     .grace_s = GRACE_S,
			     .child_start = child_start,
			     .serve = serve };

	service_start(&self.service, argc, argv, "remote-send");
	read_settings(&self.set, self.service.config);
	p.max = (1 + JOB_SLOW_SHARE) *
		(int)config_int(self.service.config, "remote_process_limit");
	self.session.set = &self.set;
	self.session.client = -1;
	self.arena = arena_new();
	service_confine(&self.service, SANDBOX_INET | SANDBOX_FORK);
	sandbox_prepare(SANDBOX_INET);
	return service_prefork(&self.service, &p);
}
