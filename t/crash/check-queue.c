/* The queue after a power cut: recovery, and what it finds. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "ipc/ipc.h"
#include "mailbox/deliver.h"
#include "queue-manager/keeper.h"
#include "queue-manager/message.h"
#include "queue/id.h"
#include "t/crash/check-parts.h"

#define SCAN_MS 300000

/* Are all addresses of this domain mailboxes? Others are remote, or aliases,
 * and count as long as they are in the queue. */
#define LOCAL "@example.test"

static bool is_mailbox(const char *address, char user[WORD])
{
	const char *at = strchr(address, '@');

	if (!at || strcmp(at, LOCAL) != 0 || at - address >= WORD)
		return false;
	snprintf(user, WORD, "%.*s", (int)(at - address), address);
	return strcmp(user, "alice") == 0 || strcmp(user, "bob") == 0;
}

void check_pending(struct check *c, const char *token)
{
	for (size_t i = 0; i < c->f->nmails; i++)
		if (strcmp(c->f->mail[i].token, token) == 0)
			c->f->mail[i].pending = true;
}

static void deliver(struct check *c, const struct message *m, int fd,
		    const struct recipient *r, const char *user)
{
	char *maildir = mem_printf("%s/mail/%s/Maildir", c->top, user);
	struct delivered out;
	struct delivery d = { .maildir = maildir,
			      .folder = "INBOX",
			      .prologue = "",
			      .fd = fd,
			      .offset = m->super.content,
			      .length = m->super.length,
			      .queue_id = m->super.id,
			      .recipient = r->address,
			      .arrival_us = m->envelope.arrival_us };
	int code = deliver_message(&d, &out);

	if (code)
		check_fail(c, "after recovery a delivery to %s fails: %s", user,
			   err_text(code));
	free(maildir);
}

static void note_sent(struct message *m, size_t index)
{
	char number[24];
	const char *word[] = { "sent", number, "2.0.0", "l", "local", "ok" };

	snprintf(number, sizeof(number), "%zu", index);
	err_ignore(message_note(m, word, 6));
}

/* False: something is left to do for it. */
static bool see_recipient(struct check *c, struct message *m, int fd,
			  size_t index, const char *token)
{
	struct recipient *r = &m->rcpt[index];
	char user[WORD];

	if (r->state == RECIPIENT_TODO && is_mailbox(r->address, user)) {
		deliver(c, m, fd, r, user);
		note_sent(m, index);
		return true;
	}
	if (r->state == RECIPIENT_FAILED ? r->told & TOLD_FAILURE
					 : r->state != RECIPIENT_TODO)
		return true;
	check_pending(c, token);
	return false;
}

/* Delivers what can be; what is done is freed, as by qmgr. */
static void work_on(struct check *c, struct message *m, int fd,
		    const char *token)
{
	bool done = true;

	for (size_t i = 0; i < m->nrcpts; i++)
		done = see_recipient(c, m, fd, i, token) && done;
	if (message_write_journal(m, fd) != ERR_OK ||
	    (done && slot_mark_freed(fd, &m->super) != ERR_OK))
		check_fail(c, "%s cannot be marked as done", m->super.id);
}

static void see_message(struct check *c, struct message *m, int fd)
{
	size_t n = (size_t)m->super.length;
	char *text = mem_alloc(n + 1), token[WORD] = "";
	bool whole;

	if (file_pread(fd, text, n, m->super.content) != ERR_OK)
		check_fail(c, "half: %s in the queue cannot be read",
			   m->super.id);
	else if (!fact_token(text, n, token, &whole)) {
		check_bounce(c, text, n);
		if (*m->envelope.sender)
			check_fail(c, "invented: %s in the queue", m->super.id);
	} else if (!whole)
		check_fail(c, "half: %s in the queue (%s)", token, m->super.id);
	else if (!fact_mail(c->f, token, NULL))
		check_fail(c, "invented: %s in the queue (%s)", token,
			   m->super.id);
	work_on(c, m, fd, token);
	free(text);
}

/* "slot generation …" of a packet `found`. */
static void see_found(struct check *c, const char *value)
{
	uint32_t slot, generation;
	char path[QUEUE_PATH_SIZE];
	struct message m = { .arena = NULL };
	int fd, code;

	if (sscanf(value, "%" SCNu32 " %" SCNu32, &slot, &generation) != 2)
		return;
	queue_slot_path(path, slot);
	fd = open(path, O_RDWR);
	code = fd < 0 ? ERR_IO : message_load(&m, fd, generation, false);
	if (code)
		check_fail(c, "%s was found and cannot be loaded: %s", path,
			   err_text(code));
	else
		see_message(c, &m, fd);
	message_free(&m);
	if (fd >= 0)
		close(fd);
}

/* Slots without a promise: qmgr has them removed. */
static void see_junk(struct check *c, int sock, const struct ipc_in *in)
{
	struct ipc_out out = { .ready = false };

	ipc_begin(&out, "remove");
	for (size_t i = 0; i < in->nattrs; i++)
		ipc_put(&out, "slot", in->attr[i].value);
	if (ipc_send(sock, &out, SCAN_MS) != ERR_OK)
		check_fail(c, "the scan of the queue takes no answer");
	ipc_out_free(&out);
}

/* Nothing is left alone: all files are ours. */
static void see_end(struct check *c, const struct ipc_in *in)
{
	int64_t strange = -1;

	ipc_int(in, "strange", 0, INT64_MAX, &strange);
	if (strange != 0)
		check_fail(c, "said wrong: recovery left %" PRId64 " alone",
			   strange);
}

static bool see_packet(struct check *c, int sock, const struct ipc_in *in)
{
	if (ipc_is(in, "junk"))
		see_junk(c, sock, in);
	if (ipc_is(in, "scanned"))
		see_end(c, in);
	if (ipc_is(in, "rot"))
		check_fail(c, "false alarm: %s counts as damaged: %s",
			   ipc_text(in, "id"), ipc_text(in, "why"));
	for (size_t i = 0; ipc_is(in, "found") && i < in->nattrs; i++)
		see_found(c, in->attr[i].value);
	return !ipc_is(in, "scanned");
}

static pid_t start_keeper(int *sock)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		_exit(keeper_run(NULL, pair[1]));
	}
	close(pair[1]);
	*sock = pair[0];
	return pid;
}

void check_queue(struct check *c)
{
	struct ipc_out out = { .ready = false };
	struct ipc_in in = { .data = NULL };
	char *dir = mem_printf("%s/spool", c->top);
	int sock = -1, code = chdir(dir) < 0 ? ERR_IO : ERR_OK;
	pid_t pid = code ? -1 : start_keeper(&sock);

	free(dir);
	if (pid < 0) {
		check_fail(c, "the queue's folder is not there");
		return;
	}
	ipc_begin(&out, "scan");
	code = ipc_send(sock, &out, SCAN_MS);
	while (!code && (code = ipc_recv(sock, &in, SCAN_MS)) == ERR_OK &&
	       see_packet(c, sock, &in))
		;
	if (code)
		check_fail(c, "the scan of the queue ends: %s", err_text(code));
	close(sock);
	waitpid(pid, NULL, 0);
	check_drop(c);
	ipc_out_free(&out);
	ipc_in_free(&in);
}
