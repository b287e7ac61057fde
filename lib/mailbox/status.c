/*
 * What STATUS tells of a folder, and what all folders of a user hold together.
 * The last record of each journal suffices, if no other program was there; else
 * the folder is opened, which takes in what that did. So nothing is kept of
 * what they hold that could be wrong after a crash.
 */
#include "base/err.h"
#include "base/str.h"
#include "index/folder.h"
#include "mailbox/mailbox.h"
#include "mailbox/private.h"

#define TRIES 5 /* while folders are renamed */

/* Reads the last record into *T; with DURABLE it is also on stable storage. */
static bool quick_status(struct store *s, const char *disk, bool durable,
			 uint32_t *validity, struct totals *t)
{
	int64_t now[DIRS];
	struct folder f;
	bool good = folder_open(s->dir, disk, s->opener, false, &f) == ERR_OK;

	if (!good)
		return false;
	good = folder_peek(&f) == ERR_OK;
	*t = *folder_last(&f);
	*validity = folder_uidvalidity(&f);
	good = good &&
	       messages_stamps(folder_messages(&f), BOTH_DIRS, now) == ERR_OK &&
	       now[DIR_NEW] == t->mark[DIR_NEW] &&
	       now[DIR_CUR] == t->mark[DIR_CUR] &&
	       (!durable || !folder_fresh(t->time) ||
		folder_sync(&f) == ERR_OK);
	folder_close(&f);
	return good;
}

/* As sent; it is measured if it is not known. What cannot be read has no size
 * that anybody could be told. */
static uint32_t size_of(struct mailbox *m, uint32_t seq,
			const struct mailbox_message *e)
{
	uint32_t size = e->size;

	return size > 0 || mailbox_size(m, seq, &size) == ERR_OK ? size : 0;
}

static uint64_t sum_sizes(struct mailbox *m)
{
	uint64_t sum = 0;

	for (uint32_t seq = 1; seq <= mailbox_count(m); seq++) {
		struct mailbox_message e = mailbox_get(m, seq);

		sum += e.gone ? 0 : size_of(m, seq, &e);
	}
	return sum;
}

int store_status(struct store *s, const char *name, bool sizes,
		 struct store_status *st)
{
	char disk[DISK_NAME_SIZE];
	struct totals t;
	struct mailbox *m;
	uint32_t validity;
	int code = disk_name_in(s->dir, name, disk);

	if (code)
		return ERR_NOT_FOUND;
	if (sizes || !quick_status(s, disk, true, &validity, &t)) {
		code = mailbox_open(s, name, true, &m);
		if (code)
			return code;
		mailbox_totals(m, &t);
		if (sizes)
			t.bytes = sum_sizes(m);
		validity = mailbox_uidvalidity(m);
		mailbox_close(&m);
	}
	*st = (struct store_status){
		.messages = t.messages,
		.recent = t.recent,
		.unseen = t.unseen,
		.deleted = t.deleted,
		.uidnext = t.uidnext,
		.uidvalidity = validity,
		.highestmodseq = t.modseq,
		.size = t.bytes,
	};
	return ERR_OK;
}

/* The totals of the folder NAME. */
static int peek(struct store *s, const char *name, struct totals *t)
{
	char disk[DISK_NAME_SIZE];
	struct mailbox *m;
	uint32_t validity;
	int code = disk_name_in(s->dir, name, disk);

	if (code)
		return ERR_NOT_FOUND;
	if (quick_status(s, disk, false, &validity, t))
		return ERR_OK;
	code = mailbox_open(s, name, true, &m);
	if (code)
		return code;
	mailbox_totals(m, t);
	mailbox_close(&m);
	return ERR_OK;
}

static int add_folder(struct store *s, const struct quota *q, const char *name,
		      struct usage *u)
{
	struct totals t;
	int code = peek(s, name, &t);

	if (code)
		return code;
	/* journals of former versions did not count what was not measured, so
	 * that more may have been taken off than was ever added */
	quota_add(q, u, name, t.bytes <= INT64_MAX ? t.bytes : 0, t.messages);
	return ERR_OK;
}

static int add_folders(struct store *s, const struct quota *q, struct usage *u)
{
	struct strlist names = { 0 };
	int code;

	*u = (struct usage){ 0 };
	code = store_names(s, &names);
	if (!code)
		code = add_folder(s, q, "INBOX", u);
	for (size_t i = 0; !code && i < names.n; i++)
		code = add_folder(s, q, names.item[i], u);
	strlist_free(&names);
	return code;
}

int store_usage(struct store *s, const struct quota *q, struct usage *u)
{
	int code = ERR_NOT_FOUND;

	for (int i = 0; i < TRIES && code == ERR_NOT_FOUND; i++)
		code = add_folders(s, q, u);
	return code;
}

int store_deleted_size(struct store *s, const char *name, uint64_t *sum)
{
	struct mailbox *m;
	int code = mailbox_open(s, name, true, &m);

	*sum = 0;
	if (code)
		return code;
	for (uint32_t seq = 1; seq <= mailbox_count(m); seq++) {
		struct mailbox_message e = mailbox_get(m, seq);

		if (!e.gone && e.flags & MAILBOX_DELETED)
			*sum += size_of(m, seq, &e);
	}
	mailbox_close(&m);
	return ERR_OK;
}
