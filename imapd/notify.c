/*
 * What NOTIFY watches, when it looks, and what it tells of folders that are
 * not selected. Which folders there are is in notify-names.c, the command in
 * cmd-notify.c; changes of the selected folder are told by update.c, which
 * asks here what is wanted.
 */
#include "imapd/notify.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "imapd/enabled.h"
#include "imapd/metadata-watch.h"
#include "imapd/rights.h"
#include "imapd/status.h"
#include "imapd/update.h"

#define LOOK_MS 10000 /* without the feed we look for ourselves */

void notify_row_free(struct notify_row *r)
{
	free(r->name);
}

static void drop_rows(struct notify *n)
{
	for (size_t i = 0; i < n->nrows; i++)
		notify_row_free(&n->row[i]);
	free(n->row);
	n->row = NULL;
	n->nrows = 0;
}

void notify_free(struct notify **n)
{
	if (!*n)
		return;
	drop_rows(*n);
	arena_free(&(*n)->arena);
	free(*n);
	*n = NULL;
}

bool notify_wants(const struct session *s, unsigned events)
{
	return !s->notify || (s->notify->selected & events) == events;
}

const struct fetch *notify_fetch(const struct session *s)
{
	return s->notify ? s->notify->fetch : NULL;
}

static bool is_selected(const struct session *s, struct folder_id id)
{
	return s->box && folder_id_equal(mailbox_id(s->box), id);
}

/* Is there anything that the feed could tell? */
static bool needs_feed(const struct session *s)
{
	return s->notify->n > 0 || (s->box && s->notify->selected);
}

/* Watching. Each watch begins with a change, so that all is looked at once
 * more when the feed has it. */

void notify_watch(struct session *s, struct notify *n, struct notify_row *r)
{
	struct folder_token t;
	bool inbox = str_equal(r->name, "INBOX");

	if (!inbox && !(r->events & (NOTIFY_MESSAGES | NOTIFY_METADATA)))
		return;
	if (store_token(s->store, r->name, &t) != ERR_OK)
		return;
	r->watched = feed_watch_also(s->feed, &t, inbox);
	n->fed &= r->watched;
	folder_token_end(&t);
}

static struct notify_row *find_row(const struct notify *n, struct folder_id id)
{
	for (size_t i = 0; i < n->nrows; i++)
		if (n->row[i].exists && folder_id_equal(n->row[i].id, id))
			return &n->row[i];
	return NULL;
}

void notify_selected(struct session *s)
{
	struct notify *n = s->notify;
	struct notify_row *r;
	struct folder_token t;

	if (!n || !s->box || !n->selected)
		return;
	n->selected_due = true;
	n->selected_id = mailbox_id(s->box);
	r = find_row(n, n->selected_id);
	if (r && r->watched)
		return;
	t = mailbox_token(s->box);
	n->selected_watched = feed_watch_also(s->feed, &t, false);
	n->fed &= n->selected_watched;
}

/* What the client knows of the open folder; that of flags only if it was told
 * of all. */
static struct store_status known(const struct session *s)
{
	struct store_status st = {
		.messages = s->told,
		.uidnext = mailbox_uidnext(s->box),
		.uidvalidity = mailbox_uidvalidity(s->box),
		.highestmodseq = mailbox_reported(s->box),
	};

	for (uint32_t i = 1; i <= mailbox_count(s->box); i++)
		st.unseen += !(mailbox_get(s->box, i).flags & MAILBOX_SEEN);
	return st;
}

void notify_deselected(struct session *s)
{
	struct notify *n = s->notify;
	struct notify_row *r;

	if (!n || !s->box)
		return;
	r = find_row(n, mailbox_id(s->box));
	if (r && r->events & NOTIFY_MESSAGES) {
		r->told = known(s);
		r->due = true;
	}
	if (n->selected_watched && !(r && r->watched))
		feed_unwatch(s->feed, n->selected_id);
	n->selected_watched = n->selected_due = false;
}

/* The status of folders that are not selected. */

/* UNSEEN is what a list of folders shows, and costs nothing. */
static unsigned status_items(const struct session *s)
{
	unsigned items = 1U << STATUS_MESSAGES | 1U << STATUS_UIDNEXT |
			 1U << STATUS_UIDVALIDITY | 1U << STATUS_UNSEEN;

	if (enabled(s, ENABLED_CONDSTORE))
		items |= 1U << STATUS_HIGHESTMODSEQ;
	return items;
}

static bool differs(const struct session *s, const struct notify_row *r,
		    const struct store_status *now)
{
	const struct store_status *told = &r->told;
	bool modseq = enabled(s, ENABLED_CONDSTORE);

	if (now->messages != told->messages || now->uidnext != told->uidnext ||
	    now->uidvalidity != told->uidvalidity)
		return true;
	return r->events & NOTIFY_FLAGS &&
	       (modseq ? now->highestmodseq != told->highestmodseq
		       : now->unseen != told->unseen);
}

static void tell_status(struct session *s, const struct notify_row *r,
			unsigned items)
{
	buf_reset(&s->out);
	status_put_values(s, r->name, items, &r->told, &s->out);
	stream_put(s->c.io, s->out.data, s->out.len);
}

/* A folder that cannot be looked at now was removed, which the names tell, or
 * is looked at when the next thing happens. */
static void look_at(struct session *s, struct notify_row *r)
{
	struct store_status now;

	r->due = false;
	if (!r->exists || !(r->events & NOTIFY_MESSAGES) ||
	    is_selected(s, r->id) ||
	    store_status(s->store, r->name, false, &now) != ERR_OK)
		return;
	if (differs(s, r, &now)) {
		r->told = now;
		tell_status(s, r, status_items(s));
	}
	r->told = now;
}

/* RFC 5465 section 3.1: with FlagChange HIGHESTMODSEQ, too. */
static void tell_all_status(struct session *s)
{
	struct notify *n = s->notify;

	for (size_t i = 0; i < n->nrows; i++) {
		const struct notify_row *r = &n->row[i];
		unsigned items = status_items(s);

		if (!r->exists || !(r->events & NOTIFY_MESSAGES) ||
		    is_selected(s, r->id))
			continue;
		if (r->events & NOTIFY_FLAGS)
			items |= 1U << STATUS_HIGHESTMODSEQ;
		tell_status(s, r, items);
	}
}

/* Annotations. */

static void look_at_metadata(struct session *s, struct notify_row *r, bool tell)
{
	r->due_metadata = false;
	if (r->events & NOTIFY_METADATA && r->exists)
		metadata_watch_look(s, r->name, r->use, tell);
}

static void look_at_account(struct session *s, bool tell)
{
	s->notify->account_due = false;
	if (s->notify->account)
		metadata_watch_look(s, "", NULL, tell);
}

/* What has happened. */

static void mark_all(struct notify *n)
{
	for (size_t i = 0; i < n->nrows; i++)
		n->row[i].due = n->row[i].due_metadata = true;
	n->names_due = n->selected_due = n->account_due = true;
}

static void mark(struct session *s, const struct feed_change *c)
{
	struct notify *n = s->notify;
	struct notify_row *r = find_row(n, c->folder);

	if (c->what & FEED_NAMES)
		n->names_due = true;
	if (is_selected(s, c->folder))
		n->selected_due = true;
	if (!r)
		return;
	r->due |= (c->what & FEED_ANY) != 0;
	r->due_metadata |= (c->what & FEED_ANNOTATIONS) != 0;
	if (r->due_metadata && str_equal(r->name, "INBOX"))
		n->account_due = true;
}

/* Takes all that the feed has said. */
static void hear(struct session *s)
{
	struct notify *n = s->notify;
	struct feed_change c;
	int code;

	while ((code = feed_next(s->feed, &c)) == ERR_OK || code == ERR_LIMIT)
		if (code == ERR_OK)
			mark(s, &c);
		else
			mark_all(n);
	if (code == ERR_EOF && n->fed) {
		n->fed = false;
		n->look_at = 0;
	}
}

/* RFC 5465 section 5.8. */
static void overflow(struct session *s)
{
	struct notify *n = s->notify;

	drop_rows(n);
	n->n = 0;
	n->selected = 0;
	n->fetch = NULL;
	feed_watch(s->feed, NULL);
	conn_put(&s->c, "* OK [NOTIFICATIONOVERFLOW] Too many mailboxes: no "
			"more notifications.");
}

/* What cannot be listed now is listed when the next thing happens. */
static void look_at_names(struct session *s, const char *from, const char *to)
{
	struct notify *n = s->notify;

	n->names_due = false;
	if (n->n > 0 && notify_names(s, n, false, from, to) == ERR_LIMIT)
		overflow(s);
}

void notify_look(struct session *s, bool idle)
{
	struct notify *n = s->notify;

	if (!n)
		return;
	hear(s);
	if (notify_ms(s) == 0) {
		mark_all(n);
		n->look_at = clock_ms() + LOOK_MS;
	}
	if (!idle)
		conn_rest(&s->c);
	if (n->names_due)
		look_at_names(s, NULL, NULL);
	for (size_t i = 0; i < n->nrows; i++) {
		if (n->row[i].due)
			look_at(s, &n->row[i]);
		if (n->row[i].due_metadata)
			look_at_metadata(s, &n->row[i], true);
	}
	if (n->account_due)
		look_at_account(s, true);
	if (n->selected_due) {
		n->selected_due = false;
		if (rights_still_read(s))
			update_send(s, idle || !n->delayed);
	}
}

int notify_ms(const struct session *s)
{
	const struct notify *n = s->notify;
	int64_t ms;

	if (!n || !needs_feed(s) || (n->fed && !s->lost))
		return -1;
	ms = n->look_at - clock_ms();
	return ms > 0 ? (int)ms : 0;
}

int notify_fd(const struct session *s)
{
	return s->notify && s->notify->fed ? feed_fd(s->feed) : -1;
}

/* What this session has done. */

static void tell_feed(struct session *s, const char *name, unsigned what)
{
	struct feed_change c = { .what = what, .user = s->user };

	if (store_id(s->store, name, &c.folder) == ERR_OK)
		feed_tell(s->feed, &c);
}

void notify_own_names(struct session *s, const char *from, const char *to)
{
	tell_feed(s, "INBOX", FEED_NAMES);
	if (s->notify)
		look_at_names(s, from, to);
}

void notify_own_metadata(struct session *s, const char *name,
			 const struct metadata *changes)
{
	tell_feed(s, *name ? name : "INBOX", FEED_ANNOTATIONS);
	metadata_watch_own(s, name, changes);
}

/* Beginning. */

static void begin_metadata(struct session *s)
{
	struct notify *n = s->notify;

	for (size_t i = 0; i < n->nrows; i++)
		look_at_metadata(s, &n->row[i], false);
	look_at_account(s, false);
}

int notify_begin(struct session *s, struct notify *n, bool status)
{
	int code = ERR_OK;

	n->fed = feed_connected(s->feed);
	n->look_at = clock_ms() + LOOK_MS;
	if (n->n > 0)
		code = notify_names(s, n, true, NULL, NULL);
	else
		n->fed &= feed_watch(s->feed, NULL);
	if (code)
		return code;
	n->serial = s->notify ? s->notify->serial + 1 : 1;
	notify_free(&s->notify);
	s->notify = n;
	notify_selected(s);
	begin_metadata(s);
	if (status)
		tell_all_status(s);
	return ERR_OK;
}
