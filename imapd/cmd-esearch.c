/*
 * ESEARCH (RFC 7377): a search of many folders, which says the UIDs that it
 * found in each. Folders other than the selected one are opened for reading,
 * and take its place in the session while they are searched.
 */
#include "base/err.h"
#include "base/str.h"
#include "imapd/commands.h"
#include "imapd/reopen.h"
#include "imapd/result.h"
#include "imapd/search.h"
#include "imapd/sources.h"
#include "log/log.h"
#include "mailbox/signing.h"

struct esearch {
	struct session *s;
	struct sources in;
	struct result asked; /* what RETURN says */
	const struct arg *keys;
	const char *charset;
	bool failed; /* and the client was told */
};

/* " MAILBOX name UIDVALIDITY n" */
static const char *correlators(struct session *s, const char *name)
{
	struct buf b;
	const char *text;

	buf_init(&b, 16 * FOLDER_NAME_SIZE);
	buf_puts(&b, " MAILBOX ");
	session_put_name(s, &b, name);
	buf_printf(&b, " UIDVALIDITY %u", mailbox_uidvalidity(s->box));
	text = arena_strdup(s->c.arena, b.data);
	buf_free(&b);
	return text;
}

/* Searches the folder that is in s->box. */
static void search_open(struct esearch *e, const char *name, bool selected)
{
	struct session *s = e->s;
	struct result r = e->asked;
	struct search_key *key = search_parse(s, e->keys, e->charset);
	struct search *m;

	if (!key || !result_fits(&r, NULL, key)) {
		e->failed = true;
		return;
	}
	r.where = correlators(s, name);
	if (!selected)
		r.wanted &= ~(unsigned)RESULT_UPDATE;
	m = search_new(s);
	search_all(m, key, &r);
	result_send(&r, NULL, key);
	search_tell_unread(m);
	search_free(&m);
}

static void search_other(struct esearch *e, const char *name)
{
	struct session *s = e->s;
	struct mailbox *selected = s->box;
	const struct session_saved saved = s->saved;
	bool unsettled = s->unsettled; /* which is of the selected one */
	int code = mailbox_open(s->store, name, true, &s->box);

	s->saved = (struct session_saved){ 0 }; /* "$" has none of these */
	if (code == ERR_OK) {
		search_open(e, name, false);
		mailbox_sign(s->box, SIGN_MS); /* there is no idle moment */
		mailbox_close(&s->box);
	}
	s->box = selected;
	s->saved = saved;
	s->unsettled = unsettled;
	if (code == ERR_OK || code == ERR_NOT_FOUND)
		return;
	log_error("imap: user=%s, mailbox=%s: cannot be searched: %s", s->user,
		  name, err_why(code));
	conn_put(&s->c, "* NO [UNAVAILABLE] A mailbox could not be searched.");
}

static void search_folder(struct esearch *e, const char *name)
{
	if (e->s->box && str_equal(name, e->s->name))
		search_open(e, name, true);
	else
		search_other(e, name);
}

static int search_many(struct esearch *e)
{
	struct store_list all;
	int code = store_list(e->s->store, &all);

	if (code != ERR_OK)
		return code;
	for (size_t i = 0; i < all.n && !e->failed; i++)
		if (all.folder[i].exists &&
		    sources_have(e->s, &e->in, &all.folder[i]))
			search_folder(e, all.folder[i].name);
	store_list_free(&all);
	return ERR_OK;
}

/* What needs a selected folder (RFC 7377 section 2.2). */
static const char *check(const struct esearch *e)
{
	const struct session *s = e->s;

	if (!s->box && (e->in.selected || e->asked.wanted & RESULT_UPDATE))
		return "No mailbox is selected.";
	if (s->visitor && e->in.others)
		return "Only the selected mailbox of another user.";
	if (e->in.others && e->asked.wanted & RESULT_SAVE)
		return "SAVE is for the selected mailbox only.";
	return NULL;
}

/* All before the keys; moves *A there. */
static bool read_options(struct esearch *e, const struct arg **a)
{
	struct session *s = e->s;
	const char *why;

	e->in.selected = true;
	if (arg_is(*a, "IN")) {
		if (!sources_parse(s, &(*a)[1], &e->in))
			return false;
		*a += 2;
	}
	if (!result_begin(&e->asked, a))
		return false;
	why = check(e);
	return !why || conn_bad(&s->c, why);
}

void cmd_esearch(struct session *s)
{
	struct esearch e = { .s = s, .charset = "UTF-8" };
	const struct arg *a = s->c.args;
	int code = ERR_OK;

	s->by_uid = true;
	if (s->box && s->lost && !reopen(s, true)) {
		conn_reply(&s->c, "NO [UNAVAILABLE] The mailbox was rebuilt "
				  "meanwhile: send NOOP.");
		return;
	}
	e.asked = (struct result){ .s = s };
	if (!read_options(&e, &a))
		return;
	if (arg_is(a, "CHARSET")) {
		if (!search_charset(s, &a[1], &e.charset)) {
			result_failed(&e.asked);
			return;
		}
		a += 2;
	}
	e.keys = a;
	if (e.in.others)
		code = search_many(&e);
	else
		search_folder(&e, s->name);
	if (code != ERR_OK)
		session_fail(s, code);
	else if (!e.failed)
		session_reply(s, "OK Search completed.");
}
