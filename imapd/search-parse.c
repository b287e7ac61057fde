/*
 * SEARCH's keys become a tree. The table `words` has a row for each key: what
 * it asks, which operand it takes, whether it is the negation of another.
 * Texts are converted to UTF-8 and folded once, here. Each key gets a cost for
 * what has to be read to answer it, and children are sorted by cost: so AND
 * and OR ask the table before the cache, and the cache before the message.
 */
#include "imapd/search.h"

#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "imapd/enabled.h"
#include "imaptext/imaptext.h"
#include "mime/decode.h"

#define DEPTH_MAX 60
#define KEYS_MAX 2000 /* each is asked of each message */
#define COSTS 4
#define TEXT_MAX 65536

enum operand {
	NONE,
	TEXT,
	ID,
	DATE,
	AGE,
	MODSEQ,
	SIZE,
	NUMBER,
	KEYWORD,
	SET,
	FIELD,
	KEY,
	NEAR_KEY, /* which texts need match only nearly */
	TWO_KEYS
};

struct word {
	const char *name;
	enum search_type type;
	enum operand operand;
	bool not ;
	unsigned flags;
	const char *field; /* of SEARCH_HEADER and SEARCH_ADDRESS */
};

static const struct word words[] = {
	{ "ALL", SEARCH_ALL, NONE, false, 0, NULL },
	{ "ANSWERED", SEARCH_FLAG, NONE, false, MAILBOX_ANSWERED, NULL },
	{ "BCC", SEARCH_ADDRESS, TEXT, false, 0, "Bcc" },
	{ "BEFORE", SEARCH_BEFORE, DATE, false, 0, NULL },
	{ "BODY", SEARCH_BODY, TEXT, false, 0, NULL },
	{ "CC", SEARCH_ADDRESS, TEXT, false, 0, "Cc" },
	{ "DELETED", SEARCH_FLAG, NONE, false, MAILBOX_DELETED, NULL },
	{ "DRAFT", SEARCH_FLAG, NONE, false, MAILBOX_DRAFT, NULL },
	{ "EMAILID", SEARCH_EMAILID, ID, false, 0, NULL },
	{ "FLAGGED", SEARCH_FLAG, NONE, false, MAILBOX_FLAGGED, NULL },
	{ "FROM", SEARCH_ADDRESS, TEXT, false, 0, "From" },
	{ "FUZZY", SEARCH_AND, NEAR_KEY, false, 0, NULL },
	{ "HEADER", SEARCH_HEADER, FIELD, false, 0, NULL },
	{ "KEYWORD", SEARCH_KEYWORD, KEYWORD, false, 0, NULL },
	{ "LARGER", SEARCH_LARGER, SIZE, false, 0, NULL },
	{ "MODSEQ", SEARCH_MODSEQ, MODSEQ, false, 0, NULL },
	{ "NEW", SEARCH_NEW, NONE, false, 0, NULL },
	{ "NOT", SEARCH_AND, KEY, true, 0, NULL },
	{ "OLD", SEARCH_RECENT, NONE, true, 0, NULL },
	{ "OLDER", SEARCH_OLDER, AGE, false, 0, NULL },
	{ "ON", SEARCH_ON, DATE, false, 0, NULL },
	{ "OR", SEARCH_OR, TWO_KEYS, false, 0, NULL },
	{ "RECENT", SEARCH_RECENT, NONE, false, 0, NULL },
	{ "SAVEDATESUPPORTED", SEARCH_ALL, NONE, false, 0, NULL },
	{ "SAVEDBEFORE", SEARCH_SAVEDBEFORE, DATE, false, 0, NULL },
	{ "SAVEDON", SEARCH_SAVEDON, DATE, false, 0, NULL },
	{ "SAVEDSINCE", SEARCH_SAVEDSINCE, DATE, false, 0, NULL },
	{ "SEEN", SEARCH_FLAG, NONE, false, MAILBOX_SEEN, NULL },
	{ "SENTBEFORE", SEARCH_SENTBEFORE, DATE, false, 0, NULL },
	{ "SENTON", SEARCH_SENTON, DATE, false, 0, NULL },
	{ "SENTSINCE", SEARCH_SENTSINCE, DATE, false, 0, NULL },
	{ "SINCE", SEARCH_SINCE, DATE, false, 0, NULL },
	{ "SMALLER", SEARCH_SMALLER, SIZE, false, 0, NULL },
	{ "SUBJECT", SEARCH_HEADER, TEXT, false, 0, "Subject" },
	{ "TEXT", SEARCH_TEXT, TEXT, false, 0, NULL },
	{ "THREADID", SEARCH_THREADID, ID, false, 0, NULL },
	{ "TO", SEARCH_ADDRESS, TEXT, false, 0, "To" },
	{ "UID", SEARCH_UID, SET, false, 0, NULL },
	{ "UIDAFTER", SEARCH_AFTER, NUMBER, false, 0, NULL },
	{ "UIDBEFORE", SEARCH_EARLIER, NUMBER, false, 0, NULL },
	{ "UNANSWERED", SEARCH_FLAG, NONE, true, MAILBOX_ANSWERED, NULL },
	{ "UNDELETED", SEARCH_FLAG, NONE, true, MAILBOX_DELETED, NULL },
	{ "UNDRAFT", SEARCH_FLAG, NONE, true, MAILBOX_DRAFT, NULL },
	{ "UNFLAGGED", SEARCH_FLAG, NONE, true, MAILBOX_FLAGGED, NULL },
	{ "UNKEYWORD", SEARCH_KEYWORD, KEYWORD, true, 0, NULL },
	{ "UNSEEN", SEARCH_FLAG, NONE, true, MAILBOX_SEEN, NULL },
	{ "YOUNGER", SEARCH_YOUNGER, AGE, false, 0, NULL },
};

struct parser {
	struct session *s;
	const struct arg *a; /* the next argument */
	const char *charset;
	int depth;
	int keys; /* so far */
	unsigned texts;
	unsigned near; /* within as many FUZZY */
	const char *why; /* what is wrong, if more is to be said */
	bool by_modseq;
	bool by_score;
};

static bool parse_key(struct parser *p, struct search_key *key);

static bool parse_text(struct parser *p, struct search_key *key)
{
	const char *text = arg_astring(p->a);
	struct buf utf8, folded;

	if (!text || p->a->n > TEXT_MAX)
		return false;
	buf_init(&utf8, 8 * TEXT_MAX);
	buf_init(&folded, 32 * TEXT_MAX);
	mime_to_utf8(&utf8, p->charset, text, p->a->n);
	mime_fold_case(&folded, utf8.data, utf8.len);
	needle_init(&key->text,
		    arena_strndup(p->s->c.arena, folded.data, folded.len),
		    folded.len);
	if (p->near > 0)
		key->like = fuzzy_new(p->s->c.arena, folded.data, folded.len);
	buf_free(&utf8);
	buf_free(&folded);
	p->a++;
	return true;
}

/* As it is. */
static bool parse_id(struct parser *p, struct search_key *key)
{
	const char *id = arg_astring(p->a);

	needle_init(&key->text, id, id ? p->a->n : 0);
	p->a++;
	return id;
}

static bool parse_field(struct parser *p, struct search_key *key)
{
	key->name = arg_astring(p->a);
	if (!key->name || !*key->name)
		return false;
	p->a++;
	return parse_text(p, key);
}

static bool parse_date(struct parser *p, struct search_key *key)
{
	const char *text = arg_astring(p->a);

	p->a++;
	return text && date_parse(text, &key->day);
}

/* Seconds before now (RFC 5032). */
static bool parse_age(struct parser *p, struct search_key *key)
{
	int64_t n;

	if (p->a->type != ARG_ATOM ||
	    !str_span_to_int(p->a->s, p->a->n, 1, UINT32_MAX, &n))
		return false;
	key->when = (int64_t)clock_wall() - n;
	key->moving = true;
	p->a++;
	return true;
}

/* Perhaps after the name of a flag and a type, for servers whose flags have
 * mod-sequences of their own: "/flags/\\seen" all. */
static bool parse_modseq(struct parser *p, struct search_key *key)
{
	if (p->a->type == ARG_STRING && str_starts_ci(p->a->s, "/flags/")) {
		p->a++;
		if (!arg_is(p->a, "priv") && !arg_is(p->a, "shared") &&
		    !arg_is(p->a, "all"))
			return false;
		p->a++;
	}
	p->by_modseq = true;
	return arg_number(p->a++, 0, &key->modseq);
}

static bool parse_number(struct parser *p, struct search_key *key)
{
	uint64_t n;

	if (!arg_number(p->a, 0, &n) || n > UINT32_MAX)
		return false;
	key->size = (uint32_t)n;
	p->a++;
	return true;
}

/* In IMAP4rev2 it has 63 bits, though no message here is as large. */
static bool parse_size(struct parser *p, struct search_key *key)
{
	uint64_t n;

	if (!enabled(p->s, ENABLED_REV2))
		return parse_number(p, key);
	if (!arg_number(p->a, 0, &n))
		return false;
	key->size = n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
	p->a++;
	return true;
}

/* An atom by the grammar, but some clients quote it. */
static bool parse_keyword(struct parser *p, struct search_key *key)
{
	const char *name = arg_astring(p->a);

	if (!name)
		return false;
	key->name = name;
	if (mailbox_keyword_bit(p->s->box, name, false, &key->keywords) !=
	    ERR_OK)
		key->keywords = 0;
	p->a++;
	return true;
}

static bool parse_set(struct parser *p, struct search_key *key)
{
	uint32_t last = mailbox_count(p->s->box);

	if (set_is_saved(p->a)) {
		key->type = SEARCH_UID;
		set_saved(p->s, &key->set);
		p->a++;
		return true;
	}
	if (key->type == SEARCH_UID && last > 0)
		last = mailbox_uid(p->s->box, last);
	if (p->a->type != ARG_ATOM ||
	    !set_parse(p->s->c.arena, p->a->s, last, &key->set))
		return false;
	key->moving = key->type == SEARCH_UID && strchr(p->a->s, '*');
	p->a++;
	return true;
}

/* N keys as children, or as many as there are with EVERY; the cheaper ones
 * first, else in the order in which they came. */
#define EVERY (-1)
static bool parse_children(struct parser *p, struct search_key *key, int n)
{
	struct search_key *first[COSTS] = { NULL }, **end[COSTS], *child;
	int cost;

	for (cost = 0; cost < COSTS; cost++)
		end[cost] = &first[cost];
	for (; n == EVERY ? p->a->type != ARG_END : n > 0; n -= n != EVERY) {
		child = arena_alloc(p->s->c.arena, sizeof(*child));
		if (!parse_key(p, child))
			return false;
		if (child->cost > key->cost)
			key->cost = child->cost;
		*end[child->cost] = child;
		end[child->cost] = &child->next;
	}
	for (cost = COSTS - 1; cost >= 0; cost--) {
		*end[cost] = key->child;
		key->child = first[cost];
	}
	return true;
}

static bool parse_near(struct parser *p, struct search_key *key)
{
	bool good;

	p->by_score = true;
	p->near++;
	good = parse_children(p, key, 1);
	p->near--;
	return good;
}

static int cost_of(const struct search_key *key)
{
	switch (key->type) {
	case SEARCH_SENTBEFORE:
	case SEARCH_SENTON:
	case SEARCH_SENTSINCE:
	case SEARCH_THREADID:
		return 1;
	case SEARCH_HEADER:
	case SEARCH_ADDRESS:
		return imap_is_cached_field(key->name, strlen(key->name)) ? 1
									  : 2;
	case SEARCH_EMAILID:
		return 2;
	case SEARCH_BODY:
	case SEARCH_TEXT:
		return 3;
	default:
		return key->cost;
	}
}

static bool parse_operand(struct parser *p, const struct word *w,
			  struct search_key *key)
{
	switch (w->operand) {
	case NONE:
		return true;
	case TEXT:
		return parse_text(p, key);
	case ID:
		return parse_id(p, key);
	case DATE:
		return parse_date(p, key);
	case AGE:
		return parse_age(p, key);
	case MODSEQ:
		return parse_modseq(p, key);
	case SIZE:
		return parse_size(p, key);
	case NUMBER:
		return parse_number(p, key);
	case KEYWORD:
		return parse_keyword(p, key);
	case SET:
		return parse_set(p, key);
	case FIELD:
		return parse_field(p, key);
	case KEY:
		return parse_children(p, key, 1);
	case NEAR_KEY:
		return parse_near(p, key);
	case TWO_KEYS:
		return parse_children(p, key, 2);
	}
	return false;
}

/* Does the client know W? IMAP4rev2 has no \Recent. */
static bool is_known(const struct parser *p, const struct word *w)
{
	return !enabled(p->s, ENABLED_REV2) ||
	       (w->type != SEARCH_RECENT && w->type != SEARCH_NEW);
}

/* A set by itself (RFC 9586 section 3.5); "$" has no numbers. */
static bool parse_numbers(struct parser *p, struct search_key *key)
{
	key->type = SEARCH_NUMBER;
	p->s->by_number = true;
	if (!parse_set(p, key))
		return false;
	if (key->type == SEARCH_NUMBER && enabled(p->s, ENABLED_UIDONLY))
		p->why = UIDREQUIRED;
	return !p->why;
}

static bool parse_word(struct parser *p, struct search_key *key)
{
	const struct word *w = words;
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(*words); i++, w++)
		if (arg_is(p->a, w->name) && is_known(p, w))
			break;
	if (i == sizeof(words) / sizeof(*words)) {
		return parse_numbers(p, key);
	}
	key->type = w->type;
	key->not = w->not ;
	key->flags = w->flags;
	key->name = w->field;
	p->a++;
	return parse_operand(p, w, key);
}

static bool parse_list(struct parser *p, const struct arg *list,
		       struct search_key *key)
{
	const struct arg *after = p->a;
	bool good;

	key->type = SEARCH_AND;
	if (list->type == ARG_END)
		return false;
	p->a = list;
	good = parse_children(p, key, EVERY);
	p->a = after;
	return good;
}

static bool parse_key(struct parser *p, struct search_key *key)
{
	bool good;

	if (p->a->type == ARG_END || p->depth >= DEPTH_MAX ||
	    ++p->keys > KEYS_MAX)
		return false;
	p->depth++;
	if (p->a->type == ARG_LIST) {
		good = parse_list(p, p->a->list, key);
		p->a++;
	} else {
		good = parse_word(p, key);
	}
	p->depth--;
	if (good)
		key->cost = cost_of(key);
	if (key->type == SEARCH_BODY || key->type == SEARCH_TEXT)
		key->number = p->texts++;
	return good;
}

bool search_charset(struct session *s, const struct arg *a,
		    const char **charset)
{
	*charset = arg_astring(a);
	if (!*charset)
		return conn_bad(&s->c, "CHARSET takes a name.");
	if (mime_charset_known(*charset))
		return true;
	conn_reply(&s->c, "NO [BADCHARSET (US-ASCII UTF-8 ISO-8859-1 "
			  "ISO-8859-15)] Unknown charset.");
	return false;
}

struct search_key *search_parse(struct session *s, const struct arg *a,
				const char *charset)
{
	struct search_key *key = arena_alloc(s->c.arena, sizeof(*key));
	struct parser p = { .s = s, .a = a, .charset = charset };

	if (parse_list(&p, a, key)) {
		key->by_modseq = p.by_modseq;
		key->by_score = p.by_score;
		if (p.by_modseq)
			enable(s, ENABLED_CONDSTORE);
		return key;
	}
	if (p.keys > KEYS_MAX)
		conn_reply(&s->c, "NO [LIMIT] Too many search keys.");
	else
		conn_bad(&s->c, p.why ? p.why : "Invalid search key.");
	return NULL;
}
