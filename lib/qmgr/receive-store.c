/*
 * The message as a whole: where its parts go, one write for what is held and
 * the superblock, one sync. A message that fits its half is written at once;
 * content behind the halves is written before its superblock.
 */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/file.h"
#include "base/map.h"
#include "qmgr/receive-parts.h"
#include "queue/slot.h"

off_t receive_content_at(const struct queue_receiver *r)
{
	return r->spilled ? r->start : slot_half(r->generation) + SLOT_SUPER;
}

int receive_fd(const struct queue_receiver *r)
{
	return r->lent[r->at].fd;
}

void receive_spill(struct queue_receiver *r)
{
	r->spilled = true;
	r->start = SLOT_SIZE + SLOT_HEAD_ROOM;
	r->written = 0;
}

/* Places and checksum of the message whose envelope has N bytes. */
static void plan(const struct queue_receiver *r, size_t n, struct slot_super *s)
{
	*s = (struct slot_super){ .generation = r->generation };
	memcpy(s->id, r->id, sizeof(s->id));
	s->content = receive_content_at(r);
	s->length = r->length;
	s->envelope = s->content + s->length;
	s->envelope_length = (off_t)n;
	s->journal = slot_journal_after(s->envelope + s->envelope_length);
	/* keyed by this process's secret: nobody outside can guess it */
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
			return err_sys("write", "a slot of the queue");
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

	return pwritev_all(receive_fd(r), iov, 4, slot_half(s->generation));
}

static int write_behind(struct queue_receiver *r, char *super,
			const struct slot_super *s, struct buf *envelope)
{
	char zeros[SLOT_SUPER + 1] = { 0 };
	struct iovec iov[] = { { r->held.data, r->held.len },
			       { envelope->data, envelope->len },
			       { zeros, padding(s) } };
	int err = pwritev_all(receive_fd(r), iov, 3, s->content + r->written);

	if (err)
		return err;
	if (file_pwrite(receive_fd(r), super, SLOT_SUPER,
			slot_half(s->generation)))
		return err_sys("write", "a slot of the queue");
	return ERR_OK;
}

/* Writes and syncs the message that S describes. There is only one try: after
 * a failed sync it is unknown what is on disk. The superblock is then marked as
 * done, so that no message is found there that its client was told was not
 * accepted. */
static int write_and_sync(struct queue_receiver *r, struct slot_super *s,
			  struct buf *envelope)
{
	char super[SLOT_SUPER];
	int err;

	slot_super_write(super, s);
	err = r->spilled ? write_behind(r, super, s, envelope)
			 : write_in_half(r, super, s, envelope);
	if (!err && file_sync_data(receive_fd(r)) < 0)
		err = err_sys("sync", r->id);
	if (err) {
		s->freed = true;
		slot_super_write(super, s);
		/* if this fails too it may arrive twice, which is no loss */
		err_ignore(file_pwrite(receive_fd(r), super, SLOT_SUPER,
				       slot_half(s->generation)));
	}
	return err;
}

int receive_store(struct queue_receiver *r, struct buf *envelope)
{
	struct slot_super s;

	if (envelope->over)
		return err_set(ERR_TOO_LONG, "the envelope is too long");
	plan(r, envelope->len, &s);
	if (!r->spilled && !fits_half(&s)) {
		receive_spill(r);
		plan(r, envelope->len, &s);
	}
	s.crc = crc32c(r->crc, envelope->data, envelope->len);
	return write_and_sync(r, &s, envelope);
}
