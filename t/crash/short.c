/*
 * Runs a short story: each word of it is an operation on a mailbox, done
 * through lib/mailbox as imapd and local-deliver do. After each the record gets
 * the facts that the client now relies on: a message and its UID, a flag, a
 * folder, or that they are gone. A message's content is made from a token, so
 * that the checker can make it again.
 */
#include "t/crash/short.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "mailbox/append.h"
#include "mailbox/deliver.h"
#include "mailbox/mailbox.h"
#include "mailbox/opened.h"
#include "mailbox/signing.h"
#include "mailbox/store.h"
#include "t/crash/fact.h"
#include "t/crash/record.h"

#define USER "alice"
#define ADDRESS USER "@example.test"
#define SIGN_MS 1000 /* for far fewer messages than take so long */
#define LINES 12     /* of a message: more than a sector, less than two */

struct session {
	char *maildir;
	struct store *s;
	struct mailbox *m; /* INBOX, open from the beginning to the end */
	char folder[WORD]; /* the other one; "" if there is none */
	int record;	   /* -1: nobody is told anything */
	unsigned tokens, names;
};

static void must(int code, const char *what)
{
	if (code == ERR_OK)
		return;
	fprintf(stderr, "crash-check: cannot %s: %s\n", what, err_why(code));
	exit(2);
}

/* The client is told it, or will ask for it. */
__attribute__((format(printf, 2, 3))) static void tell(const struct session *x,
						       const char *fmt, ...)
{
	struct record_entry e = { .magic = RECORD_MAGIC, .type = OP_FACT };
	char text[4 * WORD];
	struct iovec iov[] = { { &e, sizeof(e) }, { text, 0 } };
	va_list ap;

	va_start(ap, fmt);
	e.ndata = (uint64_t)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	e.total = sizeof(e) + e.ndata;
	iov[1].iov_len = e.ndata;
	if (x->record >= 0 && writev(x->record, iov, 2) != (ssize_t)e.total)
		must(ERR_IO, "write the record");
}

static void make_text(struct session *x, struct buf *b, char token[WORD])
{
	snprintf(token, WORD, "t%u", ++x->tokens);
	tell(x, "mail %s %d - " ADDRESS, token, LINES);
	buf_init(b, 1 << 20);
	buf_printf(b, "From: <a@client.test>\r\nX-Crash: %s %d\r\n\r\n", token,
		   LINES);
	fact_body(b, token, LINES);
}

static bool do_deliver(struct session *x)
{
	char token[WORD];
	struct delivered out;
	struct delivery d = { .maildir = x->maildir,
			      .folder = "INBOX",
			      .prologue = "",
			      .queue_id = token,
			      .recipient = ADDRESS,
			      .arrival_us = 1 };
	struct buf b;

	make_text(x, &b, token);
	d.fd = memfd_create("message", MFD_CLOEXEC);
	d.length = (off_t)b.len;
	must(file_write(d.fd, b.data, b.len), "write a message");
	must(deliver_message(&d, &out), "deliver");
	tell(x, "have " USER " INBOX %u %u %s", out.uidvalidity, out.uid,
	     token);
	tell(x, "promised %s", token);
	close(d.fd);
	buf_free(&b);
	return true;
}

static bool do_append(struct session *x)
{
	const char *folder = *x->folder ? x->folder : "INBOX";
	uint32_t validity, uid;
	struct folder_id id;
	struct append *a;
	char token[WORD];
	struct buf b;

	make_text(x, &b, token);
	must(append_new(x->s, folder, &a), "begin to append");
	must(append_begin(a, MAILBOX_SEEN, NULL, 0, -1), "begin to append");
	must(append_write(a, b.data, b.len), "append");
	must(append_commit(a, &validity, &uid, &id), "append");
	append_free(&a);
	tell(x, "have " USER " %s %u %u %s", folder, validity, uid, token);
	tell(x, "flags " USER " %s %u %u", folder, uid, MAILBOX_SEEN);
	tell(x, "promised %s", token);
	buf_free(&b);
	return true;
}

static void refresh(struct session *x)
{
	const struct mailbox_changes *changes;

	must(mailbox_refresh(x->m, true, &changes), "look again");
}

/* What is in the message at SEQ. */
static void token_of(struct mailbox *m, uint32_t seq, char token[WORD])
{
	struct buf b;
	bool whole;

	buf_init(&b, 1 << 20);
	must(mailbox_text(m, seq, &b), "read");
	if (!fact_token(b.data, b.len, token, &whole) || !whole)
		must(ERR_CORRUPT, "read a message");
	buf_free(&b);
}

static bool do_store(struct session *x)
{
	uint32_t seq = mailbox_count(x->m);
	struct mailbox_message msg;

	if (seq == 0)
		return false;
	msg = mailbox_get(x->m, seq);
	tell(x, "flagging " USER " INBOX %u", msg.uid);
	must(mailbox_store(x->m, &seq, 1, MAILBOX_SET,
			   msg.flags ? MAILBOX_FLAGGED
				     : MAILBOX_SEEN | MAILBOX_ANSWERED,
			   0, UINT64_MAX, NULL),
	     "store");
	msg = mailbox_get(x->m, seq);
	tell(x, "flags " USER " INBOX %u %u", msg.uid, msg.flags);
	return true;
}

static bool do_expunge(struct session *x)
{
	uint32_t seq = 1, uid;
	char token[WORD];

	if (mailbox_count(x->m) == 0)
		return false;
	uid = mailbox_uid(x->m, seq);
	token_of(x->m, seq, token);
	tell(x, "erasing %s " USER, token);
	tell(x, "leaving " USER " INBOX %u", uid);
	must(mailbox_expunge(x->m, &seq, 1, false), "expunge");
	tell(x, "gone " USER " INBOX %u", uid);
	return true;
}

static bool transfer(struct session *x, uint32_t seq, bool move)
{
	uint32_t uid, new_uid, validity;
	struct folder_id id;
	char token[WORD];

	if (seq == 0 || seq > mailbox_count(x->m) || !*x->folder)
		return false;
	uid = mailbox_uid(x->m, seq);
	token_of(x->m, seq, token);
	tell(x, "copying %s " USER, token);
	if (move)
		tell(x, "leaving " USER " INBOX %u", uid);
	must(mailbox_copy(x->m, &seq, 1, x->folder, move, &new_uid, &validity,
			  &id),
	     "copy");
	tell(x, "have " USER " %s %u %u %s", x->folder, validity, new_uid,
	     token);
	if (move)
		tell(x, "gone " USER " INBOX %u", uid);
	return true;
}

static bool do_copy(struct session *x)
{
	return transfer(x, mailbox_count(x->m), false);
}

static bool do_move(struct session *x)
{
	return transfer(x, 1, true);
}

static bool do_create(struct session *x)
{
	char name[WORD];

	snprintf(name, sizeof(name), "New%u", ++x->names);
	must(store_create(x->s, name, NULL), "create a folder");
	tell(x, "numbers " USER " %s 0 0 0", name);
	strcpy(x->folder, name);
	return true;
}

static bool do_rename(struct session *x)
{
	char name[WORD];

	if (!*x->folder)
		return false;
	snprintf(name, sizeof(name), "Other%u", ++x->names);
	tell(x, "renaming " USER " %s %s", x->folder, name);
	must(store_rename(x->s, x->folder, name), "rename a folder");
	tell(x, "renamed " USER " %s %s", x->folder, name);
	strcpy(x->folder, name);
	return true;
}

static bool do_delete(struct session *x)
{
	if (!*x->folder)
		return false;
	tell(x, "deleting " USER " %s", x->folder);
	must(store_delete(x->s, x->folder), "delete a folder");
	tell(x, "deleted " USER " %s", x->folder);
	x->folder[0] = '\0';
	return true;
}

/* As a search does that excludes what has no such word, and the time after. */
static bool do_sign(struct session *x)
{
	struct excluded none = { .bit = NULL };

	mailbox_exclude(x->m, &none, 0);
	mailbox_sign(x->m, SIGN_MS);
	return true;
}

/* As is done with a journal that is mostly history. */
static bool do_rewrite(struct session *x)
{
	int code = index_lock(&x->m->x);

	if (!code)
		code = index_write_anew(&x->m->x);
	index_unlock(&x->m->x);
	must(code, "write the journal anew");
	return true;
}

const char *const short_words[] = { "deliver", "append", "store",   "expunge",
				    "copy",    "move",	 "create",  "rename",
				    "delete",  "sign",	 "rewrite", NULL };

/* In the order of their words. */
static bool (*const operation[])(struct session *x) = {
	do_deliver, do_append, do_store,  do_expunge, do_copy,	  do_move,
	do_create,  do_rename, do_delete, do_sign,    do_rewrite,
};

static void begin(struct session *x, const char *top, int record)
{
	*x = (struct session){ .record = record };
	x->maildir = mem_printf("%s/mail/" USER "/Maildir", top);
	must(store_open(x->maildir, true, &x->s), "open the mailbox");
}

static void end(struct session *x)
{
	mailbox_close(&x->m);
	store_close(&x->s);
	free(x->maildir);
}

void short_prepare(const char *top)
{
	static const char *const dirs[] = { "", "/mail", "/mail/" USER };
	struct session x;

	for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++) {
		char *path = mem_printf("%s%s", top, dirs[i]);

		if (mkdir(path, 0700) < 0)
			must(err_sys("make", path), "make folders");
		free(path);
	}
	begin(&x, top, -1);
	do_deliver(&x);
	do_append(&x);
	do_create(&x);
	do_append(&x);
	end(&x);
}

/* What is in folder NAME, which is open as M. */
static void look_into(struct session *x, const char *name, struct mailbox *m)
{
	char token[WORD];

	for (uint32_t i = 1; i <= mailbox_count(m); i++) {
		struct mailbox_message msg = mailbox_get(m, i);

		token_of(m, i, token);
		x->tokens++;
		tell(x, "mail %s %d - " ADDRESS, token, LINES);
		tell(x, "promised %s", token);
		tell(x, "have " USER " %s %u %u %s", name,
		     mailbox_uidvalidity(m), msg.uid, token);
		tell(x, "flags " USER " %s %u %u", name, msg.uid, msg.flags);
	}
	tell(x, "numbers " USER " %s %u %u %" PRIu64, name,
	     mailbox_uidvalidity(m), mailbox_uidnext(m),
	     mailbox_highestmodseq(m));
}

static void look(struct session *x)
{
	struct mailbox *m;

	must(mailbox_open(x->s, "INBOX", false, &x->m), "open INBOX");
	refresh(x);
	look_into(x, "INBOX", x->m);
	strcpy(x->folder, "New1");
	x->names = 1;
	must(mailbox_open(x->s, x->folder, true, &m), "open a folder");
	look_into(x, x->folder, m);
	mailbox_close(&m);
}

static bool do_word(struct session *x, const char *word)
{
	for (int i = 0; short_words[i]; i++)
		if (strcmp(short_words[i], word) == 0) {
			bool done;

			refresh(x);
			done = operation[i](x);
			refresh(x);
			return done;
		}
	must(ERR_SYNTAX, "do that");
	return false;
}

int short_run(const char *top, const char *words)
{
	const char *path = getenv("CRASH_RECORD");
	char *copy = mem_strdup(words), *rest = copy, *word;
	bool did = true;
	struct session x;

	begin(&x, top, path ? open(path, O_WRONLY | O_APPEND | O_CLOEXEC) : -1);
	look(&x);
	while ((word = strsep(&rest, ","))) {
		if (!rest)
			tell(&x, "now");
		did = do_word(&x, word);
	}
	end(&x);
	free(copy);
	return did ? 0 : SHORT_IDLE;
}
