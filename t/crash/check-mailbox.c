/* The mailboxes after a power cut, beside what clients were told. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "mailbox/mailbox.h"
#include "mailbox/acl.h"
#include "mailbox/metadata.h"
#include "mailbox/signing.h"
#include "mailbox/store.h"
#include "mailbox/warned.h"
#include "t/crash/attached.h"
#include "t/crash/check-parts.h"

struct folder_check {
	struct check *c;
	const char *user, *folder;
	struct mailbox *m;
	struct excluded lack; /* messages in which a search finds no END */
};

#define END "END" /* the last word of a message, as searches fold it */

static unsigned flags_of(const struct folder_check *fc,
			 const struct mailbox_message *msg)
{
	const char *keyword;
	unsigned flags = msg->flags;

	for (unsigned i = 0; (keyword = mailbox_keyword(fc->m, i)); i++)
		if (strcmp(keyword, KEYWORD) == 0 && msg->keywords >> i & 1)
			flags |= KEYWORD_BIT;
	return flags;
}

static void check_id(struct folder_check *fc, const struct place *p)
{
	char id[MAILBOX_EMAIL_ID_SIZE] = "";
	int code = mailbox_email_id(fc->m, mailbox_find(fc->m, p->uid), id);

	if (code || strcmp(id, p->id) != 0)
		check_fail(fc->c, "id: %s %s UID %u was %s, is %s", fc->user,
			   fc->folder, p->uid, p->id,
			   code ? err_text(code) : id);
}

static void check_place(struct folder_check *fc, struct place *p,
			const struct mailbox_message *msg, const char *token)
{
	p->seen = true;
	if (p->gone)
		check_fail(fc->c, "came back: %s %s UID %u (%s) was expunged",
			   fc->user, fc->folder, p->uid, p->token);
	else if (strcmp(p->token, token) != 0)
		check_fail(fc->c, "another: %s %s UID %u was %s, is %s",
			   fc->user, fc->folder, p->uid, p->token, token);
	else if (p->flags_known && p->flags != flags_of(fc, msg))
		check_fail(fc->c, "flags: %s %s UID %u had %u, has %u",
			   fc->user, fc->folder, p->uid, p->flags,
			   flags_of(fc, msg));
	else if (*p->id)
		check_id(fc, p);
}

/* OTHER is what FOLDER may be called now, or "". */
static bool is_here(const struct folder_check *fc, const char *user,
		    const char *folder, const char *other)
{
	return strcmp(user, fc->user) == 0 &&
	       (strcmp(folder, fc->folder) == 0 ||
		strcmp(other, fc->folder) == 0);
}

static void see_text(struct folder_check *fc, const struct mailbox_message *msg,
		     const struct buf *text)
{
	struct facts *f = fc->c->f;
	char token[WORD] = "", rcpt[2 * WORD];
	struct mail *mail;
	bool whole;

	if (!fact_token(text->data, text->len, token, &whole)) {
		check_bounce(fc->c, text->data, text->len);
		strcpy(token, "a-bounce");
		if (text->len < 4 ||
		    memcmp(text->data + text->len - 4, "--\r\n", 4) != 0)
			check_fail(fc->c, "half: a bounce: %s %s UID %u",
				   fc->user, fc->folder, msg->uid);
	} else {
		snprintf(rcpt, sizeof(rcpt), "%s@example.test", fc->user);
		mail = fact_mail(f, token, rcpt);
		if (!whole)
			check_fail(fc->c, "half: %s: %s %s UID %u", token,
				   fc->user, fc->folder, msg->uid);
		if (!attached_is_right(fc->m, mailbox_find(fc->m, msg->uid),
				       text))
			check_fail(fc->c, "text: %s: %s %s UID %u", token,
				   fc->user, fc->folder, msg->uid);
		if (excluded_has(&fc->lack, mailbox_find(fc->m, msg->uid)))
			check_fail(fc->c, "not found: %s: %s %s UID %u", token,
				   fc->user, fc->folder, msg->uid);
		if (!mail)
			check_fail(fc->c, "invented: %s: %s %s UID %u", token,
				   fc->user, fc->folder, msg->uid);
		else
			mail->found++;
	}
	for (size_t i = 0; i < f->nplaces; i++)
		if (f->place[i].uid == msg->uid &&
		    is_here(fc, f->place[i].user, f->place[i].folder,
			    f->place[i].other))
			check_place(fc, &f->place[i], msg, token);
}

/* What was never promised, and has no whole file, goes when somebody wants
 * to read it (posthorn-mailbox(5)). */
static bool reread(struct folder_check *fc)
{
	const struct mailbox_changes *changes;
	struct buf text;

	for (uint32_t i = 1; i <= mailbox_count(fc->m); i++) {
		buf_init(&text, 64 << 20);
		mailbox_text(fc->m, i, &text);
		buf_free(&text);
	}
	return mailbox_refresh(fc->m, true, &changes) == ERR_OK;
}

static void see_message(struct folder_check *fc, uint32_t seq)
{
	struct mailbox_message msg = mailbox_get(fc->m, seq);
	struct buf text;
	int code;

	buf_init(&text, 64 << 20);
	code = mailbox_text(fc->m, seq, &text);
	if (code)
		check_fail(fc->c, "half: %s %s UID %u cannot be read: %s",
			   fc->user, fc->folder, msg.uid, err_text(code));
	else
		see_text(fc, &msg, &text);
	buf_free(&text);
}

static void check_numbers(struct folder_check *fc, struct numbers *n)
{
	n->seen = true;
	if (n->gone)
		check_fail(fc->c, "came back: %s %s was deleted", fc->user,
			   fc->folder);
	else if (n->validity && mailbox_uidvalidity(fc->m) != n->validity)
		check_fail(fc->c, "numbered anew: %s %s UIDVALIDITY %u was %u",
			   fc->user, fc->folder, mailbox_uidvalidity(fc->m),
			   n->validity);
	else if (mailbox_uidnext(fc->m) < n->uidnext)
		check_fail(fc->c, "went back: %s %s UIDNEXT %u was %u",
			   fc->user, fc->folder, mailbox_uidnext(fc->m),
			   n->uidnext);
	else if (mailbox_highestmodseq(fc->m) < n->modseq)
		check_fail(fc->c,
			   "went back: %s %s HIGHESTMODSEQ %" PRIu64
			   " was %" PRIu64,
			   fc->user, fc->folder, mailbox_highestmodseq(fc->m),
			   n->modseq);
}

/* The first word of the folder's comment; "" if there is none. */
static int read_comment(struct folder_check *fc, struct store *s,
			char word[WORD])
{
	struct metadata m = { 0 };
	const struct metadata_entry *e;
	int code = metadata_read(s, fc->folder, &m);

	*word = '\0';
	if (!code && (e = metadata_find(&m, "/private/comment")))
		snprintf(word, WORD, "%.*s", (int)strcspn(e->value, " "),
			 e->value);
	metadata_free(&m);
	return code;
}

/* HAS is "" if nothing is set. */
static void check_setting(struct folder_check *fc, const char *what,
			  const struct setting *told, const char *has, int code)
{
	if (code)
		check_fail(fc->c, "%s: %s %s cannot be read: %s", what,
			   fc->user, fc->folder, err_text(code));
	else if (!check_is_told(told, has))
		check_fail(fc->c, "%s: %s %s had \"%s\", has \"%s\"", what,
			   fc->user, fc->folder, told->now, has);
}

static void check_comment(struct folder_check *fc, struct store *s,
			  const struct numbers *n)
{
	char word[WORD];
	int code = read_comment(fc, s, word);

	check_setting(fc, "comment", &n->setting[SET_COMMENT], word, code);
}

/* What anyone may do there; and whoever may do anything is led there. */
static void check_rights(struct folder_check *fc, struct store *s,
			 const struct numbers *n)
{
	struct metadata acl = { 0 };
	int code = acl_read(s, fc->folder, &acl);
	const struct metadata_entry *e = metadata_find(&acl, ACL_ANYONE);

	check_setting(fc, "rights", &n->setting[SET_RIGHTS], e ? e->value : "",
		      code);
	if (e && !check_is_shared(fc->c, fc->user, ACL_ANYONE))
		check_fail(fc->c, "hidden: %s %s is open to anyone", fc->user,
			   fc->folder);
	metadata_free(&acl);
}

static void check_listed(struct folder_check *fc,
			 const struct store_folder *row,
			 const struct numbers *n)
{
	check_setting(fc, "subscribed", &n->setting[SET_SUBSCRIBED],
		      row->subscribed ? "yes" : "", ERR_OK);
	check_setting(fc, "use", &n->setting[SET_USE],
		      row->special_use ? row->special_use : "", ERR_OK);
}

/* How full the mailbox was at the last warning; as a delivery at a level that no
 * other has. */
static void check_warned(struct folder_check *fc, struct store *s,
			 const struct numbers *n)
{
	char level[WORD] = "";
	unsigned former = store_level(s);
	int code = store_note_level(s, 1000);

	if (!code && former > 0)
		snprintf(level, sizeof(level), "%u", former);
	check_setting(fc, "warned", &n->setting[SET_WARNED], level, code);
}

/* The comment of the account, and its warning. */
static void check_account(struct check *c, struct store *s, const char *user)
{
	struct folder_check fc = { .c = c, .user = user, .folder = "" };

	for (size_t i = 0; i < c->f->nnumbers; i++)
		if (strcmp(c->f->numbers[i].user, user) == 0 &&
		    strcmp(c->f->numbers[i].folder, NONE) == 0) {
			check_comment(&fc, s, &c->f->numbers[i]);
			check_warned(&fc, s, &c->f->numbers[i]);
		}
}

/* What the signatures say that END is not in. */
static void find_lacking(struct folder_check *fc)
{
	probe_init(&fc->lack.probe, END, strlen(END));
	fc->lack.bit =
		mem_array(mailbox_count(fc->m) / 64 + 1, sizeof(uint64_t));
	mailbox_exclude(fc->m, &fc->lack, 1);
}

static void check_folder(struct check *c, struct store *s, const char *user,
			 const struct store_folder *row)
{
	const char *folder = row->name;
	struct folder_check fc = { .c = c, .user = user, .folder = folder };
	const struct mailbox_changes *changes;
	int code = mailbox_open(s, folder, false, &fc.m);

	if (!code)
		code = mailbox_refresh(fc.m, true, &changes);
	if (!code && !reread(&fc))
		code = ERR_IO;
	if (code) {
		check_fail(c, "%s %s cannot be opened: %s", user, folder,
			   err_text(code));
		mailbox_close(&fc.m);
		return;
	}
	find_lacking(&fc);
	for (uint32_t i = 1; i <= mailbox_count(fc.m); i++)
		see_message(&fc, i);
	free(fc.lack.bit);
	for (size_t i = 0; i < c->f->nnumbers; i++)
		if (is_here(&fc, c->f->numbers[i].user, c->f->numbers[i].folder,
			    c->f->numbers[i].other)) {
			check_numbers(&fc, &c->f->numbers[i]);
			if (c->f->numbers[i].leaving)
				continue;
			check_comment(&fc, s, &c->f->numbers[i]);
			check_rights(&fc, s, &c->f->numbers[i]);
			check_listed(&fc, row, &c->f->numbers[i]);
		}
	mailbox_close(&fc.m);
}

static void check_user(struct check *c, const char *user)
{
	char *path = mem_printf("%s/mail/%s/Maildir", c->top, user);
	struct store_list list;
	struct store *s;
	/* as imapd does: one that was not made to its end is made then */
	int code = access(path, F_OK) < 0 ? ERR_NOT_FOUND
					  : store_open(path, true, &s);

	if (code == ERR_OK) {
		store_set_decoders(s, attached_decoders(), 1);
		code = store_list(s, &list);
		for (size_t i = 0; !code && i < list.n; i++)
			if (list.folder[i].exists)
				check_folder(c, s, user, &list.folder[i]);
		check_account(c, s, user);
		if (!code)
			store_list_free(&list);
		store_close(&s);
		check_damage(c, path, 1);
	} else if (code == ERR_NOT_FOUND) {
		code = ERR_OK; /* nobody had mail yet */
	}
	if (code)
		check_fail(c, "mailbox of %s: %s", user, err_text(code));
	free(path);
}

void check_mailboxes(struct check *c)
{
	struct facts *f = c->f;

	check_user(c, "alice");
	check_user(c, "bob");
	for (size_t i = 0; i < f->nplaces; i++)
		if (!f->place[i].seen && !f->place[i].leaving &&
		    !f->place[i].gone)
			check_fail(c, "lost: %s %s UID %u (%s) was told",
				   f->place[i].user, f->place[i].folder,
				   f->place[i].uid, f->place[i].token);
	for (size_t i = 0; i < f->nnumbers; i++)
		if (!f->numbers[i].seen && !f->numbers[i].leaving)
			check_fail(c, "lost: folder %s of %s",
				   f->numbers[i].folder, f->numbers[i].user);
}
