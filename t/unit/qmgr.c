/*
 * The real qmgr between a receiver and deliverers of our own: what comes in
 * goes out, whatever happens to qmgr in between. Recipients' names say what
 * the deliverers do with them.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "ipc/ipc.h"
#include "queue/admin.h"
#include "queue/id.h"
#include "queue/job.h"
#include "queue/receive.h"
#include "t/unit/tap.h"

static struct {
	char dir[256];
	char *program, *public, *log, *record;
	int qmgr_sock, public_sock;
	pid_t qmgr, deliverer[2];
} self;

static char *in_dir(const char *name)
{
	return mem_printf("%s/%s", self.dir, name);
}

static char *slurp(const char *path)
{
	struct buf b;

	buf_init(&b, 64 << 20);
	file_read(path, &b);
	return buf_steal(&b);
}

/* How often TEXT is in the file PATH. */
static int occurs(const char *path, const char *text)
{
	char *all = slurp(path);
	int n = 0;

	for (char *p = all; (p = strstr(p, text)); p += strlen(text))
		n++;
	free(all);
	return n;
}

static bool wait_until(bool (*good)(const void *), const void *arg, int ms)
{
	int64_t end = clock_ms() + ms;

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

static void judge(const struct job_recipient *r, struct job_result *out,
		  enum job_destination *dest)
{
	const char *a = r->address;

	*out = (struct job_result){ .index = r->index,
				    .status = JOB_SENT,
				    .dsn = "2.0.0",
				    .reply = "taken",
				    .relay = "test",
				    .remote_reply = true };
	if (str_starts(a, "defer")) {
		out->status = JOB_DEFERRED;
		out->dsn = "4.2.0";
		out->reply = "come again";
	} else if (str_starts(a, "fail")) {
		out->status = JOB_FAILED;
		out->dsn = "5.1.1";
		out->reply = "no such user";
	} else if (str_starts(a, "down")) {
		out->status = JOB_DEFERRED;
		out->dsn = "4.4.1";
		out->reply = "connection refused";
		*dest = JOB_DEST_DOWN;
	} else if (str_starts(a, "list")) {
		out->status = JOB_EXPANDED;
		out->expanded = list_members;
		out->nexpanded = 3;
	} else if (str_starts(a, "loop")) {
		static const char *next[1];
		static char name[32];

		snprintf(name, sizeof(name), "loop%d@local.test",
			 atoi(a + 4) + 1);
		next[0] = name;
		out->status = JOB_EXPANDED;
		out->expanded = next;
		out->nexpanded = 1;
	}
}

static void record(const struct job *j, const struct job_recipient *r)
{
	char *content = mem_alloc((size_t)j->length + 1);
	int fd = open(self.record, O_WRONLY | O_APPEND | O_CREAT, 0600);
	char *line;

	if (file_pread(j->fd, content, (size_t)j->length, j->offset) != ERR_OK)
		strcpy(content, "unreadable");
	line = mem_printf("%s from=<%s> to=<%s> dest=%s %.30s...%zu\n", j->id,
			  j->sender, r->address, j->destination, content,
			  strlen(content));
	file_write(fd, line, strlen(line));
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
	struct job_result r[500];
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

static void start_deliverer(int k, const char *name)
{
	char *path = mem_printf("%s/private/%s", self.dir, name);
	int listener = ipc_listen(path, 0600, 64);

	self.deliverer[k] = fork();
	if (self.deliverer[k] == 0) {
		close(self.qmgr_sock);
		close(self.public_sock);
		deliverer_run(listener);
		_exit(0);
	}
	close(listener);
	free(path);
}

static void start_qmgr(void)
{
	char *conf = in_dir("posthorn.conf");
	char *env = mem_printf("qmgr:%d public/qmgr:%d", self.qmgr_sock,
			       self.public_sock);

	self.qmgr = fork();
	if (self.qmgr == 0) {
		setenv("POSTHORN_LISTEN", env, 1);
		fcntl(self.qmgr_sock, F_SETFD, 0);
		fcntl(self.public_sock, F_SETFD, 0);
		execl(self.program, "qmgr", "-c", conf, (char *)NULL);
		_exit(127);
	}
	free(conf);
	free(env);
}

static void end_qmgr(int sig)
{
	kill(self.qmgr, sig);
	waitpid(self.qmgr, NULL, 0);
}

static void setup(void)
{
	static const char *const dirs[] = { "queue/queue", "queue/corrupt",
					    "private", "public" };
	char *conf = NULL, *path;

	snprintf(self.dir, sizeof(self.dir), "%s/qmgr-test.XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	if (!mkdtemp(self.dir))
		exit(1);
	for (int i = 0; i < 4; i++) {
		path = in_dir(dirs[i]);
		file_make_dirs(path, 0700);
		free(path);
	}
	self.public = in_dir("public/qmgr");
	self.log = in_dir("log");
	self.record = in_dir("record");
	conf = mem_printf("myhostname = here.test\n"
			  "mydestination = local.test\n"
			  "queue_directory = %s/queue\n"
			  "run_directory = %s\n"
			  "log_target = %s\n"
			  "minimal_backoff_time = 1s\n"
			  "maximal_backoff_time = 2s\n"
			  "queue_minfree = 1\n",
			  self.dir, self.dir, self.log);
	path = in_dir("posthorn.conf");
	file_replace(path, 0600, conf, strlen(conf));
	free(path);
	free(conf);
	path = in_dir("private");
	ipc_set_dir(path);
	free(path);
	path = in_dir("private/qmgr");
	self.qmgr_sock = ipc_listen(path, 0600, 64);
	free(path);
	self.public_sock = ipc_listen(self.public, 0666, 64);
	start_deliverer(0, "local-deliver");
	start_deliverer(1, "remote-send");
}

static void cleanup(void)
{
	char *cmd = mem_printf("rm -rf '%s'", self.dir);

	end_qmgr(SIGTERM);
	for (int i = 0; i < 2; i++) {
		kill(self.deliverer[i], SIGKILL);
		waitpid(self.deliverer[i], NULL, 0);
	}
	if (!getenv("KEEP") && system(cmd) != 0)
		exit(1);
	free(cmd);
}

/* Sends a message of SIZE bytes whose subject is MARK to the recipients in
 * TO, separated by blanks. */
static int post_from(struct queue_receiver *r, const char *sender,
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

static int post(struct queue_receiver *r, const char *mark, const char *to)
{
	return post_from(r, "sender@remote.test", mark, to, 100, 0);
}

static int64_t in_queue(void)
{
	struct queue_stats s;
	struct buf why;
	int err;

	buf_init(&why, 1000);
	err = queue_admin_stats(self.public, &s, &why);
	buf_free(&why);
	if (err || s.scanning)
		return -1;
	return s.active + s.waiting + s.held;
}

static bool is_empty(const void *arg)
{
	(void)arg;
	return in_queue() == 0;
}

static bool is_recorded(const void *text)
{
	return occurs(self.record, text) > 0;
}

static bool is_logged(const void *text)
{
	return occurs(self.log, text) > 0;
}

static void forget_record(void)
{
	unlink(self.record);
}

static void test_simple(struct queue_receiver *r)
{
	ok(post(r, "first", "ok@local.test") == ERR_OK, "a message is taken");
	ok(wait_until(is_recorded, "to=<ok@local.test>", 5000),
	   "and handed to local-deliver");
	ok(wait_until(is_empty, NULL, 5000), "the queue is empty then");
	ok(post(r, "second", "ok@remote.test") == ERR_OK &&
		   wait_until(is_recorded, "to=<ok@remote.test>", 5000),
	   "one for another domain goes to remote-send");
	ok(occurs(self.record, "dest=remote.test Subject: second") == 1,
	   "with its domain as destination, and its content");
	ok(post_from(r, "", "big", "ok-big@local.test", 300000, 0) == ERR_OK &&
		   wait_until(is_recorded, "to=<ok-big@local.test>", 5000),
	   "a large one is taken and delivered");
	ok(occurs(self.record, "Subject: big") == 1 &&
		   occurs(self.record, "...300") == 1,
	   "whole");
	ok(wait_until(is_empty, NULL, 5000), "nothing stays");
}

static void test_many(struct queue_receiver *r)
{
	int good = 0, found;

	forget_record();
	for (int i = 0; i < 200; i++) {
		char to[64];

		snprintf(to, sizeof(to), "ok%d@%s.test", i,
			 i % 2 ? "local" : "remote");
		good += post_from(r, "s@remote.test", "many", to,
				  (size_t)(i % 10) * 5000, 0) == ERR_OK;
	}
	ok(good == 200, "200 messages are taken");
	ok(wait_until(is_empty, NULL, 10000), "and leave");
	found = occurs(self.record, "Subject: many");
	ok(found == 200, "each once (%d)", found);
}

static void test_results(struct queue_receiver *r)
{
	forget_record();
	ok(post(r, "mixed", "ok@local.test fail@local.test fail@remote.test") ==
		   ERR_OK,
	   "a message with recipients that fail is taken");
	ok(wait_until(is_recorded, "to=<sender@remote.test>", 5000),
	   "its sender gets a bounce");
	ok(occurs(self.record, "from=<> to=<sender@remote.test>") == 1,
	   "one, from nobody");
	ok(wait_until(is_empty, NULL, 5000), "nothing stays");
	ok(post_from(r, "", "no sender", "fail@local.test", 100, 0) == ERR_OK &&
		   wait_until(is_logged, "without a sender: dropped", 5000),
	   "a bounce that fails is dropped with a line in the log");
	ok(post_from(r, "never@remote.test", "never", "fail@local.test", 100,
		     NOTIFY_NEVER) == ERR_OK &&
		   wait_until(is_empty, NULL, 5000) &&
		   occurs(self.record, "to=<never@") == 0,
	   "NOTIFY=NEVER: nobody is told");
	ok(post_from(r, "asks@remote.test", "success", "ok@local.test", 100,
		     NOTIFY_SUCCESS) == ERR_OK &&
		   wait_until(is_recorded, "to=<asks@remote.test>", 5000),
	   "NOTIFY=SUCCESS: the sender is told");
	forget_record();
	ok(post(r, "a list", "list@local.test") == ERR_OK &&
		   wait_until(is_recorded, "to=<ok-member1@remote.test>",
			      5000) &&
		   wait_until(is_recorded, "to=<ok-member2@local.test>", 5000),
	   "a list is expanded");
	ok(wait_until(is_empty, NULL, 5000) &&
		   occurs(self.record, "to=<list@local.test>") == 1,
	   "and what leads back to itself is not delivered again");
	ok(post(r, "a loop", "loop0@local.test") == ERR_OK &&
		   wait_until(is_recorded, "to=<sender@remote.test>", 5000) &&
		   occurs(self.record, "to=<loop20@") == 1 &&
		   occurs(self.record, "to=<loop21@") == 0,
	   "aliases without end come back after 20");
	ok(wait_until(is_empty, NULL, 5000), "nothing stays");
}

static bool tried_twice(const void *text)
{
	return occurs(self.record, text) >= 2;
}

static void test_retry(struct queue_receiver *r)
{
	int64_t n;
	struct buf why;

	buf_init(&why, 1000);
	forget_record();
	ok(post(r, "later", "defer@remote.test") == ERR_OK &&
		   wait_until(tried_twice, "to=<defer@remote.test>", 8000),
	   "what is deferred is tried again");
	ok(in_queue() == 1, "and stays in the queue");
	ok(queue_admin_act(self.public, QUEUE_DELETE, "ALL", &n, &why) ==
			   ERR_OK &&
		   n == 1 && wait_until(is_empty, NULL, 5000),
	   "until it is deleted");
	forget_record();
	for (int i = 0; i < 20; i++) {
		char to[64];

		snprintf(to, sizeof(to), "down%d@dead.test", i);
		post(r, "dead", to);
	}
	wait_until(is_recorded, "@dead.test", 5000);
	usleep(200000);
	n = occurs(self.record, "@dead.test");
	ok(n == 1, "a destination that is down costs one probe (%d)", (int)n);
	queue_admin_act(self.public, QUEUE_BOUNCE, "ALL", &n, &why);
	ok(wait_until(is_empty, NULL, 8000) &&
		   occurs(self.record, "to=<sender@remote.test>") == 20,
	   "the administrator gives them up: each sender is told");
	ok(post(r, "deadly", "die@local.test") == ERR_OK, "a deadly message");
	ok(wait_until(is_logged, "queue active", 1000) &&
		   post(r, "after", "ok-after@local.test") == ERR_OK &&
		   wait_until(is_recorded, "ok-after@", 5000),
	   "does not hold up others");
	queue_admin_act(self.public, QUEUE_DELETE, "ALL", &n, &why);
	ok(wait_until(is_empty, NULL, 8000), "and can be deleted");
	buf_free(&why);
}

static bool is_reloaded(const void *arg)
{
	(void)arg;
	return occurs(self.log, "configuration read again") > 0;
}

/* SIGHUP and the death of helpers: the same process goes on. */
static void test_reload(struct queue_receiver *r)
{
	char *cmd = mem_printf("kill -9 $(ps -o pid= --ppid %d)",
			       (int)self.qmgr);

	forget_record();
	ok(kill(self.qmgr, SIGHUP) == 0 && wait_until(is_reloaded, NULL, 3000),
	   "SIGHUP: the configuration is read again");
	sleep(2);
	ok(post(r, "reloaded", "fail@remote.test") == ERR_OK &&
		   wait_until(is_recorded, "to=<sender@remote.test>", 5000),
	   "mail and bounces go on");
	ok(system(cmd) == 0, "both helpers are killed");
	ok(post(r, "helpless", "fail2@remote.test") == ERR_OK &&
		   wait_until(tried_twice, "to=<sender@remote.test>", 9000),
	   "they come back, and bounces with them");
	ok(wait_until(is_empty, NULL, 5000), "nothing stays");
	free(cmd);
}

/* Slots of messages that wait are taken from their receiver, and new ones
 * made for it, faster than they were at start. */
static void test_backlog(struct queue_receiver *r)
{
	int64_t want = 300, n;
	struct buf why;
	int good = 0;

	buf_init(&why, 1000);
	for (int i = 0; i < 300; i++)
		good += post(r, "backlog", "down@backlog.test") == ERR_OK;
	ok(good == 300, "300 messages for a dead destination are taken (%d)",
	   good);
	ok(in_queue() == want, "they wait");
	ok(queue_admin_act(self.public, QUEUE_DELETE, "ALL", &n, &why) ==
			   ERR_OK &&
		   n == 300 && wait_until(is_empty, NULL, 10000),
	   "and are deleted at one word");
	buf_free(&why);
}

struct seen {
	int n;
	char id[64], address[64], reason[64];
	enum queue_state state;
};

static bool see(void *context, const struct queue_item *m)
{
	struct seen *s = context;

	s->n++;
	s->state = m->state;
	str_copy(s->id, sizeof(s->id), m->id);
	if (m->nrecipients) {
		str_copy(s->address, sizeof(s->address),
			 m->recipient[0].address);
		str_copy(s->reason, sizeof(s->reason), m->recipient[0].reason);
	}
	return true;
}

static bool is_held(const void *arg)
{
	struct seen s = { .n = 0 };
	struct buf why;

	(void)arg;
	buf_init(&why, 1000);
	queue_admin_list(self.public, NULL, see, &s, &why);
	buf_free(&why);
	return s.n == 1 && s.state == QUEUE_HELD;
}

static void test_admin(struct queue_receiver *r)
{
	struct seen s = { .n = 0 };
	struct buf why, text;
	off_t offset, length;
	char data[32] = "";
	int64_t n;
	int fd;

	buf_init(&why, 1000);
	buf_init(&text, 1 << 20);
	forget_record();
	post(r, "shown", "defer2@remote.test");
	wait_until(tried_twice, "defer2@", 8000);
	ok(queue_admin_list(self.public, NULL, see, &s, &why) == ERR_OK &&
		   s.n == 1,
	   "list shows a message");
	is(s.address, "defer2@remote.test", "with its recipient");
	is(s.reason, "come again", "and why it waits");
	ok(queue_admin_act(self.public, QUEUE_HOLD, s.id, &n, &why) == ERR_OK &&
		   n == 1 && wait_until(is_held, NULL, 5000),
	   "hold");
	end_qmgr(SIGKILL);
	start_qmgr();
	ok(wait_until(is_held, NULL, 5000), "it is held after a crash, too");
	ok(queue_admin_show(self.public, s.id, &text, &fd, &offset, &length,
			    &why) == ERR_OK &&
		   strstr(text.data, "rcpt defer2@remote.test") != NULL,
	   "show");
	ok(fd >= 0 && file_pread(fd, data, 14, offset) == ERR_OK &&
		   strcmp(data, "Subject: shown") == 0,
	   "with the content");
	forget_record();
	ok(queue_admin_act(self.public, QUEUE_RELEASE, s.id, &n, &why) ==
			   ERR_OK &&
		   wait_until(is_recorded, "defer2@", 5000),
	   "release: it is tried at once");
	ok(queue_admin_act(self.public, QUEUE_DELETE, s.id, &n, &why) ==
			   ERR_OK &&
		   wait_until(is_empty, NULL, 5000),
	   "delete");
	ok(queue_admin_act(self.public, QUEUE_DELETE, s.id, &n, &why) ==
		   ERR_NOT_FOUND,
	   "what is not there is not found: %s", why.data);
	close(fd);
	buf_free(&why);
	buf_free(&text);
}

static bool has_messages(const void *n)
{
	return in_queue() == *(const int64_t *)n;
}

/* kill -9 again and again while mail flows: nothing that was taken is lost. */
static void test_kill(void)
{
	int taken = 0, lost = 0;
	char *all;

	forget_record();
	for (int round = 0; round < 15; round++) {
		struct queue_receiver *r = queue_receiver_new();

		for (int i = 0; i < 20; i++) {
			char to[64];

			snprintf(to, sizeof(to), "ok-%d-%d@%s.test", round, i,
				 i % 2 ? "local" : "remote");
			if (i == 5 + round % 10) {
				end_qmgr(SIGKILL);
				start_qmgr();
			}
			while (post(r, "kill", to) != ERR_OK)
				usleep(1000);
			taken++;
		}
		queue_receiver_free(&r);
	}
	ok(wait_until(is_empty, NULL, 20000), "after 15 kills it empties");
	all = slurp(self.record);
	for (int i = 0; i < 300; i++) {
		char to[64];

		snprintf(to, sizeof(to), "ok-%d-%d@", i / 20, i % 20);
		lost += strstr(all, to) == NULL;
	}
	free(all);
	ok(lost == 0, "of %d messages %d are lost", taken, lost);
}

/* Waiting messages survive, and a damaged one is put aside loudly. */
static void test_damage(struct queue_receiver *r)
{
	char path[QUEUE_PATH_SIZE], *full;
	struct buf why;
	uint32_t slot;
	int64_t want = 2, n;
	char *id;
	int fd;

	buf_init(&why, 1000);
	post(r, "kept", "defer-kept@remote.test");
	id = mem_strdup(queue_id(r));
	post(r, "other", "defer-other@remote.test");
	wait_until(is_recorded, "defer-other@", 5000);
	ok(wait_until(has_messages, &want, 5000), "two messages wait");
	sleep(2);
	end_qmgr(SIGTERM);
	queue_id_slot(id, &slot);
	queue_slot_path(path, slot);
	full = mem_printf("%s/queue/%s", self.dir, path);
	fd = open(full, O_RDWR);
	ok(fd >= 0, "%s is the file of %s", path, id);
	file_pwrite(fd, "X", 1, 32768 + 520);
	file_pwrite(fd, "X", 1, 520);
	close(fd);
	start_qmgr();
	want = 1;
	ok(wait_until(has_messages, &want, 5000),
	   "the good one is still there");
	ok(wait_until(is_logged, "damaged on disk", 1000),
	   "the damaged one is spoken of");
	ok(wait_until(is_logged, "was moved to corrupt/", 1000) &&
		   access(full, F_OK) < 0,
	   "and put aside");
	queue_admin_act(self.public, QUEUE_DELETE, "ALL", &n, &why);
	wait_until(is_empty, NULL, 5000);
	free(full);
	free(id);
	buf_free(&why);
}

int main(void)
{
	struct queue_receiver *r;

	self.program = mem_printf("%s/qmgr", getenv("POSTHORN_BIN")
						     ? getenv("POSTHORN_BIN")
						     : "bin");
	if (access(self.program, X_OK) < 0) {
		printf("1..0 # SKIP %s is not built\n", self.program);
		return 0;
	}
	setup();
	start_qmgr();
	ok(wait_until(is_empty, NULL, 10000), "it starts");
	r = queue_receiver_new();
	test_simple(r);
	test_many(r);
	test_results(r);
	test_retry(r);
	test_backlog(r);
	test_admin(r);
	test_reload(r);
	test_damage(r);
	queue_receiver_free(&r);
	test_kill();
	cleanup();
	return done();
}
