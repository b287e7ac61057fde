/*
 * How messages come into a folder. First their bytes are written out, so that
 * on most file systems no name can be durable before them. Under the lock:
 * their records in the journal, then the files' names, then a note of the
 * directories' times. Without it: the sync of journal, files and directories,
 * begun together. Only then is anything promised, or a UID told. So a power
 * cut in between leaves a record without a file, which the next scan takes
 * out, or a file without a record, which the next scan takes for a new message;
 * a file whose size differs from that in its name is torn, and does not count.
 */
#include "mailbox/add.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "log/log.h"
#include "index/cache.h"
#include "index/journal.h"
#include "index/mark.h"
#include "mailbox/finder.h"
#include "mailbox/mailbox.h"
#include "mailbox/marks.h"

void addition_init(struct addition *a, unsigned flags, uint64_t keywords,
		   int64_t received)
{
	memset(a, 0, sizeof(*a));
	buf_init(&a->in.text, 0);
	buf_init(&a->cached, CACHE_ENTRY_MAX);
	a->e.flags = flags & MAILBOX_FLAGS_ALL;
	a->e.keywords = keywords;
	a->e.letters = letters_with(0, flags);
	a->e.dir = a->e.letters ? DIR_CUR : DIR_NEW;
	a->e.received = received;
}

int addition_begin(struct addition *a, struct folder *f, unsigned flags,
		   uint64_t keywords, int64_t received)
{
	addition_init(a, flags, keywords, received);
	return incoming_begin(&a->in, folder_messages(f), a->e.dir);
}

int addition_finish(struct addition *a)
{
	/* Before the text is written out: only now all of it is in memory. */
	if (a->in.whole)
		cache_make(&a->cached, 0, 0, a->in.text.data, a->in.text.len,
			   true);
	a->e.ncache = (uint32_t)a->cached.len;
	return incoming_finish(&a->in);
}

int additions_wait(const struct addition *a, size_t n)
{
	size_t i;
	int code = ERR_OK;

	for (i = 0; !code && i < n; i++)
		if (!a[i].from_ms)
			code = incoming_wait(&a[i].in);
	return code;
}

void addition_end(struct addition *a)
{
	incoming_end(&a->in);
	buf_free(&a->cached);
}

int add_prepare(struct store *s, const char *name, const char *const *keyword,
		size_t n, uint64_t *bits)
{
	struct mailbox *m;
	size_t i;
	int code = mailbox_open(s, name, true, &m);

	*bits = 0;
	if (code)
		return code;
	for (i = 0; !code && i < n; i++) {
		uint64_t bit = 0;

		code = mailbox_keyword_bit(m, keyword[i], true, &bit);
		*bits |= bit;
	}
	mailbox_close(&m);
	return code;
}

/* Gives A its UID and name. */
static void number(struct addition *a, const struct folder *f, uint32_t uid,
		   const struct totals *t)
{
	a->e.uid = uid;
	a->e.modseq = t->modseq;
	a->e.size = (uint32_t)a->in.size;
	a->e.wire = (uint32_t)a->in.wire;
	a->e.saved = (uint32_t)clock_wall();
	message_base(a->base, folder_uidvalidity(f), uid, a->e.size, a->e.wire);
	a->e.nname = (uint8_t)strlen(a->base);
	if (a->e.ncache == 0)
		return;
	cache_rename(&a->cached, folder_uidvalidity(f), uid);
	if (!cache_append(f, &a->cached, &a->e.cache))
		a->e.ncache = 0;
}

/* Have all its bytes gone through our hands? Otherwise it was made durable
 * before. */
static bool is_read(const struct addition *a)
{
	return !a->from_ms && !a->in.unread;
}

/* *DONE is how many were recorded, even after a failure. */
static int record_all(struct folder *f, struct addition *a, size_t n,
		      size_t *done)
{
	struct totals t = folder_next(f);
	struct buf b;
	size_t i, at;
	int code = ERR_OK;

	buf_init(&b, 2 * (size_t)RECORD_MAX);
	/* Many messages are several records, each within its limit. */
	for (*done = 0; !code && *done < n;) {
		size_t now = n - *done > 4096 ? 4096 : n - *done;

		at = b.len;
		t.modseq++; /* of each record: see batch.c */
		record_begin(&b, RECORD_ADD, (uint32_t)now);
		for (i = *done; i < *done + now; i++) {
			number(&a[i], f, t.uidnext++, &t);
			totals_add(&t, &a[i].e, 1);
			entries_put(&b, &a[i].e, a[i].base, a[i].key,
				    is_read(&a[i]) ? &a[i].in.crc : NULL);
		}
		record_end(&b, at, &t);
		code = folder_write(f, &b, &t, false);
		buf_reset(&b);
		if (!code)
			*done += now;
	}
	buf_free(&b);
	return code;
}

static struct message_ref ref_of(const struct addition *a)
{
	return (struct message_ref){ a->base, a->e.nname, a->e.dir,
				     a->e.letters, NULL };
}

/* Links a message of another folder, whose file may be renamed at this moment:
 * we do not hold that folder's lock. */
static int link_one(struct folder *f, const struct addition *a,
		    const struct message_ref *to, struct finder *w)
{
	struct message_ref from = a->from;
	struct messages *ms = folder_messages(f);
	int tries, code = messages_link(ms, to, a->from_ms, &from);

	for (tries = 0; code == ERR_NOT_FOUND && tries < FINDER_TRIES; tries++)
		if (finder_find(w, tries > 0, &a->from, &from))
			code = messages_link(ms, to, a->from_ms, &from);
	return code;
}

static int link_all(struct folder *f, struct addition *a, size_t n)
{
	struct finder w = { 0 };
	size_t i;
	int code = ERR_OK;

	for (i = 0; !code && i < n; i++) {
		struct message_ref to = ref_of(&a[i]);

		/* all that are linked come from one folder */
		if (a[i].from_ms && !w.ms)
			finder_begin(&w, a[i].from_ms);
		code = a[i].from_ms ? link_one(f, &a[i], &to, &w)
				    : messages_name(folder_messages(f),
						    &a[i].in.file, &to);
		a[i].linked = !code;
	}
	finder_end(&w);
	return code;
}

/* Records the directories' times, as our own change left them. Only for speed:
 * without this record they are read again. */
static void record_marks(struct folder *f, const struct marks *k)
{
	struct totals t = folder_next(f);
	struct buf b;

	marks_end(k, folder_messages(f), &t);
	buf_init(&b, RECORD_MAX);
	record_begin(&b, RECORD_MARK, 0);
	record_end(&b, 0, &t);
	/* only for speed, as said */
	err_ignore(folder_write(f, &b, &t, false));
	buf_free(&b);
}

int add_sync(struct folder *f, unsigned dirs)
{
	int code = folder_sync(f);

	return code ? code : messages_sync(folder_messages(f), dirs);
}

/* Bits of the directories that get something. */
static unsigned dirs_of(const struct addition *a, size_t n)
{
	unsigned dirs = 0;
	size_t i;

	for (i = 0; i < n; i++)
		dirs |= 1u << a[i].e.dir;
	return dirs;
}

static int sync_all(struct folder *f, struct addition *a, size_t n)
{
	size_t i;
	int code = ERR_OK;

	/* Started together, they share one commit of the file system. */
	folder_write_out(f);
	for (i = 0; !code && i < n; i++)
		if (!a[i].from_ms)
			code = incoming_sync(&a[i].in);
	return code ? code : add_sync(f, dirs_of(a, n));
}

/* Records that E was never promised. Under the lock. A session may have found
 * it missing meanwhile, or changed its flags, so the counts may be wrong:
 * without marks, readers have to load a table, which counts anew. */
static int undo(struct folder *f, const struct entry *e)
{
	struct record_range range = { e->uid, e->uid };
	struct totals t = folder_next(f);
	struct buf b;
	int code;

	t.modseq++;
	totals_add(&t, e, -1);
	t.mark[DIR_NEW] = mark_without(t.mark[DIR_NEW]);
	t.mark[DIR_CUR] = mark_without(t.mark[DIR_CUR]);
	buf_init(&b, RECORD_MAX);
	record_begin(&b, RECORD_UNDO, 1);
	buf_put(&b, &range, sizeof(range));
	record_end(&b, 0, &t);
	code = folder_write(f, &b, &t, true);
	buf_free(&b);
	return code;
}

int add_undo(struct folder *f, const struct record_add *a)
{
	const struct entry e = {
		.uid = a->uid,
		.flags = a->flags,
		.size = a->size,
		.wire = a->wire,
	};

	return undo(f, &e);
}

static void take_back(struct folder *f, struct addition *a, size_t n)
{
	int kept = errno, code = ERR_OK;
	size_t i;

	/* what stays has its record, by which a session judges it: a name
	 * that comes back after a power cut must not be without */
	for (i = 0; i < n; i++) {
		struct message_ref ref = ref_of(&a[i]);
		int err = a[i].linked
				  ? messages_remove(folder_messages(f), &ref)
				  : ERR_OK;

		if (!code && err != ERR_NOT_FOUND)
			code = err;
	}
	if (!code && n > 0)
		code = messages_sync(folder_messages(f), dirs_of(a, n));
	if (!code && n > 0)
		code = folder_lock(f);
	for (i = 0; !code && i < n; i++)
		code = undo(f, &a[i].e);
	folder_unlock(f);
	if (code)
		log_warn("mailbox: a failed delivery could not be taken back "
			 "in the journal; the next session will: %s",
			 err_why(code));
	errno = kept;
}

/* Records and names, under the lock, which ends here. */
static int put(struct folder *f, struct addition *a, size_t n, size_t *recorded)
{
	struct marks k;
	int code = record_all(f, a, n, recorded);

	marks_begin(&k, folder_messages(f), dirs_of(a, n));
	if (!code)
		code = link_all(f, a, n);
	if (!code)
		record_marks(f, &k);
	folder_unlock(f);
	return code;
}

int add_commit(struct folder *f, struct addition *a, size_t n, uint32_t *uid)
{
	size_t recorded = 0;
	off_t record = folder_end(f); /* of the first, usually the only one */
	int code = put(f, a, n, &recorded);

	if (!code)
		code = sync_all(f, a, n);
	if (code) {
		take_back(f, a, recorded);
		return code;
	}
	/* If this mark fails, the file is examined again. */
	folder_make_sure(f, record);
	*uid = a[0].e.uid;
	return code;
}

int add_unsynced(struct folder *f, struct addition *a, size_t n, uint32_t *uid,
		 off_t *record)
{
	size_t recorded = 0;
	int code;

	*record = folder_end(f);
	code = put(f, a, n, &recorded);
	if (code)
		take_back(f, a, recorded);
	else
		*uid = a[0].e.uid;
	return code;
}
