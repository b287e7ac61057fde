/*
 * Where the messages of a copy or a REPLACE between users come from: the selected
 * folder, which is our user's, or is served by a visit. And how such a command
 * begins, fails and ends.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "imapd/flags.h"
#include "imapd/others-copy.h"
#include "imapd/set.h"
#include "mailbox/append.h"

#define HEAD_MAX 65536
#define FETCH_MAX 50 /* messages; the rest of them is read after a failure */
#define CHOSEN_MAX (1u << 28)
#define GONE "[EXPUNGEISSUED] Some messages are gone: nothing was copied."

bool copying_failed(struct copying *c, int code)
{
	c->code = code;
	return code == ERR_OK;
}

bool copying_refused(struct copying *c, const char *no)
{
	c->no = no;
	return false;
}

static bool lost(struct copying *c, struct visit *v)
{
	c->lost = v;
	return false;
}

bool copying_not_taken(struct copying *c, enum visit_reply reply)
{
	if (reply != VISIT_NO)
		return lost(c, c->to);
	c->sending = false;
	return copying_refused(
		c, arena_strdup(c->s->c.arena,
				c->to->line.data + strlen(VISIT_TAG " NO ")));
}

bool copying_added(struct copying *c, enum visit_reply reply)
{
	unsigned validity, first;

	if (reply != VISIT_OK)
		return copying_not_taken(c, reply);
	if (sscanf(c->to->line.data, VISIT_TAG " OK [APPENDUID %u %u",
		   &validity, &first) != 2)
		return lost(c, c->to);
	c->sending = false;
	c->uidvalidity = validity;
	c->first = first;
	return true;
}

/* The line of V in words, or NULL. */
static const struct arg *words(struct copying *c, struct visit *v)
{
	struct args_limits limits = { .depth = 10, .args = 1000, .utf8 = true };
	const char *why;

	arena_reset(c->scratch);
	return args_parse(c->scratch, v->line.data, v->line.len, &limits, &why);
}

/* The items of "* n FETCH (…)" or "* uid UIDFETCH (…)", or NULL if the line is
 * another. */
static const struct arg *fetched(struct copying *c, struct visit *v)
{
	const struct arg *a = words(c, v);

	return a && args_count(a) == 4 &&
			       (arg_is(&a[2], "FETCH") ||
				arg_is(&a[2], "UIDFETCH")) &&
			       a[3].type == ARG_LIST
		       ? a[3].list
		       : NULL;
}

/* The item NAME's value, or NULL. */
static const struct arg *item(const struct arg *items, const char *name)
{
	for (; items->type != ARG_END && items[1].type != ARG_END; items += 2)
		if (items->type == ARG_ATOM && str_equal_ci(items->s, name))
			return &items[1];
	return NULL;
}

static bool read_uid(const struct arg *items, uint32_t *uid)
{
	const struct arg *a = item(items, "UID");
	uint64_t n;

	*uid = a && arg_number(a, 1, &n) && n <= UINT32_MAX ? (uint32_t)n : 0;
	return *uid > 0;
}

/* The UIDs of "* CHOSEN [uids]", each of a message. */
static bool take_chosen(struct copying *c, struct visit *v)
{
	const struct arg *a = words(c, v);
	struct set set = { .n = 0 };
	uint64_t n;

	if (!a || args_count(a) < 2 || !arg_is(&a[1], "CHOSEN") ||
	    (a[2].type == ARG_ATOM &&
	     !set_parse_known(c->s->c.arena, a[2].s, &set)))
		return false;
	n = set_count(&set);
	if (n > CHOSEN_MAX)
		return false;
	c->uid = arena_alloc(c->s->c.arena, (n + 1) * sizeof(*c->uid));
	c->n = 0;
	for (size_t i = 0; i < set.n; i++)
		for (uint32_t k = 0; k <= set.range[i].to - set.range[i].from;
		     k++)
			c->uid[c->n++] = set.range[i].from + k;
	return true;
}

/* Which messages the client means, asked of the other session. */
static bool find_there(struct copying *c)
{
	struct visit *v = c->from;
	enum visit_reply reply;
	bool found = false;

	visit_ask(v, "%sCHOOSE %s", c->s->by_uid ? "UID " : "",
		  c->s->c.args[0].s);
	while ((reply = visit_read(v)) == VISIT_LINE)
		if (!found && take_chosen(c, v))
			found = true;
		else
			others_pass_line(c->s, v);
	if (reply == VISIT_OK && !found)
		return lost(c, v);
	if (reply == VISIT_BAD) {
		c->told = true;
		return conn_bad(&c->s->c, "Not a set of messages here.");
	}
	return reply == VISIT_LOST || reply == VISIT_PLUS ? lost(c, v)
	       : reply == VISIT_OK			  ? true
				   : copying_refused(c, GONE);
}

static bool find_here(struct copying *c)
{
	struct session *s = c->s;

	if (!set_messages(s, &s->c.args[0], &c->seq, &c->n)) {
		c->told = true;
		return false;
	}
	c->uid = arena_alloc(s->c.arena, (c->n + 1) * sizeof(*c->uid));
	for (size_t i = 0; i < c->n; i++)
		c->uid[i] = mailbox_uid(s->box, c->seq[i]);
	return true;
}

static bool read_here(struct copying *c, size_t i)
{
	struct mailbox_message m = mailbox_get(c->s->box, c->seq[i]);
	char date[CLOCK_DATE_SIZE];
	int code;

	if (m.gone)
		return copying_refused(c, GONE);
	m.recent = false;
	flags_put(&c->head, c->s->box, &m);
	buf_puts(&c->head, " \"");
	buf_puts(&c->head, clock_imap_date(date, sizeof(date), m.received));
	buf_putc(&c->head, '"');
	code = mailbox_text(c->s->box, c->seq[i], &c->text);
	return code == ERR_NOT_FOUND ? copying_refused(c, GONE)
				     : copying_failed(c, code);
}

/* The flags and the date of a message that was fetched, and its text. */
static bool take_fetched(struct copying *c, const struct arg *items)
{
	const struct arg *flags = item(items, "FLAGS"),
			 *date = item(items, "INTERNALDATE"),
			 *text = item(items, "BODY[]");
	const char *space = "";

	if (!flags || flags->type != ARG_LIST || !date || !text || !date->s ||
	    (text->type != ARG_STRING && text->type != ARG_BINARY))
		return false;
	buf_putc(&c->head, '(');
	for (const struct arg *f = flags->list; f->type == ARG_ATOM; f++)
		if (!str_equal_ci(f->s, "\\Recent")) {
			buf_printf(&c->head, "%s%s", space, f->s);
			space = " ";
		}
	buf_printf(&c->head, ") \"%s\"", date->s);
	buf_put(&c->text, text->s, text->n);
	return true;
}

static int compare(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Is this what was asked for, a message of ours with its text? Of *UID. */
static bool is_answer(const struct copying *c, const struct arg *items,
		      uint32_t *uid)
{
	return items && item(items, "BODY[]") && read_uid(items, uid) &&
	       bsearch(uid, c->uid, c->n, sizeof(*uid), compare);
}

/* The next answer into *ITEMS and *UID; other lines are passed on. Else how the
 * FETCH has ended. */
static enum visit_reply next_answer(struct copying *c, const struct arg **items,
				    uint32_t *uid)
{
	enum visit_reply reply;

	while ((reply = visit_read(c->from)) == VISIT_LINE) {
		*items = fetched(c, c->from);
		if (is_answer(c, *items, uid))
			return VISIT_LINE;
		others_pass_line(c->s, c->from);
	}
	c->fetching = false;
	return reply;
}

/* Reads what is left of the answers, so that the next command finds its own. */
bool source_end(struct copying *c)
{
	enum visit_reply reply = VISIT_LINE;
	const struct arg *items;
	uint32_t uid;

	if (!c->fetching)
		return true;
	while (reply == VISIT_LINE)
		reply = next_answer(c, &items, &uid);
	return reply == VISIT_OK || reply == VISIT_NO ||
	       lost(c, c->from);
}

static bool begin_fetch(struct copying *c, size_t i)
{
	size_t n = c->n - i < FETCH_MAX ? c->n - i : FETCH_MAX;
	struct buf set;

	if (!source_end(c))
		return false;
	buf_init(&set, 1 << 16);
	set_put(&set, c->uid + i, n);
	visit_ask(c->from, "UID FETCH %s (UID FLAGS INTERNALDATE BODY.PEEK[])",
		  set.data);
	buf_free(&set);
	c->asked = i + n;
	c->fetching = true;
	return true;
}

/* Answers come in the order of UIDs, as these are. */
static bool read_there(struct copying *c, size_t i)
{
	const struct arg *items;
	enum visit_reply reply;
	uint32_t uid;

	if (i == c->asked && !begin_fetch(c, i))
		return false;
	reply = next_answer(c, &items, &uid);
	if (reply == VISIT_LINE && uid == c->uid[i] && take_fetched(c, items))
		return true;
	return reply == VISIT_LOST || reply == VISIT_PLUS
		       ? lost(c, c->from)
		       : copying_refused(c, GONE);
}

bool source_find(struct copying *c)
{
	return c->from ? find_there(c) : find_here(c);
}

bool source_read(struct copying *c, size_t i)
{
	buf_reset(&c->head);
	buf_reset(&c->text);
	return c->from ? read_there(c, i) : read_here(c, i);
}

static bool remove_here(struct copying *c)
{
	if (!copying_failed(c, mailbox_expunge(c->s->box, c->seq, c->n, false)))
		return false;
	session_changed(c->s, FEED_GONE);
	return true;
}

/* First \Deleted, since only such messages are expunged by UID; changes that
 * the client has to know are passed on. */
static bool remove_there(struct copying *c)
{
	struct visit *v = c->from;
	enum visit_reply reply;
	struct buf set;

	buf_init(&set, 64 << 20);
	set_put(&set, c->uid, c->n);
	visit_ask(v, "UID STORE %s +FLAGS.SILENT (\\Deleted)", set.data);
	reply = visit_pass(c->s, v, VISIT_TAG, false);
	if (reply == VISIT_OK || reply == VISIT_NO) {
		visit_ask(v, "UID EXPUNGE %s", set.data);
		reply = visit_pass(c->s, v, VISIT_TAG, false);
	}
	buf_free(&set);
	return reply == VISIT_OK ? true
	       : reply == VISIT_NO
		       ? copying_refused(c, "[NOPERM] Copied, but not "
					    "removed.")
		       : lost(c, v);
}

bool source_remove(struct copying *c)
{
	return c->from ? remove_there(c) : remove_here(c);
}

/* May the visitor remove messages from the selected folder? It is asked before
 * anything is copied. */
bool source_may_remove(struct copying *c)
{
	enum visit_reply reply;

	if (!c->move || !c->from)
		return true;
	visit_ask(c->from, "REMOVABLE");
	reply = others_finish(c->s, c->from);
	return reply == VISIT_OK ? true
	       : reply == VISIT_NO
		       ? copying_refused(c, "[NOPERM] You may not remove "
					    "messages here.")
		       : lost(c, c->from);
}

static void tell_failure(struct copying *c)
{
	if (c->told)
		return;
	if (c->lost)
		others_lost(c->s, c->lost);
	else if (c->no)
		session_reply(c->s, "NO %s", c->no);
	else if (c->code == ERR_NOT_FOUND && !c->append)
		session_reply(c->s, "NO [TRYCREATE] No such mailbox.");
	else if (c->code != ERR_OK)
		session_fail(c->s, c->code);
}

void copying_begin(struct copying *c)
{
	c->scratch = arena_new();
	buf_init(&c->head, HEAD_MAX);
	buf_init(&c->text, (size_t)c->s->message_max);
}

void copying_end(struct copying *c)
{
	if (c->lost != c->from)
		source_end(c);
	tell_failure(c);
	/* an APPEND that is not ended adds nothing */
	if (c->sending && !c->lost)
		others_leave(c->s, c->to);
	append_free(&c->append);
	arena_free(&c->scratch);
	buf_free(&c->head);
	buf_free(&c->text);
}
