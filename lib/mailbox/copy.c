/*
 * COPY and MOVE within a user's folders: files are linked, not copied, since
 * a message never changes. A record in the destination's journal, then the
 * links, then both synced; a MOVE takes the messages out of the source only
 * after that, so a power cut leaves them in both, never in none.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "index/cache.h"
#include "log/log.h"
#include "mailbox/add.h"
#include "mailbox/private.h"
#include "mailbox/opened.h"

#define SYNC_EACH 16 /* files; more are a sync of the file system */

/* The bits in the destination of the keywords that the messages have. */
static int translate(struct mailbox *m, const char *to, uint64_t used,
		     uint64_t bits[MAILBOX_KEYWORDS_MAX])
{
	unsigned i;
	int code = ERR_OK;

	for (i = 0; !code && i < m->x.t.nkeywords; i++) {
		const char *name = m->x.t.keyword[i];

		if (used & UINT64_C(1) << i)
			code = add_prepare(m->store, to, &name, 1, &bits[i]);
	}
	return code;
}

static uint64_t translated(uint64_t keywords, const uint64_t *bits)
{
	uint64_t to = 0;
	unsigned i;

	for (i = 0; i < MAILBOX_KEYWORDS_MAX; i++)
		if (keywords & UINT64_C(1) << i)
			to |= bits[i];
	return to;
}

/* What is known of E into A. False: it is gone. */
static bool fill(struct mailbox *m, struct addition *a, const struct entry *e,
		 const uint64_t *bits)
{
	memset(a, 0, sizeof(*a));
	buf_init(&a->in.text, 0);
	buf_init(&a->cached, CACHE_ENTRY_MAX);
	if (!e || e->state & ENTRY_GONE || !mailbox_ref(m, e, &a->from))
		return false;
	a->from_ms = m->x.f.files;
	a->in.size = e->size;
	a->in.wire = e->wire;
	a->e.flags = e->flags;
	a->e.keywords = translated(e->keywords, bits);
	a->e.letters = letters_with(0, e->flags);
	a->e.dir = a->e.letters ? DIR_CUR : DIR_NEW;
	a->e.received = e->received;
	mailbox_cached(m, e, &a->cached);
	a->e.ncache = (uint32_t)a->cached.len;
	return true;
}

/* Is A's file where it should be, and as recorded? */
static bool is_in_place(const struct addition *a)
{
	struct message_state st;

	return messages_state(a->from_ms, &a->from, &st) == ERR_OK &&
	       st.size == a->in.size;
}

static int sync_content(struct mailbox *m, uint32_t uid)
{
	int fd, code = mailbox_open_file(m, uid, &fd);

	if (code)
		return code;
	if (fsync(fd) < 0)
		code = err_sys("sync", "a message");
	close(fd);
	return code;
}

/* A recent delivery may not be durable yet, but the copy must be, and after a
 * MOVE the delivery would not be repeated. Each sync may flush the disk, so
 * for many files the whole file system is synced once. */
static int sync_contents(struct mailbox *m, const uint32_t *seq, size_t n)
{
	size_t i, fresh = 0;
	int code = ERR_OK;

	for (i = 0; !code && i < n; i++)
		if (folder_fresh(mailbox_entry(m, seq[i])->saved *
				 INT64_C(1000000)) &&
		    ++fresh <= SYNC_EACH)
			code = sync_content(m, mailbox_uid(m, seq[i]));
	if (!code && fresh > SYNC_EACH && syncfs(m->store->dir) < 0)
		code = err_sys("sync", "the file system");
	return code;
}

/* Where the files are according to what is known now: a scan may have moved
 * names in memory. */
static int refer(struct mailbox *m, const uint32_t *seq, size_t n,
		 struct addition *a)
{
	size_t i;

	for (i = 0; i < n; i++) {
		const struct entry *e = mailbox_entry(m, seq[i]);

		if (!e || e->state & ENTRY_GONE ||
		    !mailbox_ref(m, e, &a[i].from))
			return ERR_NOT_FOUND;
	}
	return ERR_OK;
}

static int gather(struct mailbox *m, const uint32_t *seq, size_t n,
		  struct addition *a, const uint64_t *bits)
{
	size_t i;
	int code;

	for (i = 0; i < n; i++) {
		int fd;

		if (fill(m, &a[i], mailbox_entry(m, seq[i]), bits) &&
		    is_in_place(&a[i]))
			continue;
		/* Others may have renamed it, or written to it. */
		code = mailbox_open_file(m, mailbox_uid(m, seq[i]), &fd);
		if (code)
			return code;
		close(fd);
		buf_free(&a[i].cached);
		if (!fill(m, &a[i], mailbox_entry(m, seq[i]), bits))
			return ERR_NOT_FOUND;
	}
	code = sync_contents(m, seq, n);
	return code ? code : refer(m, seq, n, a);
}

static int lock_destination(struct mailbox *m, const char *to, struct folder *f)
{
	char disk[DISK_NAME_SIZE];
	uint64_t none;
	int code = disk_name_in(m->store->dir, to, disk);

	if (code)
		return ERR_NOT_FOUND;
	code = folder_open(m->store->dir, disk, m->store->opener, true, f);
	if (!code)
		code = folder_lock(f);
	if ((code == ERR_NOT_FOUND || code == ERR_CORRUPT) && f->locked) {
		folder_unlock(f);
		code = add_prepare(m->store, to, NULL, 0, &none);
		if (!code)
			code = folder_lock(f);
	}
	return code;
}

static uint64_t keywords_of(struct mailbox *m, const uint32_t *seq, size_t n)
{
	uint64_t used = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		const struct entry *e = mailbox_entry(m, seq[i]);

		used |= e ? e->keywords : 0;
	}
	return used;
}

/* Removes the messages UID[N] from the folder TO, where we put them. */
static int take_back(struct store *s, const char *to, const uint32_t *uid,
		     size_t n)
{
	uint32_t *seq = mem_array(n + 1, sizeof(*seq));
	bool *done = mem_array(n + 1, sizeof(*done));
	struct mailbox *m = NULL;
	size_t i, there = 0;
	int code = mailbox_open(s, to, false, &m);

	for (i = 0; !code && i < n; i++) {
		seq[there] = mailbox_find(m, uid[i]);
		there += seq[there] > 0;
	}
	if (!code)
		code = mailbox_expunge_moved(m, seq, there, done);
	mailbox_close(&m);
	free(seq);
	free(done);
	return code;
}

/* The second half of a MOVE. Another session may have moved or expunged some
 * meanwhile: who removes a message from its folder first has it, and the
 * copies of the others go again; their UID becomes 0. */
static int finish_move(struct mailbox *m, const uint32_t *seq, size_t n,
		       const char *to, uint32_t *uid)
{
	uint32_t *lost = mem_array(n + 1, sizeof(*lost));
	bool *done = mem_array(n + 1, sizeof(*done));
	size_t i, nlost = 0;
	int code = mailbox_expunge_moved(m, seq, n, done);

	for (i = 0; !code && i < n; i++)
		if (!done[i]) {
			lost[nlost++] = uid[i];
			uid[i] = 0;
		}
	if (nlost > 0 && take_back(m->store, to, lost, nlost) != ERR_OK)
		log_warn("mailbox: %zu messages that another session moved are "
			 "in %s, too: %m",
			 nlost, to);
	free(lost);
	free(done);
	return !code && n > 0 && nlost == n ? ERR_NOT_FOUND : code;
}

int mailbox_copy(struct mailbox *m, const uint32_t *seq, size_t n,
		 const char *to, bool move, uint32_t *uid,
		 uint32_t *uidvalidity, struct folder_id *id)
{
	uint64_t bits[MAILBOX_KEYWORDS_MAX] = { 0 };
	struct addition *a;
	struct folder f;
	uint32_t first = 0;
	size_t i;
	int code;

	*uidvalidity = 0;
	if (m->x.renumbered)
		return ERR_CORRUPT;
	if (move && m->read_only)
		return ERR_DENIED;
	code = store_exists(m->store, to);
	if (!code)
		code = translate(m, to, keywords_of(m, seq, n), bits);
	if (code)
		return code == ERR_SYNTAX ? ERR_NOT_FOUND : code;
	a = mem_array(n + 1, sizeof(*a));
	code = gather(m, seq, n, a, bits);
	if (code) {
		*uidvalidity = m->x.f.head.uidvalidity;
	} else {
		code = lock_destination(m, to, &f);
		*uidvalidity = f.head.uidvalidity;
		*id = f.id;
		if (!code && n > 0)
			code = add_commit(&f, a, n, &first);
		folder_unlock(&f);
		folder_close(&f);
	}
	for (i = 0; i < n; i++) {
		uid[i] = first + (uint32_t)i;
		buf_free(&a[i].cached);
	}
	free(a);
	if (!code && move)
		code = finish_move(m, seq, n, to, uid);
	return code;
}
