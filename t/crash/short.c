/*
 * Runs a short story: each word of it is an operation on a mailbox, done
 * through lib/mailbox as imapd and local-deliver do. After each the record gets
 * the facts that the client now relies on: a message and its UID, a flag, a
 * folder, or that they are gone. A message's content is made from a token, so
 * that the checker can make it again.
 */
#include "t/crash/short-parts.h"

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
#include "t/crash/attached.h"
#include "t/crash/record.h"

#define ADDRESS USER "@example.test"
#define SIGN_MS 1000 /* for far fewer messages than take so long */
#define LINES 12     /* of a message: more than a sector, less than two */
#define POLICIES 20  /* from the beginning */
#define BELOW "low"  /* a folder below the other one */
#define BELOW_USE "\\Junk"

void short_must(int code, const char *what)
{
	if (code == ERR_OK)
		return;
	fprintf(stderr, "crash-check: cannot %s: %s\n", what, err_why(code));
	exit(2);
}

void short_tell(const struct session *x, const char *fmt, ...)
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
		short_must(ERR_IO, "write the record");
}

/* FIELDS: further ones of its header. */
static void make_text(struct session *x, struct buf *b, const char *fields,
		      char token[WORD])
{
	snprintf(token, WORD, "t%u", ++x->tokens);
	short_tell(x, "mail %s %d - " ADDRESS, token, LINES);
	buf_init(b, 1 << 20);
	buf_printf(b, "From: <a@client.test>\r\n%sX-Crash: %s %d\r\n\r\n",
		   fields, token, LINES);
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

	make_text(x, &b, "", token);
	d.fd = memfd_create("message", MFD_CLOEXEC);
	d.length = (off_t)b.len;
	short_must(file_write(d.fd, b.data, b.len), "write a message");
	short_must(deliver_message(&d, &out), "deliver");
	short_tell(x, "have " USER " INBOX %u %u %s", out.uidvalidity, out.uid,
	     token);
	short_tell(x, "promised %s", token);
	close(d.fd);
	buf_free(&b);
	return true;
}

void short_append(struct session *x, const char *folder, const char *fields)
{
	uint32_t validity, uid;
	struct folder_id id;
	struct append *a;
	char token[WORD];
	struct buf b;

	make_text(x, &b, fields, token);
	short_must(append_new(x->s, folder, &a), "begin to append");
	short_must(append_begin(a, MAILBOX_SEEN, NULL, 0, -1), "begin to append");
	short_must(append_write(a, b.data, b.len), "append");
	short_must(append_commit(a, &validity, &uid, &id), "append");
	append_free(&a);
	short_tell(x, "have " USER " %s %u %u %s", folder, validity, uid, token);
	short_tell(x, "flags " USER " %s %u %u", folder, uid, MAILBOX_SEEN);
	short_tell(x, "promised %s", token);
	buf_free(&b);
}

static bool do_append(struct session *x)
{
	short_append(x, *x->folder ? x->folder : "INBOX", "");
	return true;
}

void short_refresh(struct session *x)
{
	const struct mailbox_changes *changes;

	short_must(mailbox_refresh(x->m, true, &changes), "look again");
}

/* What is in the message at SEQ. */
void short_token(struct mailbox *m, uint32_t seq, char token[WORD])
{
	struct buf b;
	bool whole;

	buf_init(&b, 1 << 20);
	short_must(mailbox_text(m, seq, &b), "read");
	if (!fact_token(b.data, b.len, token, &whole) || !whole)
		short_must(ERR_CORRUPT, "read a message");
	buf_free(&b);
}

static bool do_store(struct session *x)
{
	uint32_t seq = mailbox_count(x->m);
	struct mailbox_message msg;

	if (seq == 0)
		return false;
	msg = mailbox_get(x->m, seq);
	short_tell(x, "flagging " USER " INBOX %u", msg.uid);
	short_must(mailbox_store(x->m, &seq, 1, MAILBOX_SET,
			   msg.flags ? MAILBOX_FLAGGED
				     : MAILBOX_SEEN | MAILBOX_ANSWERED,
			   0, UINT64_MAX, NULL),
	     "store");
	msg = mailbox_get(x->m, seq);
	short_tell(x, "flags " USER " INBOX %u %u", msg.uid, msg.flags);
	return true;
}

static bool do_expunge(struct session *x)
{
	uint32_t seq = 1, uid;
	char token[WORD];

	if (mailbox_count(x->m) == 0)
		return false;
	uid = mailbox_uid(x->m, seq);
	short_token(x->m, seq, token);
	short_tell(x, "erasing %s " USER, token);
	short_tell(x, "leaving " USER " INBOX %u", uid);
	short_must(mailbox_expunge(x->m, &seq, 1, false), "expunge");
	short_tell(x, "gone " USER " INBOX %u", uid);
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
	short_token(x->m, seq, token);
	short_tell(x, "copying %s " USER, token);
	if (move)
		short_tell(x, "leaving " USER " INBOX %u", uid);
	short_must(mailbox_copy(x->m, &seq, 1, x->folder, move, &new_uid, &validity,
			  &id),
	     "copy");
	short_tell(x, "have " USER " %s %u %u %s", x->folder, validity, new_uid,
	     token);
	if (move)
		short_tell(x, "gone " USER " INBOX %u", uid);
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
	short_must(store_create(x->s, name, NULL), "create a folder");
	short_tell(x, "numbers " USER " %s 0 0 0", name);
	strcpy(x->folder, name);
	return true;
}

/* With VERB "renaming", what a client will do, and with "renamed" what it did:
 * the folder, and the one below it, if it is there. */
static void tell_renamed(struct session *x, const char *verb, const char *name)
{
	bool below = strcmp(x->folder, x->above) == 0;

	short_tell(x, "%s " USER " %s %s", verb, x->folder, name);
	if (below)
		short_tell(x, "%s " USER " %s/" BELOW " %s/" BELOW, verb,
			   x->folder, name);
}

static bool do_rename(struct session *x)
{
	char name[WORD];

	if (!*x->folder)
		return false;
	snprintf(name, sizeof(name), "Other%u", ++x->names);
	tell_renamed(x, "renaming", name);
	short_must(store_rename(x->s, x->folder, name), "rename a folder");
	tell_renamed(x, "renamed", name);
	if (strcmp(x->folder, x->above) == 0)
		strcpy(x->above, name);
	strcpy(x->folder, name);
	return true;
}

static bool do_delete(struct session *x)
{
	if (!*x->folder)
		return false;
	short_tell(x, "deleting " USER " %s", x->folder);
	short_must(store_delete(x->s, x->folder), "delete a folder");
	short_tell(x, "deleted " USER " %s", x->folder);
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
	short_must(code, "write the journal anew");
	return true;
}

const struct short_word short_words[] = {
	{ "deliver", do_deliver },
	{ "append", do_append },
	{ "store", do_store },
	{ "expunge", do_expunge },
	{ "copy", do_copy },
	{ "move", do_move },
	{ "create", do_create },
	{ "rename", do_rename },
	{ "delete", do_delete },
	{ "sign", do_sign },
	{ "rewrite", do_rewrite },
	{ NULL, NULL },
};

static void begin(struct session *x, const char *top, int record)
{
	char *policies = mem_printf("%s/tls-policy/tls-policies", top);

	*x = (struct session){ .record = record };
	x->policies = cache_open(policies);
	free(policies);
	x->maildir = mem_printf("%s/mail/" USER "/Maildir", top);
	short_must(store_open(x->maildir, true, &x->s), "open the mailbox");
	store_set_decoders(x->s, attached_decoders(), 1);
}

static void end(struct session *x)
{
	mailbox_close(&x->m);
	store_close(&x->s);
	cache_close(&x->policies);
	free(x->maildir);
}

void short_prepare(const char *top)
{
	static const char *const dirs[] = { "", "/mail", "/mail/" USER,
					    "/tls-policy" };
	char below[2 * WORD];
	struct session x;

	for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++) {
		char *path = mem_printf("%s%s", top, dirs[i]);

		if (mkdir(path, 0700) < 0)
			short_must(err_sys("make", path), "make folders");
		free(path);
	}
	begin(&x, top, -1);
	for (unsigned i = 0; i < POLICIES; i++)
		short_policy(&x, i, 1);
	do_deliver(&x);
	do_append(&x);
	do_create(&x);
	do_append(&x);
	snprintf(below, sizeof(below), "%s/" BELOW, x.folder);
	short_must(store_create(x.s, below, BELOW_USE), "create a folder");
	short_append(&x, below, "");
	end(&x);
}

/* What the client sees in folder NAME, which is open as M. */
static void tell_all(const struct session *x, const char *name,
		     struct mailbox *m)
{
	char token[WORD];

	for (uint32_t i = 1; i <= mailbox_count(m); i++) {
		struct mailbox_message msg = mailbox_get(m, i);

		short_token(m, i, token);
		short_tell(x, "have " USER " %s %u %u %s", name,
			   mailbox_uidvalidity(m), msg.uid, token);
		short_tell(x, "flags " USER " %s %u %u", name, msg.uid,
			   msg.flags);
	}
	short_tell(x, "numbers " USER " %s %u %u %" PRIu64, name,
		   mailbox_uidvalidity(m), mailbox_uidnext(m),
		   mailbox_highestmodseq(m));
}

void short_look(const struct session *x, const char *name)
{
	struct mailbox *m;

	short_must(mailbox_open(x->s, name, true, &m), "open a folder");
	tell_all(x, name, m);
	mailbox_close(&m);
}

/* As a client that knows no message yet. */
static void look_first(struct session *x, const char *name)
{
	struct mailbox *m;
	char token[WORD];

	short_must(mailbox_open(x->s, name, true, &m), "open a folder");
	for (uint32_t i = 1; i <= mailbox_count(m); i++) {
		short_token(m, i, token);
		x->tokens++;
		short_tell(x, "mail %s %d - " ADDRESS, token, LINES);
		short_tell(x, "promised %s", token);
	}
	tell_all(x, name, m);
	mailbox_close(&m);
}

static void look(struct session *x)
{
	static const char below[] = "New1/" BELOW;

	short_must(mailbox_open(x->s, "INBOX", false, &x->m), "open INBOX");
	short_refresh(x);
	look_first(x, "INBOX");
	strcpy(x->folder, "New1");
	strcpy(x->above, x->folder);
	x->names = 1;
	look_first(x, x->folder);
	look_first(x, below);
	short_tell(x, "using " USER " %s " BELOW_USE, below);
	short_tell(x, "used " USER " %s " BELOW_USE, below);
	for (unsigned i = 0; i < POLICIES; i++)
		short_tell(x, "fetched tls-policy d%u.test 1", i);
}

static bool (*find(const struct short_word *list, const char *word))(
	struct session *x)
{
	for (; list->word; list++)
		if (strcmp(list->word, word) == 0)
			return list->act;
	return NULL;
}

static bool do_word(struct session *x, const char *word)
{
	bool (*act)(struct session *x) = find(short_words, word);
	bool done;

	if (!act)
		act = find(short_rare, word);
	if (!act)
		short_must(ERR_SYNTAX, "do that");
	short_refresh(x);
	done = act(x);
	short_refresh(x);
	return done;
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
			short_tell(&x, "now");
		did = do_word(&x, word);
	}
	end(&x);
	free(copy);
	return did ? 0 : SHORT_IDLE;
}
