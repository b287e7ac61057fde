#include "mailbox/deliver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "mailbox/add.h"
#include "mailbox/key.h"
#include "mailbox/mailbox.h"
#include "mailbox/private.h"

#define PIECE 65536

/* The content goes from one file to the other, in pieces. */
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

static int open_folder(const struct delivery *d, struct folder *f)
{
	char path[4096], disk[DISK_NAME_SIZE];
	int code = disk_name(d->folder, disk);

	if (code)
		return code;
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", d->maildir, disk) >=
	    sizeof(path))
		return ERR_TOO_LONG;
	return folder_open(AT_FDCWD, path, f);
}

/* Is the message in A already there? Under the lock. */
static bool is_duplicate(struct folder *f, const struct delivery *d,
			 struct addition *a, struct delivered *out)
{
	uint32_t uid;

	if (a->key == 0 || !key_find(f, a->key, d->arrival_us, &uid))
		return false;
	out->uid = uid;
	out->duplicate = true;
	return true;
}

static int add(struct folder *f, const struct delivery *d, struct addition *a,
	       struct delivered *out)
{
	int code = folder_lock(f);

	if (code) {
		folder_unlock(f);
		return code;
	}
	out->uidvalidity = f->head.uidvalidity;
	if (!is_duplicate(f, d, a, out))
		return add_commit(f, a, 1, &out->uid);
	folder_unlock(f);
	/* Its first delivery may have ended before it was durable. */
	folder_sub(f, DIR_NEW);
	folder_sub(f, DIR_CUR);
	return add_sync(f, BOTH_DIRS);
}

static int deliver(const struct delivery *d, struct delivered *out)
{
	struct folder f;
	struct addition a;
	int code = open_folder(d, &f);

	if (code)
		return code;
	f.once = true;
	out->dev = f.dev;
	out->ino = f.ino;
	code = addition_begin(&a, &f, d->flags, 0, clock_wall());
	a.key = key_make(d->queue_id, d->recipient);
	if (!code)
		code = take_content(d, &a);
	if (!code)
		code = add(&f, d, &a, out);
	addition_end(&a);
	folder_close(&f);
	return code;
}

int deliver_message(const struct delivery *d, struct delivered *out)
{
	int code;

	memset(out, 0, sizeof(*out));
	code = deliver(d, out);
	if (code != ERR_NOT_FOUND && code != ERR_CORRUPT)
		return code;
	code = prepare(d);
	if (!code)
		code = deliver(d, out);
	return code == ERR_CORRUPT ? ERR_IO : code;
}
