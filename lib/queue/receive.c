/*
 * The receiver's side of the queue. A message that fits its half of the slot
 * is kept in memory until commit, and then written with one call; a larger
 * one goes behind both halves, a buffer at a time.
 */
#include "queue/receive.h"

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

#define ANSWER_MS 60000
#define HELD_MAX (SLOT_HALF - SLOT_SUPER - SLOT_JOURNAL_MIN)
#define WRITE_SIZE 65536
#define SLOTS_MAX 16

struct lent {
	uint32_t number;
	int fd; /* -1: the place is free */
	int ro; /* the same file, for those that may only read */
};

struct queue_receiver {
	int sock;		     /* -1 when not connected */
	struct lent lent[SLOTS_MAX]; /* what qmgr lets us keep open */
	int at;			     /* index of the slot to fill, or -1 */
	uint32_t generation;	     /* of the message that goes into it */
	bool begun;
	bool spilled; /* content is behind the halves */
	char id[QUEUE_ID_SIZE];
	struct buf held; /* content not yet written */
	off_t written;	 /* bytes of content in the file */
	off_t length;	 /* bytes of content */
	uint32_t crc;
	struct ipc_out out;
	struct ipc_in in;
};

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

/* qmgr wants slots back whose messages take long. */
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
		return ERR_TEMP;
	ipc_begin(&r->out, "open");
	err = ipc_call(r->sock, &r->out, &r->in, ANSWER_MS);
	if (!err && ipc_is(&r->in, "no-space"))
		return ERR_NO_SPACE;
	if (!err && ipc_is(&r->in, "slot"))
		take_slot(r);
	if (r->at >= 0)
		return ERR_OK;
	disconnect(r);
	return ERR_TEMP;
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

static off_t content_at(const struct queue_receiver *r)
{
	return r->spilled ? SLOT_SIZE : slot_half(r->generation) + SLOT_SUPER;
}

static int slot_fd(const struct queue_receiver *r)
{
	return r->lent[r->at].fd;
}

/* Writes what is held behind the halves. */
static int write_held(struct queue_receiver *r)
{
	int err = file_pwrite(slot_fd(r), r->held.data, r->held.len,
			      content_at(r) + r->written);

	if (err) {
		disconnect(r);
		return err;
	}
	r->written += (off_t)r->held.len;
	buf_reset(&r->held);
	return ERR_OK;
}

/* From now on content goes behind the halves. What was held is all of it. */
static void spill(struct queue_receiver *r)
{
	r->spilled = true;
	r->written = 0;
}

int queue_write(struct queue_receiver *r, const void *data, size_t n)
{
	const char *p = data;

	if (!r->begun)
		return ERR_IO;
	r->crc = crc32c(r->crc, data, n);
	r->length += (off_t)n;
	if (!r->spilled && r->held.len + n > HELD_MAX)
		spill(r);
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

int queue_flush(struct queue_receiver *r)
{
	int err;

	if (!r->begun)
		return ERR_IO;
	if (r->spilled)
		return r->held.len ? write_held(r) : ERR_OK;
	if (r->written == r->length)
		return ERR_OK;
	err = file_pwrite(slot_fd(r), r->held.data + r->written,
			  r->held.len - (size_t)r->written,
			  content_at(r) + r->written);
	if (err)
		disconnect(r);
	else
		r->written = r->length;
	return err;
}

int queue_file(const struct queue_receiver *r, off_t *offset, off_t *length)
{
	if (!r->begun)
		return -1;
	*offset = content_at(r);
	*length = r->length;
	return r->lent[r->at].ro;
}

/* Places and checksum of the message whose envelope has N bytes. */
static void plan(const struct queue_receiver *r, size_t n, struct slot_super *s)
{
	*s = (struct slot_super){ .generation = r->generation };
	memcpy(s->id, r->id, sizeof(s->id));
	s->content = content_at(r);
	s->length = r->length;
	s->envelope = s->content + s->length;
	s->envelope_length = (off_t)n;
	s->journal = slot_journal_after(s->envelope + s->envelope_length);
	/* keyed by this process's secret: nobody outside can know it */
	s->key = map_hash(s->id, strlen(s->id)) ^ s->generation;
}

static bool fits_half(const struct slot_super *s)
{
	return s->journal + SLOT_JOURNAL_MIN <=
	       slot_half(s->generation) + SLOT_HALF;
}

static int pwritev_all(int fd, struct iovec *iov, int n, off_t at)
{
	while (n > 0) {
		ssize_t done = pwritev(fd, iov, n, at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return err_from_errno(errno);
		at += done;
		while (n > 0 && (size_t)done >= iov->iov_len) {
			done -= (ssize_t)iov->iov_len;
			iov++;
			n--;
		}
		if (n > 0) {
			iov->iov_base = (char *)iov->iov_base + done;
			iov->iov_len -= (size_t)done;
		}
	}
	return ERR_OK;
}

/* The envelope's end up to the journal, and the journal's first byte, which
 * ends it. */
static size_t padding(const struct slot_super *s)
{
	return (size_t)(s->journal - s->envelope - s->envelope_length) + 1;
}

static int write_in_half(struct queue_receiver *r, char *super,
			 const struct slot_super *s, struct buf *envelope)
{
	char zeros[SLOT_SUPER + 1] = { 0 };
	struct iovec iov[] = { { super, SLOT_SUPER },
			       { r->held.data, r->held.len },
			       { envelope->data, envelope->len },
			       { zeros, padding(s) } };

	return pwritev_all(slot_fd(r), iov, 4, slot_half(s->generation));
}

static int write_behind(struct queue_receiver *r, char *super,
			const struct slot_super *s, struct buf *envelope)
{
	char zeros[SLOT_SUPER + 1] = { 0 };
	struct iovec iov[] = { { r->held.data, r->held.len },
			       { envelope->data, envelope->len },
			       { zeros, padding(s) } };
	int err = pwritev_all(slot_fd(r), iov, 3, s->content + r->written);

	if (err)
		return err;
	return file_pwrite(slot_fd(r), super, SLOT_SUPER,
			   slot_half(s->generation));
}

static int store(struct queue_receiver *r, struct buf *envelope)
{
	struct slot_super s;
	char super[SLOT_SUPER];
	int err;

	if (envelope->over)
		return ERR_TOO_LONG;
	plan(r, envelope->len, &s);
	if (!r->spilled && !fits_half(&s)) {
		spill(r);
		plan(r, envelope->len, &s);
	}
	s.crc = crc32c(r->crc, envelope->data, envelope->len);
	slot_super_write(super, &s);
	err = r->spilled ? write_behind(r, super, &s, envelope)
			 : write_in_half(r, super, &s, envelope);
	/* one try: after a failed sync nobody knows what is on disk */
	if (!err && fdatasync(slot_fd(r)) < 0)
		err = err_from_errno(errno);
	return err;
}

static int tell_qmgr(struct queue_receiver *r)
{
	int err;

	ipc_begin(&r->out, "commit");
	ipc_put_int(&r->out, "slot", r->lent[r->at].number);
	ipc_put_int(&r->out, "generation", r->generation);
	err = ipc_call(r->sock, &r->out, &r->in, ANSWER_MS);
	if (err)
		return ERR_TEMP;
	if (!ipc_is(&r->in, "queued"))
		return ERR_TEMP;
	r->begun = false;
	take_slot(r);
	return ERR_OK;
}

int queue_commit(struct queue_receiver *r, const struct envelope *e)
{
	struct buf envelope;
	int err;

	if (!r->begun)
		return ERR_IO;
	buf_init(&envelope, SLOT_ENVELOPE_MAX);
	envelope_write(&envelope, e);
	err = store(r, &envelope);
	buf_free(&envelope);
	if (!err)
		err = tell_qmgr(r);
	if (err)
		disconnect(r);
	return err;
}

void queue_abandon(struct queue_receiver *r)
{
	/* disk space that the next message in this slot does not need */
	if (r->begun && r->spilled && ftruncate(slot_fd(r), SLOT_SIZE) < 0)
		disconnect(r);
	r->begun = false;
}
