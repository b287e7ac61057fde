/*
 * Messages made of parts (CATENATE, RFC 4469): texts that the client sends, and
 * sections of messages that the user has. Those are copied byte by byte as
 * FETCH would give them.
 */
#include <string.h>

#include "base/err.h"
#include "imapd/fetch.h"
#include "imapd/rights.h"
#include "imapd/upload.h"
#include "imapd/url.h"
#include "imaptext/imaptext.h"
#include "mailbox/mailbox.h"

#define FIELDS_MAX (16 << 20)

/* "NO [BADURL url]"; what could not stand in it is left out. */
static bool bad_url(struct upload *u, const char *text)
{
	const char *p;

	for (p = text; *p >= ' ' && *p < 0x7f && *p != ']'; p++)
		;
	return upload_refuse(
		u, arena_printf(u->s->c.arena,
				"[BADURL %.*s] There is no such message or "
				"part.",
				p > text ? (int)(p - text) : 1,
				p > text ? text : "-"));
}

/* The section of the URL as FETCH parses it. */
static bool parse_section(struct upload *u, const struct url *url,
			  struct fetch *f)
{
	struct arena *a = u->s->c.arena;
	const struct args_limits limits = { .depth = 2, .args = 1000 };
	const char *item = arena_printf(a, "BODY.PEEK[%s]", url->section);
	const char *why;
	struct arg *args = args_parse(a, item, strlen(item), &limits, &why);

	return args && !fetch_parse(u->s, args, f) && f->nsections == 1 &&
	       f->what == 0 && !f->section[0].partial;
}

/* Adds what the URL wants of DATA, N. */
static bool add(struct upload *u, const struct url *url, const char *data,
		size_t n)
{
	struct buf text;
	bool good;

	if (url->partial) {
		size_t from = url->from < n ? url->from : n;

		data += from;
		n -= from;
		n = n < url->length ? n : url->length;
	}
	buf_init(&text, n);
	imap_put_bytes(&text, data, n);
	good = upload_write(u, text.data, text.len);
	buf_free(&text);
	return good;
}

static bool add_section(struct upload *u, const struct url *url,
			const struct fetch_section *sec, const struct buf *text,
			bool *found)
{
	struct arena *a = arena_new();
	struct buf chosen;
	size_t at, n;
	bool good = false;

	*found = imap_section_find(fetch_tree(u->s, a, text), &sec->section,
				   &at, &n);
	if (*found && sec->names.n == 0) {
		good = add(u, url, text->data + at, n);
	} else if (*found) {
		buf_init(&chosen, FIELDS_MAX);
		imap_put_fields(&chosen, text->data + at, n, &sec->names,
				sec->section.what == IMAP_SECTION_FIELDS_NOT);
		good = add(u, url, chosen.data, chosen.len);
		buf_free(&chosen);
	}
	arena_free(&a);
	return good;
}

/* The text of the message that URL means, in folder NAME. */
static int read_message(struct session *s, const struct url *url,
			const char *name, struct buf *text)
{
	struct mailbox *m = NULL;
	uint32_t seq;
	int code = mailbox_open(s->store, name, true, &m);

	if (code == ERR_OK) {
		seq = mailbox_find(m, url->uid);
		if (seq == 0 ||
		    (url->uidvalidity &&
		     url->uidvalidity != mailbox_uidvalidity(m)))
			code = ERR_NOT_FOUND;
		else
			code = mailbox_text(m, seq, text);
	}
	mailbox_close(&m);
	return code;
}

static bool add_url(struct upload *u, const char *text)
{
	struct session *s = u->s;
	char name[FOLDER_NAME_SIZE];
	struct url url;
	struct fetch f;
	struct buf message;
	bool good = false, found = true;
	unsigned rights;
	int code;

	if (!url_parse(text, &url) || !parse_section(u, &url, &f) ||
	    (!url.mailbox[0] && !s->box) ||
	    !session_name_of(s, url.mailbox[0] ? url.mailbox : NULL, name) ||
	    rights_find(s, name, &rights) != ERR_OK || !(rights & ACL_READ))
		return bad_url(u, text);
	buf_init(&message, (size_t)s->message_max);
	code = read_message(s, &url, name, &message);
	if (code == ERR_OK)
		good = add_section(u, &url, &f.section[0], &message, &found);
	buf_free(&message);
	if (code == ERR_NOT_FOUND || !found)
		return bad_url(u, text);
	if (code == ERR_TOO_LONG)
		return upload_refuse(u, UPLOAD_TOO_BIG);
	return code == ERR_OK ? good : upload_failed(u, code);
}

/* "URL" astring, "TEXT" literal, or "UTF8 (" literal8 ")". */
static bool take_part(struct upload *u)
{
	const struct arg *word = u->at;
	const char *text;

	if (arg_is(word, "UTF8"))
		return upload_utf8(u, false);
	u->at++;
	if (arg_is(word, "TEXT"))
		return upload_text(u);
	if (!arg_is(word, "URL"))
		return upload_bad(u, "CATENATE takes TEXT and URL.");
	if (u->at->type == ARG_END)
		return upload_string(u, URL_MAX, &text) && add_url(u, text);
	text = arg_astring(u->at);
	if (!text)
		return upload_bad(u, "A URL is missing.");
	u->at++;
	return add_url(u, text);
}

bool upload_parts(struct upload *u)
{
	u->at++;
	if (u->at->type != ARG_OPEN)
		return upload_bad(u, "CATENATE takes a list.");
	u->at++;
	do {
		if (!take_part(u))
			return false;
	} while (u->at->type != ARG_CLOSE);
	u->at++;
	if (u->size == 0)
		return upload_refuse(u, UPLOAD_EMPTY);
	return true;
}
