/*
 * qmgr for C tests: it is started with a configuration of its own, and every
 * socket that it asks on is one of the test's. A deliverer is a process that
 * reads what to do from the recipient's name and writes down what it was
 * given, so that a test compares lines, not calls.
 */
#include "t/lib/bed.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "config/config.h"
#include "ipc/ipc.h"
#include "qmgr/job.h"
#include "queue/id.h"
#include "queue/slot.h"
#include "server/link.h"

#define PATIENCE_MS 60000 /* the machine may have much else to do */

struct bed bed;

static char *in_dir(const char *name)
{
	return mem_printf("%s/%s", bed.dir, name);
}

char *bed_slurp(const char *path)
{
	struct buf b;

	buf_init(&b, 64 << 20);
	err_ignore(file_read(path, &b));
	return buf_steal(&b);
}

int bed_occurs(const char *path, const char *text)
{
	char *all = bed_slurp(path);
	int n = 0;

	for (char *p = all; (p = strstr(p, text)); p += strlen(text))
		n++;
	free(all);
	return n;
}

bool bed_wait(bool (*good)(const void *), const void *arg)
{
	int64_t end = clock_ms() + PATIENCE_MS;

	while (!good(arg)) {
		if (clock_ms() > end)
			return false;
		usleep(5000);
	}
	return true;
}

/* The deliverers. Each job's recipients go to the record, one line each. */

static const char *const list_members[] = { "ok-member1@remote.test",
					    "ok-member2@local.test",
					    "list@local.test" };

/* A job's results are sent together, so each has a place of its own. NAME
 * becomes its own. */
static void expand_into(struct result *out, char *name)
{
	static struct {
		char *name;
		const char *list[1];
	} next[500];

	free(next[out->index].name);
	next[out->index].name = name;
	next[out->index].list[0] = name;
	out->status = RESULT_EXPANDED;
	out->expanded = next[out->index].list;
	out->nexpanded = 1;
}

static void judge(const struct job_recipient *r, struct result *out,
		  enum job_destination *dest)
{
	const char *a = r->address;
	int at, of;

	*out = (struct result){ .index = r->index,
				    .status = RESULT_SENT,
				    .dsn = "2.0.0",
				    .reply = "taken",
				    .relay = "test",
				    .flags = RESULT_REMOTE };
	if (str_starts(a, "defer")) {
		out->status = RESULT_DEFERRED;
		out->dsn = "4.2.0";
		out->reply = "come again";
	} else if (str_starts(a, "away")) {
		out->status = RESULT_DEFERRED;
		out->flags = RESULT_SOON;
		out->dsn = "4.3.0";
		out->reply = "a part of ours is away";
	} else if (str_starts(a, "fail")) {
		out->status = RESULT_FAILED;
		out->dsn = "5.1.1";
		out->reply = "no such user";
	} else if (str_starts(a, "down")) {
		out->status = RESULT_DEFERRED;
		out->dsn = "4.4.1";
		out->reply = "connection refused";
		*dest = JOB_DEST_DOWN;
	} else if (str_starts(a, "list")) {
		out->status = RESULT_EXPANDED;
		out->expanded = list_members;
		out->nexpanded = 3;
	} else if (str_starts(a, "loop")) {
		expand_into(out, mem_printf("loop%d@local.test",
					    atoi(a + 4) + 1));
	} else if (sscanf(a, "ring%dof%d@", &at, &of) == 2) {
		expand_into(out, mem_printf("ring%dof%d@local.test",
					    at % of + 1, of));
	}
}

static void record(const struct job *j, const struct job_recipient *r)
{
	char *content = mem_alloc((size_t)j->length + 1);
	int fd = open(bed.record, O_WRONLY | O_APPEND | O_CREAT, 0600);
	char *line;

	if (file_pread(j->fd, content, (size_t)j->length, j->offset) != ERR_OK)
		strcpy(content, "unreadable");
	line = mem_printf("%s from=<%s> to=<%s> dest=%s %.30s...%zu%s\n", j->id,
			  j->sender, r->address, j->destination, content,
			  strlen(content), j->smtputf8 ? " SMTPUTF8" : "");
	err_ignore(file_write(fd, line, strlen(line)));
	close(fd);
	free(line);
	free(content);
}

/* False: the deliverer dies here. */
static bool deliver(int sock, struct ipc_in *in)
{
	struct arena *a = arena_new();
	struct ipc_out out = { .ready = false };
	enum job_destination dest = JOB_DEST_OK;
	struct result r[500];
	struct job j;
	bool dies;

	if (job_read(a, in, &j) != ERR_OK)
		_exit(1);
	dies = str_starts(j.recipient[0].address, "die");
	for (size_t i = 0; i < j.nrecipients && !dies; i++) {
		record(&j, &j.recipient[i]);
		judge(&j.recipient[i], &r[i], &dest);
	}
	close(j.fd);
	if (!dies) {
		job_results_write(&out, &j, r, j.nrecipients, dest);
		ipc_send(sock, &out, 10000);
	}
	ipc_out_free(&out);
	arena_free(&a);
	return !dies;
}

static void deliverer_run(int listener)
{
	struct pollfd p[200] = { { listener, POLLIN, 0 } };
	struct ipc_in in = { .verb = "" };
	nfds_t n = 1;

	while (poll(p, n, -1) > 0) {
		for (nfds_t i = 1; i < n; i++) {
			if (!p[i].revents)
				continue;
			if (ipc_recv(p[i].fd, &in, 0) == ERR_OK &&
			    deliver(p[i].fd, &in))
				continue;
			close(p[i].fd);
			p[i--] = p[--n];
		}
		if (p[0].revents && n < 200)
			p[n++] = (struct pollfd){ accept(listener, 0, 0),
						  POLLIN, 0 };
	}
}

/* A test that dies leaves nobody behind who holds its output open. */
static pid_t fork_tied(void)
{
	pid_t pid = fork();

	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static void start_deliverer(int k, const char *name)
{
	char *path = mem_printf("%s/private/%s", bed.dir, name);
	int listener = ipc_listen(path, 0600, 64);

	bed.deliverer[k] = fork_tied();
	if (bed.deliverer[k] == 0) {
		close(bed.qmgr_sock);
		close(bed.public_sock);
		deliverer_run(listener);
		_exit(0);
	}
	close(listener);
	free(path);
}

void bed_start_qmgr(void)
{
	char *conf = in_dir("posthorn.conf");
	char *env = mem_printf("qmgr:%d public/qmgr:%d", bed.qmgr_sock,
			       bed.public_sock);

	int link[2];
	char fd[12];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link) < 0)
		abort();
	snprintf(fd, sizeof(fd), "%d", link[1]);
	bed.qmgr = fork_tied();
	if (bed.qmgr == 0) {
		setenv("POSTHORN_LISTEN", env, 1);
		setenv("POSTHORN_MASTER", fd, 1);
		fcntl(link[1], F_SETFD, 0);
		if (bed.preload) {
			setenv("LD_PRELOAD", bed.preload, 1);
			setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
		}
		fcntl(bed.qmgr_sock, F_SETFD, 0);
		fcntl(bed.public_sock, F_SETFD, 0);
		execl(bed.program, "qmgr", "-c", conf, (char *)NULL);
		_exit(127);
	}
	close(link[1]);
	if (bed.link > 0)
		close(bed.link);
	bed.link = link[0];
	link_go(bed.link);
	free(conf);
	free(env);
}

bool bed_reload_qmgr(void)
{
	char *conf = in_dir("posthorn.conf");
	struct buf faults;
	struct config *c;
	bool good;
	int fd = -1;

	buf_init(&faults, 65536);
	c = config_load(conf, NULL, 0, &faults);
	if (c)
		err_ignore(config_seal(c, &fd)); /* then fd is -1 */
	good = fd >= 0 && link_reload(bed.link, fd);
	if (fd >= 0)
		close(fd);
	config_free(&c);
	buf_free(&faults);
	free(conf);
	return good;
}

void bed_end_qmgr(int sig)
{
	kill(bed.qmgr, sig);
	waitpid(bed.qmgr, NULL, 0);
}

static void make_dirs(void)
{
	static const char *const dirs[] = { "queue/queue", "queue/corrupt",
					    "private", "public" };

	snprintf(bed.dir, sizeof(bed.dir), "%s/qmgr-test.XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	if (!mkdtemp(bed.dir))
		exit(1);
	for (int i = 0; i < 4; i++) {
		char *path = in_dir(dirs[i]);

		err_ignore(file_make_dirs(path, 0700));
		free(path);
	}
	bed.public = in_dir("public/qmgr");
	bed.log = in_dir("log");
	bed.record = in_dir("record");
}

static void write_configuration(void)
{
	char *conf = mem_printf("myhostname = here.test\n"
				"mydestination = local.test\n"
				"queue_directory = %s/queue\n"
				"run_directory = %s\n"
				"log_target = %s\n"
				"minimal_backoff_time = 1s\n"
				"maximal_backoff_time = 2s\n"
				"queue_minfree = 1\n",
				bed.dir, bed.dir, bed.log);
	char *path = in_dir("posthorn.conf");

	err_ignore(file_replace(path, 0600, conf, strlen(conf)));
	free(path);
	free(conf);
}

/* As master makes them. */
static void make_sockets(void)
{
	char *dir = in_dir("private"), *path = in_dir("private/qmgr");

	ipc_set_dir(dir);
	bed.qmgr_sock = ipc_listen(path, 0600, 64);
	bed.public_sock = ipc_listen(bed.public, 0666, 64);
	free(path);
	free(dir);
}

struct queue_receiver *bed_begin(void)
{
	const char *bin = getenv("POSTHORN_BIN");

	bed.program = mem_printf("%s/qmgr", bin ? bin : "bin");
	if (access(bed.program, X_OK) < 0) {
		printf("1..0 # SKIP %s is not built\n", bed.program);
		return NULL;
	}
	make_dirs();
	write_configuration();
	make_sockets();
	start_deliverer(0, "local-deliver");
	start_deliverer(1, "remote-send");
	bed_start_qmgr();
	if (!bed_wait(bed_is_empty, NULL)) {
		printf("Bail out! qmgr does not come up\n");
		bed_end(NULL);
		exit(1);
	}
	return queue_receiver_new();
}

void bed_end(struct queue_receiver *r)
{
	char *cmd = mem_printf("rm -rf '%s'", bed.dir);

	queue_receiver_free(&r);
	bed_end_qmgr(SIGTERM);
	for (int i = 0; i < 2; i++) {
		kill(bed.deliverer[i], SIGKILL);
		waitpid(bed.deliverer[i], NULL, 0);
	}
	if (!getenv("KEEP") && system(cmd) != 0)
		exit(1);
	free(cmd);
}

int bed_post_from(struct queue_receiver *r, const char *sender,
		  const char *mark, const char *to, size_t size,
		  unsigned notify)
{
	struct strlist list = { NULL, 0 };
	struct envelope_recipient rcpt[300];
	struct envelope e = { .sender = sender,
			      .recipient = rcpt,
			      .arrival_us = clock_wall_us(),
			      .protocol = "ESMTP" };
	char *text = mem_printf("Subject: %s\r\n\r\n", mark);
	size_t n = strlen(text);
	int err = queue_begin(r);

	strlist_split(&list, to);
	for (size_t i = 0; i < list.n; i++)
		rcpt[i] =
			(struct envelope_recipient){ list.item[i], notify, "" };
	e.nrecipients = list.n;
	if (!err)
		err = queue_write(r, text, n);
	for (; !err && n < size; n += 70)
		err = queue_write(r,
				  "0123456789012345678901234567890123456789"
				  "0123456789012345678901234567\r\n",
				  70);
	if (!err)
		err = queue_commit(r, &e);
	free(text);
	strlist_free(&list);
	return err;
}

int bed_post(struct queue_receiver *r, const char *mark, const char *to)
{
	return bed_post_from(r, "sender@remote.test", mark, to, 100, 0);
}

bool bed_write(int fd, uint32_t number, const char *to)
{
	static const char text[] = "Subject: left\r\n\r\n";
	struct envelope_recipient rcpt = { to, 0, "" };
	struct envelope e = { .sender = "sender@remote.test",
			      .recipient = &rcpt,
			      .nrecipients = 1,
			      .arrival_us = clock_wall_us() };
	struct slot_super s = { .generation = 1, .length = strlen(text) };
	char super[SLOT_SUPER];
	struct buf b;
	bool good;

	buf_init(&b, 65536);
	envelope_write(&b, &e);
	queue_id_make(s.id, e.arrival_us, number);
	s.content = slot_half(1) + SLOT_SUPER;
	s.envelope = s.content + s.length;
	s.envelope_length = (off_t)b.len;
	s.journal = slot_journal_after(s.envelope + s.envelope_length);
	s.crc = crc32c(crc32c(0, text, strlen(text)), b.data, b.len);
	slot_super_write(super, &s);
	good = !file_pwrite(fd, super, sizeof(super), slot_half(1)) &&
	       !file_pwrite(fd, text, strlen(text), s.content) &&
	       !file_pwrite(fd, b.data, b.len, s.envelope);
	buf_free(&b);
	return good;
}

int64_t bed_in_queue(void)
{
	struct queue_stats s;
	struct buf why;
	int err;

	buf_init(&why, 1000);
	err = queue_admin_stats(bed.public, &s, &why);
	buf_free(&why);
	if (err || s.scanning)
		return -1;
	return s.active + s.waiting + s.held;
}

bool bed_is_empty(const void *arg)
{
	(void)arg;
	return bed_in_queue() == 0;
}

bool bed_is_recorded(const void *text)
{
	return bed_occurs(bed.record, text) > 0;
}

bool bed_is_logged(const void *text)
{
	return bed_occurs(bed.log, text) > 0;
}

void bed_forget_record(void)
{
	unlink(bed.record);
}

bool bed_tried_twice(const void *text)
{
	return bed_occurs(bed.record, text) >= 2;
}

bool bed_has_messages(const void *n)
{
	return bed_in_queue() == *(const int64_t *)n;
}
