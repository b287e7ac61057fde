/*
 * Delivery into a folder, in three steps: the content goes into files without
 * a name, outside the lock; additions_wait waits until what was written may
 * have names; under the lock the queue ids are looked up, and all get their
 * names and one record of the journal (add.h).
 *
 * The Maildir and its journal are made only if they turn out to be missing, so
 * the usual delivery does not check for them. A message that is already there
 * counts only if its record is marked as sure or its file was read: a power cut
 * may leave a record without its content. If that cannot be read now, the
 * delivery waits: another copy would be one too many.
 */
#include "mailbox/deliver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "mailbox/add.h"
#include "maildir/maildir.h"
#include "index/journal.h"
#include "index/key.h"
#include "mailbox/mailbox.h"
#include "mailbox/marks.h"
#include "mailbox/private.h"

#define PIECE 65536

struct letterbox {
	struct folder f;
	bool open;
	char path[4096];
	int64_t changed; /* the directory's ctime; 0: it may still change
			  * without another one */
};

/* Copies the content from one file to the other, in pieces. */
static int take_content(const struct delivery *d, struct addition *a)
{
	char piece[PIECE];
	off_t at = d->offset, end = d->offset + d->length;
	int code = incoming_write(&a->in, d->prologue, strlen(d->prologue));

	while (!code && at < end) {
		size_t n = end - at > PIECE ? PIECE : (size_t)(end - at);

		code = file_pread(d->fd, piece, n, at);
		if (code == ERR_EOF)
			code = ERR_IO;
		if (!code)
			code = incoming_write(&a->in, piece, n);
		at += (off_t)n;
	}
	return code ? code : addition_finish(a);
}

/* Makes what is missing: the Maildir, the folder, its journal. */
static int prepare(const struct delivery *d)
{
	struct store *s;
	struct mailbox *m = NULL;
	int code = store_open(d->maildir, true, &s);

	if (code)
		return code;
	code = mailbox_open(s, d->folder, true, &m);
	if (code == ERR_NOT_FOUND && d->create_folder) {
		code = store_create(s, d->folder, NULL);
		if (!code || code == ERR_EXISTS)
			code = mailbox_open(s, d->folder, true, &m);
	}
	mailbox_close(&m);
	store_close(&s);
	return code;
}

/* The ctime of the directory ST, which tells any change of what is in it. */
static int64_t ctime_of(const struct stat *st)
{
	return (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec;
}

static void close_box(struct letterbox *b)
{
	if (b->open)
		folder_close(&b->f);
	b->open = false;
}

/* Is the folder at PATH still the one that is open, with the same lock, journal
 * and places in it? */
static bool is_open_at(const struct letterbox *b, const char *path)
{
	struct stat st;

	return b->open && b->changed && strcmp(b->path, path) == 0 &&
	       stat(path, &st) == 0 && ctime_of(&st) == b->changed &&
	       folder_id_equal(maildir_id(&st), folder_id(&b->f));
}

/* The folder's directory in the Maildir. */
static int box_name(const struct delivery *d, char disk[DISK_NAME_SIZE])
{
	int dir, code;

	if (str_equal(d->folder, "INBOX"))
		return disk_name(d->folder, disk);
	/* if it is not there it is made later, under the usual name */
	dir = open(d->maildir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	code = disk_name_in(dir, d->folder, disk);
	if (dir >= 0)
		close(dir);
	return code;
}

static int open_box(struct letterbox *b, const struct delivery *d)
{
	char path[sizeof(b->path)], disk[DISK_NAME_SIZE];
	struct stat st;
	int code = box_name(d, disk);

	if (code)
		return code;
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", d->maildir, disk) >=
	    sizeof(path))
		return ERR_TOO_LONG;
	if (is_open_at(b, path))
		return ERR_OK;
	close_box(b);
	code = folder_open(AT_FDCWD, path, maildir_open, false, &b->f);
	if (code)
		return code;
	b->open = true;
	memcpy(b->path, path, sizeof(path));
	b->changed = fstat(folder_dir(&b->f), &st) == 0 ? ctime_of(&st) : 0;
	if (!marks_is_old(b->changed))
		b->changed = 0;
	return ERR_OK;
}

/* Finds the file by its base: its flags may have changed its name.
 * ERR_NOT_FOUND: there is none; others: that is not known. */
static int find_file(struct folder *f, const struct key_found *k,
		     struct listing *l, struct message_ref *ref)
{
	int code = messages_list(folder_messages(f), BOTH_DIRS, l);

	for (size_t i = 0; !code && i < l->n; i++) {
		const struct listing_file *file = &l->file[i];
		const char *text = listing_name(l, i);

		if (file->nbase == k->add.nname &&
		    memcmp(text, k->base, k->add.nname) == 0) {
			*ref = (struct message_ref){ text, file->nbase,
						     file->dir, file->letters,
						     text };
			return ERR_OK;
		}
	}
	return code && code != ERR_NOT_FOUND ? code : ERR_NOT_FOUND;
}

/* Is the file of K complete and durable? *WHAT is what is there. */
static int read_file(struct folder *f, const struct key_found *k,
		     const struct message_ref *ref, enum content *what)
{
	const uint32_t *crc = k->add.known ? &k->add.content : NULL;
	int fd, code = messages_open(folder_messages(f), ref, &fd);

	if (code == ERR_NOT_FOUND)
		return err_set(ERR_BUSY,
			       "another program has just renamed the message");
	if (code)
		return code;
	code = content_judge(fd, k->add.size, crc, k->ours, what);
	if (!code && *what != CONTENT_EMPTY && *what != CONTENT_TORN &&
	    file_sync(fd) < 0)
		code = err_sys("sync", "a message file");
	close(fd);
	return code;
}

/* The file at REF decides; one that a power cut left without a message is
 * withdrawn, or if that fails a session will do it. */
static int judge_file(struct folder *f, const struct key_found *k,
		      const struct message_ref *ref)
{
	enum content what;
	int code = read_file(f, k, ref, &what);

	if (code)
		return code;
	if (what == CONTENT_RIGHT || what == CONTENT_CHANGED)
		return ERR_OK;
	if (content_put_aside(folder_messages(f), ref, what) == ERR_OK)
		err_ignore(add_undo(f, &k->add));
	return ERR_NOT_FOUND;
}

/* Is the file of K there? What is recorded as sure was promised, even if
 * another program has changed it, or it cannot be read any more. ERR_NOT_FOUND:
 * it is not; others: that is not known. */
static int find_first_file(struct folder *f, const struct key_found *k)
{
	struct message_ref ref;
	struct listing l;
	int code = find_file(f, k, &l, &ref);

	if (!code && !k->sure)
		code = judge_file(f, k, &ref);
	listing_free(&l);
	return code;
}

/* Is the message in A already there? Then *K says which. ERR_NOT_FOUND: it is
 * not. Under the lock. */
static int find_first(struct folder *f, const struct delivery *d,
		      struct addition *a, struct key_found *k)
{
	int code = a->key != 0 ? key_find(f, a->key, d->arrival_us, k)
			       : ERR_NOT_FOUND;

	return code || k->kept ? code : find_first_file(f, k);
}

/* Its first delivery may have ended before it was durable. */
static int sync_first(struct folder *f, const struct key_found *k)
{
	int code = add_sync(f, BOTH_DIRS);

	/* The file says nothing about others in the record. If the mark fails,
	 * it is examined again. */
	if (!code && k->record > 0 && k->alone)
		folder_make_sure(f, k->record);
	return code;
}

/* Are two of A[N] deliveries of the same? */
static bool has_twins(const struct addition *a, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = i + 1; k < n; k++)
			if (a[i].key && a[i].key == a[k].key)
				return true;
	return false;
}

/* If one is already there, that ends it: success if it is alone, ERR_EXISTS
 * together with others. F is locked; it is unlocked on return. */
static int add_new(struct folder *f, const struct delivery *d,
		   struct addition *a, size_t n, struct delivered *out)
{
	struct key_found k;
	uint32_t uid = 0;
	size_t i;
	int code = ERR_NOT_FOUND;

	for (i = 0; i < n && code == ERR_NOT_FOUND; i++)
		code = find_first(f, &d[i], &a[i], &k);
	if (code == ERR_NOT_FOUND && !d->full) {
		code = add_commit(f, a, n, &uid);
		for (i = 0; !code && i < n; i++)
			out[i].uid = uid + (uint32_t)i;
		return code;
	}
	folder_unlock(f);
	if (code)
		return code == ERR_NOT_FOUND ? ERR_LIMIT : code;
	if (n > 1)
		return ERR_EXISTS;
	out->uid = k.uid;
	out->duplicate = true;
	return sync_first(f, &k);
}

static int add(struct folder *f, const struct delivery *d, struct addition *a,
	       size_t n, struct delivered *out)
{
	int code = has_twins(a, n) ? ERR_EXISTS : folder_lock(f);

	if (code) {
		folder_unlock(f);
		return code;
	}
	for (size_t i = 0; i < n; i++)
		out[i].uidvalidity = folder_uidvalidity(f);
	return add_new(f, d, a, n, out);
}

/* Puts the content of D into a file without a name. */
static int take(const struct delivery *d, struct folder *f, struct addition *a)
{
	int code = addition_begin(a, f, d->flags, 0, clock_wall());

	a->key = key_make(d->queue_id, d->recipient);
	return code ? code : take_content(d, a);
}

static int deliver_all(struct folder *f, const struct delivery *d, size_t n,
		       struct delivered *out)
{
	struct addition *a = mem_array(n, sizeof(*a));
	size_t taken = 0;
	int code = ERR_OK;

	while (!code && taken < n) {
		out[taken].folder = folder_id(f);
		code = take(&d[taken], f, &a[taken]);
		taken++;
	}
	if (!code)
		code = additions_wait(a, n);
	if (!code)
		code = add(f, d, a, n, out);
	while (taken > 0)
		addition_end(&a[--taken]);
	free(a);
	return code;
}

struct letterbox *letterbox_new(void)
{
	return mem_alloc(sizeof(struct letterbox));
}

void letterbox_free(struct letterbox **b)
{
	if (*b)
		close_box(*b);
	free(*b);
	*b = NULL;
}

int deliver_together(struct letterbox *b, const struct delivery *d, size_t n,
		     struct delivered *out)
{
	int code = open_box(b, d);

	memset(out, 0, n * sizeof(*out));
	if (!code)
		code = deliver_all(&b->f, d, n, out);
	if (code)
		close_box(b);
	return code;
}

static int deliver_once(const struct delivery *d, struct delivered *out)
{
	struct letterbox *b = letterbox_new();
	int code = deliver_together(b, d, 1, out);

	letterbox_free(&b);
	return code;
}

int deliver_message(const struct delivery *d, struct delivered *out)
{
	int code = deliver_once(d, out);

	if (code != ERR_NOT_FOUND && code != ERR_CORRUPT)
		return code;
	code = prepare(d);
	if (!code)
		code = deliver_once(d, out);
	return code == ERR_CORRUPT ? ERR_IO : code;
}
