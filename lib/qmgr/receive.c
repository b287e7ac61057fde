/*
 * The receiver's side of the queue. A message that fits its half of the slot
 * is kept in memory until commit, and then written with one call; a larger
 * one goes behind both halves, a buffer at a time.
 */
#include "qmgr/receive-parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"
#include "ipc/ipc.h"
#include "queue/id.h"
#include "queue/slot.h"

#define SLOT_MS 20000 /* a place is made ahead: qmgr is busy, or hangs */
#define ANSWER_MS 60000
#define HELD_MAX (SLOT_HALF - SLOT_SUPER - SLOT_JOURNAL_MIN)
#define WRITE_SIZE 65536

struct queue_receiver *queue_receiver_new(void)
{
	struct queue_receiver *r = mem_alloc(sizeof(*r));

	r->sock = -1;
	r->at = -1;
	for (int i = 0; i < SLOTS_MAX; i++)
		r->lent[i].fd = -1;
	buf_init(&r->held, 2 * WRITE_SIZE + SLOT_ENVELOPE_MAX);
	return r;
}

static void close_lent(struct lent *l)
{
	if (l->fd < 0)
		return;
	close(l->fd);
	close(l->ro);
	l->fd = -1;
}

/* Ends the connection: qmgr then takes back what it lent. */
static void disconnect(struct queue_receiver *r)
{
	for (int i = 0; i < SLOTS_MAX; i++)
		close_lent(&r->lent[i]);
	if (r->sock >= 0)
		close(r->sock);
	r->sock = -1;
	r->at = -1;
	r->begun = false;
}

void queue_receiver_free(struct queue_receiver **r)
{
	if (!*r)
		return;
	disconnect(*r);
	buf_free(&(*r)->held);
	ipc_out_free(&(*r)->out);
	ipc_in_free(&(*r)->in);
	free(*r);
	*r = NULL;
}

static int find_lent(const struct queue_receiver *r, uint32_t number)
{
	for (int i = 0; i < SLOTS_MAX; i++)
		if (r->lent[i].fd >= 0 && r->lent[i].number == number)
			return i;
	return -1;
}

/* qmgr wants back slots whose messages have to wait. */
static void close_returned(struct queue_receiver *r)
{
	for (size_t i = 0; i < r->in.nattrs; i++) {
		int k;

		if (strcmp(r->in.attr[i].name, "close") != 0)
			continue;
		k = find_lent(r,
			      (uint32_t)strtoul(r->in.attr[i].value, NULL, 10));
		if (k >= 0)
			close_lent(&r->lent[k]);
	}
}

static int keep_new(struct queue_receiver *r, struct lent new)
{
	for (int i = 0; i < SLOTS_MAX; i++)
		if (r->lent[i].fd < 0) {
			r->lent[i] = new;
			return i;
		}
	close_lent(&new);
	return -1;
}

/* Takes the slot out of qmgr's answer, if there is one in it. */
static void take_slot(struct queue_receiver *r)
{
	int64_t number, generation;
	struct lent new = { .fd = ipc_take_fd(&r->in) };

	new.ro = ipc_take_fd(&r->in);
	r->at = -1;
	close_returned(r);
	if (!ipc_int(&r->in, "slot", 0, QUEUE_SLOT_MAX, &number) ||
	    !ipc_int(&r->in, "generation", 1, UINT32_MAX, &generation)) {
		close_lent(&new);
		return;
	}
	new.number = (uint32_t)number;
	r->at = new.fd >= 0 ? keep_new(r, new) : find_lent(r, new.number);
	r->generation = (uint32_t)generation;
}

/* Is the connection still there? qmgr says nothing unasked, so anything to
 * read means its end. */
static bool is_alive(const struct queue_receiver *r)
{
	char c;

	return r->sock >= 0 &&
	       recv(r->sock, &c, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
	       (errno == EAGAIN || errno == EWOULDBLOCK);
}

static int ask_for_slot(struct queue_receiver *r)
{
	int err;

	if (r->sock < 0)
		r->sock = ipc_connect("qmgr");
	if (r->sock < 0)
		return err_set(ERR_TEMP,
			       "the queue manager is not available: %m");
	ipc_begin(&r->out, "open");
	err = ipc_call(r->sock, &r->out, &r->in, SLOT_MS);
	if (!err && ipc_is(&r->in, "no-space"))
		return err_set(ERR_NO_SPACE, "the queue's disk is full");
	if (!err && ipc_is(&r->in, "slot"))
		take_slot(r);
	if (r->at >= 0)
		return ERR_OK;
	disconnect(r);
	return err_set(ERR_TEMP, "the queue manager gives no slot: %s",
		       err ? err_why(err) : "not understood");
}

int queue_begin(struct queue_receiver *r)
{
	int err;

	queue_abandon(r);
	if (r->sock >= 0 && !is_alive(r))
		disconnect(r);
	if (r->at < 0) {
		err = ask_for_slot(r);
		if (err)
			return err;
	}
	queue_id_make(r->id, clock_wall_us(), r->lent[r->at].number);
	buf_reset(&r->held);
	r->begun = true;
	r->spilled = false;
	r->written = r->length = 0;
	r->crc = 0;
	return ERR_OK;
}

const char *queue_id(const struct queue_receiver *r)
{
	return r->id;
}

/* Writes what is held behind the halves. */
static int write_held(struct queue_receiver *r)
{
	int err = file_pwrite(receive_fd(r), r->held.data, r->held.len,
			      receive_content_at(r) + r->written);

	if (err) {
		err = err_sys("write", "a slot of the queue");
		disconnect(r);
		return err;
	}
	r->written += (off_t)r->held.len;
	buf_reset(&r->held);
	return ERR_OK;
}

int queue_write(struct queue_receiver *r, const void *data, size_t n)
{
	const char *p = data;

	if (!r->begun)
		return err_set(ERR_IO, "no message was begun");
	r->crc = crc32c(r->crc, data, n);
	r->length += (off_t)n;
	if (!r->spilled && r->held.len + n > HELD_MAX)
		receive_spill(r);
	while (n > 0) {
		size_t part = r->spilled && n > WRITE_SIZE ? WRITE_SIZE : n;
		int err = ERR_OK;

		buf_put(&r->held, p, part);
		if (r->spilled && r->held.len >= WRITE_SIZE)
			err = write_held(r);
		if (err)
			return err;
		p += part;
		n -= part;
	}
	return ERR_OK;
}

/* All content is held, and nothing of it is lost if it is written again. */
static int replace_held(struct queue_receiver *r, size_t n, const void *data,
			size_t m)
{
	struct buf b;

	buf_init(&b, r->held.max);
	buf_put(&b, data, m);
	buf_put(&b, r->held.data + n, r->held.len - n);
	if (b.over) {
		buf_free(&b);
		return ERR_TOO_LONG;
	}
	buf_free(&r->held);
	r->held = b;
	r->written = 0;
	r->length = (off_t)b.len;
	r->crc = crc32c(0, b.data, b.len);
	if (b.len > HELD_MAX)
		receive_spill(r);
	return ERR_OK;
}

/* The checksum of the first N bytes in the file. */
static int sum_head(const struct queue_receiver *r, size_t n, uint32_t *crc)
{
	char *head = mem_alloc(n + 1);
	int err = file_pread(receive_fd(r), head, n, receive_content_at(r));

	*crc = crc32c(0, head, n);
	free(head);
	return err;
}

/* The content is in the file: the new head ends where the former one did. */
static int replace_written(struct queue_receiver *r, size_t n, const void *data,
			   size_t m)
{
	off_t more = (off_t)m - (off_t)n, start = r->start - more;
	uint32_t former;
	int err;

	if (start < SLOT_SIZE)
		return ERR_TOO_LONG;
	err = sum_head(r, n, &former);
	if (!err)
		err = file_pwrite(receive_fd(r), data, m, start);
	if (err)
		return err;
	r->crc ^= crc32c_shift(former ^ crc32c(0, data, m),
			       (uint64_t)r->length - n);
	r->start = start;
	r->written += more;
	r->length += more;
	return ERR_OK;
}

int queue_replace_head(struct queue_receiver *r, size_t n, const void *data,
		       size_t m)
{
	int err = ERR_OK;

	if (!r->begun || (off_t)n > r->length)
		return ERR_IO;
	if (!r->spilled)
		return replace_held(r, n, data, m);
	if (r->held.len)
		err = write_held(r);
	return err ? err : replace_written(r, n, data, m);
}

int queue_restart(struct queue_receiver *r)
{
	if (!r->begun)
		return ERR_IO;
	if (r->spilled && ftruncate(receive_fd(r), SLOT_SIZE) < 0) {
		int err = err_sys("truncate", "a slot");

		disconnect(r);
		return err;
	}
	buf_reset(&r->held);
	r->spilled = false;
	r->written = r->length = 0;
	r->crc = 0;
	return ERR_OK;
}

int queue_flush(struct queue_receiver *r)
{
	int err;

	if (!r->begun)
		return err_set(ERR_IO, "no message was begun");
	if (r->spilled)
		return r->held.len ? write_held(r) : ERR_OK;
	if (r->written == r->length)
		return ERR_OK;
	err = file_pwrite(receive_fd(r), r->held.data + r->written,
			  r->held.len - (size_t)r->written,
			  receive_content_at(r) + r->written);
	if (err) {
		err = err_sys("write", "a slot of the queue");
		disconnect(r);
		return err;
	}
	r->written = r->length;
	return ERR_OK;
}

int queue_file(const struct queue_receiver *r, off_t *offset, off_t *length)
{
	if (!r->begun)
		return -1;
	*offset = receive_content_at(r);
	*length = r->length;
	return r->lent[r->at].ro;
}

/* The message is promised by its sync, not by qmgr's answer. Without an answer
 * qmgr is gone or busy; it will find the message in the slot, which is left
 * alone as long as we have it open. Only a refusal counts. */
static int tell_qmgr(struct queue_receiver *r)
{
	int err;

	ipc_begin(&r->out, "commit");
	ipc_put_int(&r->out, "slot", r->lent[r->at].number);
	ipc_put_int(&r->out, "generation", r->generation);
	err = ipc_call(r->sock, &r->out, &r->in, ANSWER_MS);
	if (err || !(ipc_is(&r->in, "queued") || ipc_is(&r->in, "refused"))) {
		disconnect(r);
		return ERR_OK;
	}
	if (ipc_is(&r->in, "refused"))
		return err_set(ERR_TEMP, "the queue manager refuses it: %s",
			       ipc_text(&r->in, "why"));
	r->begun = false;
	take_slot(r);
	return ERR_OK;
}

int queue_commit(struct queue_receiver *r, const struct envelope *e)
{
	struct buf envelope;
	int err;

	if (!r->begun)
		return err_set(ERR_IO, "no message was begun");
	buf_init(&envelope, SLOT_ENVELOPE_MAX);
	envelope_write(&envelope, e);
	err = receive_store(r, &envelope);
	buf_free(&envelope);
	if (!err)
		err = tell_qmgr(r);
	if (err)
		disconnect(r);
	return err;
}

void queue_abandon(struct queue_receiver *r)
{
	/* give back disk space that the next message does not need */
	if (r->begun && r->spilled && ftruncate(receive_fd(r), SLOT_SIZE) < 0)
		disconnect(r);
	r->begun = false;
}
