#include "imapd/flags.h"

#include <string.h>

#include "base/err.h"
#include "base/str.h"

static const struct {
	const char *name;
	unsigned flag; /* 0: \Recent */
} names[] = {
	{ "\\Seen", MAILBOX_SEEN },	  { "\\Answered", MAILBOX_ANSWERED },
	{ "\\Flagged", MAILBOX_FLAGGED }, { "\\Deleted", MAILBOX_DELETED },
	{ "\\Draft", MAILBOX_DRAFT },	  { "\\Recent", 0 },
};

#define NAMES (sizeof(names) / sizeof(*names))

static const char *add(struct flags *f, const char *name)
{
	size_t i;

	for (i = 0; i < NAMES; i++)
		if (str_equal_ci(name, names[i].name)) {
			f->flags |= names[i].flag;
			return names[i].flag ? NULL
					     : "\\Recent is not the client's.";
		}
	if (!mailbox_is_keyword(name))
		return "Invalid flag.";
	for (i = 0; i < f->nkeywords; i++)
		if (str_equal_ci(f->keyword[i], name))
			return NULL;
	if (f->nkeywords == MAILBOX_KEYWORDS_MAX)
		return "Too many keywords.";
	f->keyword[f->nkeywords++] = name;
	return NULL;
}

const char *flags_parse(const struct arg *a, struct flags *f)
{
	const char *why = NULL;

	f->flags = 0;
	f->nkeywords = 0;
	if (a->type == ARG_LIST) {
		if (a[1].type != ARG_END)
			return "Unexpected argument.";
		a = a->list;
	}
	for (; !why && a->type != ARG_END; a++)
		why = a->type == ARG_ATOM ? add(f, a->s) : "Invalid flag.";
	return why;
}

int flags_bits(struct mailbox *m, const struct flags *f, bool create,
	       uint64_t *bits)
{
	uint64_t bit;
	size_t i;
	int code;

	*bits = 0;
	for (i = 0; i < f->nkeywords; i++) {
		code = mailbox_keyword_bit(m, f->keyword[i], create, &bit);
		if (code == ERR_OK)
			*bits |= bit;
		else if (create || code != ERR_NOT_FOUND)
			return code;
	}
	return ERR_OK;
}

void flags_put(struct buf *out, const struct mailbox *m,
	       const struct mailbox_message *msg)
{
	const char *space = "";
	unsigned i;

	buf_putc(out, '(');
	for (i = 0; i < NAMES; i++)
		if (names[i].flag ? (msg->flags & names[i].flag) != 0
				  : msg->recent) {
			buf_puts(out, space);
			buf_puts(out, names[i].name);
			space = " ";
		}
	for (i = 0; i < MAILBOX_KEYWORDS_MAX; i++) {
		const char *keyword =
			msg->keywords >> i & 1 ? mailbox_keyword(m, i) : NULL;

		if (!keyword)
			continue;
		buf_puts(out, space);
		buf_puts(out, keyword);
		space = " ";
	}
	buf_putc(out, ')');
}
