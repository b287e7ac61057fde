/* A worker's own side, and the packets, of local-deliver/worker.h. */
#include "local-deliver/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "local-deliver/identity.h"
#include "local-deliver/targets.h"
#include "log/log.h"
#include "server/sandbox.h"

#define IDLE_MS 10000

void worker_put_request(struct ipc_out *m, const struct worker_request *q)
{
	const struct delivery *d = &q->delivery;

	ipc_begin(m, "deliver");
	ipc_put(m, "maildir", d->maildir);
	ipc_put(m, "prologue", d->prologue);
	ipc_put_int(m, "offset", d->offset);
	ipc_put_int(m, "length", d->length);
	ipc_put(m, "queue-id", d->queue_id);
	ipc_put(m, "recipient", d->recipient);
	ipc_put_int(m, "arrival", d->arrival_us);
	if (q->forward) {
		ipc_put(m, "forward", q->account->home);
		ipc_put(m, "extension", q->account->extension);
	}
	ipc_put_fd(m, d->fd);
}

static bool get_request(struct ipc_in *m, struct worker_request *q)
{
	struct delivery *d = &q->delivery;
	int64_t offset, length;

	*q = (struct worker_request){ 0 };
	if (!ipc_is(m, "deliver") ||
	    !ipc_int(m, "offset", 0, INT64_MAX, &offset) ||
	    !ipc_int(m, "length", 0, INT64_MAX, &length) ||
	    !ipc_int(m, "arrival", 0, INT64_MAX, &d->arrival_us))
		return false;
	d->maildir = ipc_text(m, "maildir");
	d->folder = "INBOX";
	d->prologue = ipc_text(m, "prologue");
	d->offset = (off_t)offset;
	d->length = (off_t)length;
	d->queue_id = ipc_text(m, "queue-id");
	d->recipient = ipc_text(m, "recipient");
	d->fd = ipc_take_fd(m);
	q->forward = ipc_get(m, "forward") != NULL;
	return d->fd >= 0;
}

/* Who can write the file can have the user's mail, and run commands as him:
 * only he, a group of his own, and root may. */
static bool others_write(const struct stat *st)
{
	return (st->st_mode & S_IWOTH) ||
	       ((st->st_mode & S_IWGRP) && st->st_gid != getegid());
}

/* Who can write the folder can put another file of the user into its place. */
static bool is_safe_folder(const char *home)
{
	struct stat st;

	return stat(home, &st) == 0 &&
	       (!others_write(&st) || (st.st_mode & S_ISVTX));
}

static bool is_safe(int fd, const char *path, const char *home, struct buf *out)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		targets_tell_fault(out, "%s: %s", path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		targets_tell_fault(out, "%s: is no regular file", path);
	else if (st.st_uid != geteuid() && st.st_uid != 0)
		targets_tell_fault(out, "%s: belongs to somebody else", path);
	else if (others_write(&st))
		targets_tell_fault(out, "%s: is writable by others", path);
	else if (!is_safe_folder(home))
		targets_tell_fault(out, "%s: the folder is writable by others",
				   path);
	else
		return true;
	return false;
}

/* Tells what the file PATH in HOME holds. False if it is not there. */
static bool tell_forward(const char *path, const char *home, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return false;
	if (fd < 0)
		targets_tell_fault(out, "%s: %s", path, strerror(errno));
	else if (is_safe(fd, path, home, out))
		targets_tell(fd, path, WORKER_FORWARD_MAX, out);
	if (fd >= 0)
		close(fd);
	return true;
}

/* ~/.forward+extension, then ~/.forward, as in Postfix. */
static bool find_forward(const struct ipc_in *m, struct buf *out)
{
	const char *home = ipc_text(m, "forward");
	const char *extension = ipc_text(m, "extension");
	char *path;
	bool found = false;

	if (*extension && !strchr(extension, '/')) {
		path = mem_printf("%s/.forward+%s", home, extension);
		found = tell_forward(path, home, out);
		free(path);
	}
	if (found)
		return true;
	path = mem_printf("%s/.forward", home);
	found = tell_forward(path, home, out);
	free(path);
	return found;
}

/* An empty .forward is none, and neither is one that cannot be used: his
 * mailbox is where a user will miss nothing. */
static bool has_forward(const struct ipc_in *m, struct buf *out)
{
	if (!find_forward(m, out) || out->len == 0)
		return false;
	if (*out->data != TARGETS_FAULT)
		return true;
	log_warn("%s: %s; delivered to the mailbox instead",
		 ipc_text(m, "queue-id"), out->data + 1);
	return false;
}

static void answer_delivery(struct ipc_out *m, const struct delivery *d)
{
	struct delivered done;
	int err = deliver_message(d, &done);

	if (err) {
		ipc_begin(m, "failed");
		ipc_put_int(m, "code", err);
		if (err == ERR_IO || err == ERR_DENIED)
			ipc_put(m, "why", strerror(errno));
		return;
	}
	ipc_begin(m, "delivered");
	ipc_put_int(m, "dev", (int64_t)done.dev);
	ipc_put_int(m, "ino", (int64_t)done.ino);
	if (done.duplicate)
		ipc_put(m, "duplicate", "yes");
}

static void answer(struct ipc_in *in, struct ipc_out *out)
{
	struct worker_request q;
	struct buf told;

	if (!get_request(in, &q)) {
		ipc_begin(out, "failed");
		ipc_put_int(out, "code", ERR_SYNTAX);
		return;
	}
	buf_init(&told, WORKER_FORWARD_MAX);
	if (q.forward && has_forward(in, &told)) {
		ipc_begin(out, "forward");
		ipc_put_base64(out, "targets", told.data, told.len);
	} else {
		answer_delivery(out, &q.delivery);
	}
	buf_free(&told);
	close(q.delivery.fd);
}

/* From here on only the user's own places can be reached. */
static void confine(const struct account *account)
{
	const char *const dirs[] = { account->home, account->maildir };
	const bool writable[] = { true, true };
	size_t n = strlen(account->home);
	bool inside = str_starts(account->maildir, account->home) &&
		      account->maildir[n] == '/';

	if (account->virtual_user)
		file_make_dirs(account->home, 0700);
	if (!inside)
		file_make_dirs(account->maildir, 0700);
	sandbox_only_dirs(dirs, writable, inside ? 1 : 2);
	sandbox_enter(SANDBOX_OPEN);
}

void worker_main(int sock, const struct account *account)
{
	const struct identity id = { account->uid, account->gid, account->user,
				     account->home };
	struct pollfd wait = { .fd = sock, .events = POLLIN };
	struct ipc_in in = { 0 };
	struct ipc_out out = { 0 };

	identity_become(&id, &sock, 1);
	confine(account);
	/* a request is rarely there already: to wait first is one call less */
	while (poll(&wait, 1, IDLE_MS) > 0 &&
	       ipc_recv(sock, &in, 0) == ERR_OK) {
		answer(&in, &out);
		if (ipc_send(sock, &out, IDLE_MS))
			break;
	}
	_exit(0);
}
