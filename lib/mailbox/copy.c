/*
 * COPY and MOVE within a user's folders. A copy is a file of its own, since
 * other programs edit files in place; its content is shared with the first if
 * the file system can do that (incoming_copy). A message that is moved keeps
 * its file, which is linked to its new name before the old one goes, so that a
 * power cut leaves it in both folders, never in none, and an edit is never
 * lost; unless the file has more names, which former versions made copies of,
 * or is another user's, which the kernel lets nobody else link.
 *
 * They come into the destination as any message does (add.h), in portions, so
 * that descriptors are bounded and nobody waits long for the lock. If one
 * fails those before it are taken out again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "index/cache.h"
#include "index/journal.h"
#include "log/log.h"
#include "mailbox/add.h"
#include "mailbox/private.h"
#include "mailbox/opened.h"

#define SYNC_EACH 16 /* files; more are a sync of the file system */
#define OPEN_MAX 500 /* files of a portion */
#define COPY_TRIES 3 /* of a file that is being written to */

struct copying {
	struct mailbox *m;
	const char *to;
	struct folder f; /* TO */
	bool move;
	uint64_t bits[MAILBOX_KEYWORDS_MAX]; /* there, of the keywords here */
	const uint32_t *seq;
	size_t n;
	size_t done; /* those of former portions */
	bool *linked;
	struct addition *a; /* the portion */
	size_t na;
	uint32_t validity; /* of TO, once it is known */
	off_t record;	   /* of the portion before, not synced; 0: none */
};

/* The bits in the destination of the keywords that the messages have. */
static int translate(struct copying *c, uint64_t used)
{
	struct mailbox *m = c->m;
	unsigned i;
	int code = ERR_OK;

	for (i = 0; !code && i < index_keywords(&m->x); i++) {
		const char *name = index_keyword(&m->x, i);

		if (used & UINT64_C(1) << i)
			code = add_prepare(m->store, c->to, &name, 1,
					   &c->bits[i]);
	}
	return code;
}

static uint64_t translated(const struct copying *c, uint64_t keywords)
{
	uint64_t to = 0;
	unsigned i;

	for (i = 0; i < MAILBOX_KEYWORDS_MAX; i++)
		if (keywords & UINT64_C(1) << i)
			to |= c->bits[i];
	return to;
}

/* What is known of the message at SEQ into A, but no content. False: it is gone.
 */
static bool describe(struct copying *c, struct addition *a, uint32_t seq)
{
	const struct entry *e = mailbox_entry(c->m, seq);

	if (!e || e->state & ENTRY_GONE || !mailbox_ref(c->m, e, &a->from))
		return false;
	addition_init(a, e->flags & ~c->m->dropped, translated(c, e->keywords),
		      e->received);
	cached_entry(&c->m->x, e, &a->cached);
	a->e.ncache = (uint32_t)a->cached.len;
	return true;
}

/* The message's own file is to get a further name. */
static int take_file(struct copying *c, struct addition *a, uint32_t seq)
{
	const struct entry *e = mailbox_entry(c->m, seq);

	if (!describe(c, a, seq))
		return ERR_NOT_FOUND;
	a->from_ms = index_messages(&c->m->x);
	a->in.size = e->size;
	a->in.wire = e->wire;
	return ERR_OK;
}

static bool is_as_it_was(int fd, const struct stat *was)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_size == was->st_size &&
	       st.st_mtim.tv_sec == was->st_mtim.tv_sec &&
	       st.st_mtim.tv_nsec == was->st_mtim.tv_nsec;
}

/* A copy of FD, with its time, by which others tell when it came. WHOLE: nobody
 * wrote to it meanwhile. */
static int copy_once(struct copying *c, struct addition *a, uint32_t seq,
		     int fd, bool *whole)
{
	const struct entry *e = mailbox_entry(c->m, seq);
	struct stat st;
	int code;

	if (!describe(c, a, seq))
		return ERR_NOT_FOUND;
	if (fstat(fd, &st) < 0)
		return err_sys("look at", "a message file");
	code = incoming_begin(&a->in, folder_messages(&c->f), a->e.dir);
	if (!code)
		code = incoming_copy(&a->in, fd, e->size);
	a->in.wire = e->wire;
	if (!code) {
		const struct timespec t[2] = { { .tv_nsec = UTIME_OMIT },
					       st.st_mtim };

		/* for other programs: the record has the date, too */
		err_ignore(futimens(a->in.file.fd, t));
	}
	*whole = !code && is_as_it_was(fd, &st);
	return code == ERR_EOF ? ERR_OK : code;
}

static int take_copy(struct copying *c, struct addition *a, uint32_t seq)
{
	int fd, tries, code = ERR_OK;
	bool whole = false;

	for (tries = 0; !code && !whole && tries < COPY_TRIES; tries++) {
		addition_end(a);
		code = mailbox_open_file(c->m, mailbox_uid(c->m, seq), &fd);
		if (code)
			break;
		code = copy_once(c, a, seq, fd, &whole);
		close(fd);
	}
	return code || whole ? code
			     : err_set(ERR_TEMP, "another program writes to "
						 "the message all the time");
}

/* Is its file where it should be, and as recorded? */
static bool look_at(struct mailbox *m, uint32_t seq, struct message_state *st)
{
	const struct entry *e = mailbox_entry(m, seq);
	struct message_ref ref;

	*st = (struct message_state){ 0 };
	return e && !(e->state & ENTRY_GONE) && mailbox_ref(m, e, &ref) &&
	       messages_state(index_messages(&m->x), &ref, st) == ERR_OK &&
	       st->size == e->size;
}

static int take(struct copying *c, size_t i)
{
	struct addition *a = &c->a[c->na++];
	uint32_t seq = c->seq[i];
	struct message_state st;
	int fd, code;

	addition_init(a, 0, 0, 0);
	if (c->move && !look_at(c->m, seq, &st)) {
		/* Others may have renamed it, or written to it. */
		code = mailbox_open_file(c->m, mailbox_uid(c->m, seq), &fd);
		if (code)
			return code;
		close(fd);
		/* what is gone now is seen below */
		err_ignore(look_at(c->m, seq, &st));
	}
	c->linked[i] = c->move && !st.shared && !st.foreign;
	return c->linked[i] ? take_file(c, a, seq) : take_copy(c, a, seq);
}

/* As many messages as may be open together, from the first that is not done. */
static int gather(struct copying *c)
{
	size_t i, open = 0;
	int code = ERR_OK;

	c->na = 0;
	for (i = c->done; !code && i < c->n && open < OPEN_MAX; i++) {
		code = take(c, i);
		open += !c->linked[i];
	}
	return code;
}

static int sync_file(struct mailbox *m, uint32_t uid)
{
	int fd, code = mailbox_open_file(m, uid, &fd);

	if (code)
		return code;
	if (file_sync(fd) < 0)
		code = err_sys("sync", "a message");
	close(fd);
	return code;
}

/* The message here of addition I. */
static const struct entry *entry_of(const struct copying *c, size_t i)
{
	return mailbox_entry(c->m, c->seq[c->done + i]);
}

/* A recent delivery may not be durable yet, but the message must be when it was
 * moved, since the delivery would not be repeated. */
static bool is_fresh(const struct copying *c, size_t i)
{
	const struct entry *e = entry_of(c, i);

	return e && folder_fresh(e->saved * INT64_C(1000000));
}

/* What must be durable before it gets a name: whatever has no checksum. The rest
 * is synced with its record. */
static int sync_one(struct copying *c, size_t i)
{
	struct incoming *in = &c->a[i].in;
	int code = ERR_OK;

	if (c->a[i].from_ms)
		return is_fresh(c, i) ? sync_file(c->m, entry_of(c, i)->uid)
				      : ERR_OK;
	if (in->unread)
		code = incoming_sync(in);
	in->durable = in->unread && !code;
	return code;
}

static int sync_each(struct copying *c)
{
	size_t i;
	int code = ERR_OK;

	for (i = 0; !code && i < c->na; i++)
		code = sync_one(c, i);
	return code;
}

/* Each sync may flush the disk, so for many files the whole file system is
 * synced once, and with it what the portion before did. */
static int sync_contents(struct copying *c)
{
	size_t i, files = 0;
	int code;

	for (i = 0; i < c->na; i++)
		files += !c->a[i].from_ms || is_fresh(c, i);
	if (files <= SYNC_EACH && c->record == 0)
		return sync_each(c);
	code = folder_sync_all(&c->f);
	if (code)
		return code;
	/* If this mark fails, the files are examined again. */
	if (c->record > 0)
		folder_make_sure(&c->f, c->record);
	c->record = 0;
	for (i = 0; i < c->na; i++)
		c->a[i].in.durable = true;
	return ERR_OK;
}

/* Where the files are according to what is known now: a scan may have moved
 * names in memory. */
static int refer(struct copying *c)
{
	size_t i;

	for (i = 0; i < c->na; i++) {
		const struct entry *e = entry_of(c, i);

		if (!e || e->state & ENTRY_GONE ||
		    !mailbox_ref(c->m, e, &c->a[i].from))
			return ERR_NOT_FOUND;
	}
	return ERR_OK;
}

static int lock_destination(struct copying *c)
{
	uint64_t none;
	int code = folder_lock(&c->f);

	if ((code == ERR_NOT_FOUND || code == ERR_CORRUPT) &&
	    folder_is_locked(&c->f)) {
		folder_unlock(&c->f);
		code = add_prepare(c->m->store, c->to, NULL, 0, &none);
		if (!code)
			code = folder_lock(&c->f);
	}
	if (!code && c->validity && c->validity != folder_uidvalidity(&c->f))
		code = err_set(ERR_TEMP, "%s was renumbered", c->to);
	if (!code)
		c->validity = folder_uidvalidity(&c->f);
	return code;
}

/* The last portion is synced, the others with the next one. */
static int commit(struct copying *c, uint32_t *first)
{
	if (c->na == 0)
		return ERR_OK;
	return c->done + c->na < c->n
		       ? add_unsynced(&c->f, c->a, c->na, first, &c->record)
		       : add_commit(&c->f, c->a, c->na, first);
}

/* The portion that was gathered. UID[] gets its numbers. */
static int add_portion(struct copying *c, uint32_t *uid)
{
	uint32_t first = 0;
	size_t i;
	int code = sync_contents(c);

	if (!code)
		code = additions_wait(c->a, c->na);
	if (!code)
		code = refer(c);
	if (code)
		return code;
	code = lock_destination(c);
	if (!code)
		code = commit(c, &first);
	folder_unlock(&c->f);
	for (i = 0; i < c->na; i++)
		uid[i] = first + (uint32_t)i;
	return code;
}

static uint64_t keywords_of(const struct copying *c)
{
	uint64_t used = 0;
	size_t i;

	for (i = 0; i < c->n && !c->m->drop_keywords; i++) {
		const struct entry *e = mailbox_entry(c->m, c->seq[i]);

		used |= e ? e->keywords : 0;
	}
	return used;
}

static int open_destination(struct copying *c)
{
	struct store *s = c->m->store;
	char disk[DISK_NAME_SIZE];
	int code = store_exists(s, c->to);

	if (!code)
		code = translate(c, keywords_of(c));
	if (!code)
		code = disk_name_in(s->dir, c->to, disk);
	if (code)
		return code == ERR_SYNTAX ? ERR_NOT_FOUND : code;
	return folder_open(s->dir, disk, s->opener, true, &c->f);
}

/* Removes the messages UID[N] from the folder TO, where we put them. */
static int take_back(struct store *s, const char *to, const uint32_t *uid,
		     size_t n)
{
	uint32_t *seq = mem_array(n + 1, sizeof(*seq));
	struct mailbox *m = NULL;
	size_t i, there = 0;
	int code = mailbox_open(s, to, false, &m);

	for (i = 0; !code && i < n; i++) {
		seq[there] = mailbox_find(m, uid[i]);
		there += seq[there] > 0;
	}
	if (!code)
		code = mailbox_expunge(m, seq, there, false);
	mailbox_close(&m);
	free(seq);
	return code;
}

/* All, or on an error none. */
static int copy_all(struct copying *c, uint32_t *uid)
{
	size_t i;
	int code;

	do {
		code = gather(c);
		if (!code)
			code = add_portion(c, uid + c->done);
		for (i = 0; i < c->na; i++)
			addition_end(&c->a[i]);
		if (!code)
			c->done += c->na;
	} while (!code && c->done < c->n);
	if (code && c->done > 0) {
		int kept = errno;

		if (take_back(c->m->store, c->to, uid, c->done) != ERR_OK)
			log_warn("mailbox: %zu messages of a COPY that failed "
				 "stay in %s: %m",
				 c->done, c->to);
		errno = kept;
	}
	return code;
}

/* The second half of a MOVE. Another session may have moved or expunged some
 * meanwhile: who removes a message from its folder first has it, and the
 * copies of the others go again; their UID becomes 0. */
static int finish_move(struct copying *c, uint32_t *uid)
{
	uint32_t *lost = mem_array(c->n + 1, sizeof(*lost));
	bool *done = mem_array(c->n + 1, sizeof(*done));
	size_t i, nlost = 0;
	int code = mailbox_expunge_moved(c->m, c->seq, c->n, c->linked, done);

	for (i = 0; !code && i < c->n; i++)
		if (!done[i]) {
			lost[nlost++] = uid[i];
			uid[i] = 0;
		}
	if (nlost > 0 && take_back(c->m->store, c->to, lost, nlost) != ERR_OK)
		log_warn("mailbox: %zu messages that another session moved are "
			 "in %s, too: %m",
			 nlost, c->to);
	free(lost);
	free(done);
	return !code && c->n > 0 && nlost == c->n ? ERR_NOT_FOUND : code;
}

/* The destination is open. */
static int copy_or_move(struct copying *c, uint32_t *uid)
{
	size_t most = c->move || c->n < OPEN_MAX ? c->n : OPEN_MAX;
	int code;

	c->a = mem_array(most + 1, sizeof(*c->a));
	c->linked = mem_array(c->n + 1, sizeof(*c->linked));
	code = copy_all(c, uid);
	if (!code && c->move)
		code = finish_move(c, uid);
	free(c->a);
	free(c->linked);
	return code;
}

void mailbox_keep_flags(struct mailbox *m, unsigned flags, bool keywords)
{
	m->dropped = ~flags;
	m->drop_keywords = !keywords;
}

int mailbox_copy(struct mailbox *m, const uint32_t *seq, size_t n,
		 const char *to, bool move, uint32_t *uid,
		 uint32_t *uidvalidity, struct folder_id *id)
{
	struct copying c = {
		.m = m, .to = to, .move = move, .seq = seq, .n = n
	};
	int code;

	*uidvalidity = 0;
	if (index_is_renumbered(&m->x))
		return ERR_CORRUPT;
	if (move && m->read_only)
		return ERR_DENIED;
	/* flags that others have set go with the messages */
	code = index_look(&m->x);
	if (!code)
		code = open_destination(&c);
	if (code)
		return code;
	code = copy_or_move(&c, uid);
	*uidvalidity = c.validity ? c.validity : index_uidvalidity(&m->x);
	*id = folder_id(&c.f);
	folder_close(&c.f);
	return code;
}
