/*
 * A message is opened only if a key needs what the cache does not hold, and
 * read once for all keys: the struct keeps what was read and folded until the
 * next message. Case is folded in both key and text (mime_fold_case), so a
 * match is a search for bytes; but folding is the dearest part of it, and most
 * messages show without it whether they match (searched_held). What signatures
 * exclude is not even opened.
 */
#include "imapd/search.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "imapd/progress.h"
#include "imapd/thread-id.h"
#include "imaptext/imaptext.h"
#include "log/log.h"
#include "mailbox/attached.h"
#include "mailbox/signing.h"
#include "mime/decode.h"
#include "mime/field.h"
#include "mime/part.h"

#define TEXT_MAX (1LL << 30)
#define READ_FIRST 50	   /* messages, before signatures are asked */
#define DECODE_MS 60000	   /* for making text of attachments */
#define EXCLUDED_MAX 32	   /* keys for which they are asked */
#define LOOK_EVERY \
	256 /* messages, at the clock, where only the table is asked */

/* What was read of the current message; each at most once. */
struct search {
	struct session *s;
	uint32_t seq;
	struct mailbox_message m;
	struct buf raw;	   /* the message, as it is stored */
	struct buf header; /* its header, folded, for TEXT */
	struct buf body;   /* the text of its parts, folded */
	struct arena *arena;
	struct mime_part *root; /* its parts, or NULL */
	bool have_raw;
	bool have_text;
	bool failed; /* it could not be read */
	size_t unread;
	size_t undecoded; /* without the text of an attachment */
	struct progress progress;
	const struct search_key *keys; /* all */
	size_t read;		       /* messages, for their text */
	struct excluded excluded[EXCLUDED_MAX]; /* by the key's number */
	size_t nexcluded;			 /* 0: not asked yet */
	unsigned score; /* the sum of all FUZZY keys that match, */
	unsigned nscores; /* and how many */
	struct buf value; /* work space */
	struct buf folded;
	struct buf plain;
};

static struct buf *buffer(struct search *m, int i)
{
	struct buf *const all[] = { &m->raw, &m->header, &m->body, &m->value,
				    &m->folded, &m->plain };

	return i < 6 ? all[i] : NULL;
}

struct search *search_new(struct session *s)
{
	struct search *m = mem_alloc(sizeof(*m));
	int i;

	m->s = s;
	m->arena = arena_new();
	mailbox_attached_allow(s->box, DECODE_MS);
	progress_begin(&m->progress, &s->c, clock_ms());
	for (i = 0; buffer(m, i); i++)
		buf_init(buffer(m, i), TEXT_MAX);
	return m;
}

void search_free(struct search **m)
{
	int i;

	for (i = 0; buffer(*m, i); i++)
		buf_free(buffer(*m, i));
	arena_free(&(*m)->arena);
	while ((*m)->nexcluded > 0)
		free((*m)->excluded[--(*m)->nexcluded].bit);
	free(*m);
	*m = NULL;
}

void search_tell_unread(const struct search *m)
{
	if (m->undecoded > 0)
		conn_put(&m->s->c,
			 "* NO [UNAVAILABLE] Text in attachments of %zu messages "
			 "could not be searched.",
			 m->undecoded);
	if (m->unread > 0)
		conn_put(&m->s->c,
			 "* NO [UNAVAILABLE] %zu messages could not be read, "
			 "and are not among them.",
			 m->unread);
}

/* Did the mailbox give what was asked for? If not, and the message is not
 * gone, logs and counts it once. */
static bool can(struct search *m, int code)
{
	if (code == ERR_OK)
		return true;
	if (code == ERR_NOT_FOUND || m->failed)
		return false;
	log_error("imap: user=%s, mailbox=%s, uid=%u: cannot be searched: %s",
		  m->s->user, m->s->name, m->m.uid, err_why(code));
	m->failed = true;
	m->unread++;
	return false;
}

static bool load_raw(struct search *m)
{
	if (m->have_raw)
		return true;
	buf_reset(&m->raw);
	m->have_raw = can(m, mailbox_stored(m->s->box, m->seq, &m->raw));
	return m->have_raw;
}

/* A field's value as people read it, folded. */
static void fold_value(struct search *m, const struct mime_field *f)
{
	buf_reset(&m->value);
	buf_reset(&m->folded);
	mime_decode_words(&m->value, f->value, f->nvalue);
	mime_fold_case(&m->folded, m->value.data, m->value.len);
}

/* The header to search for field NAME: from the cache if it has such
 * fields. */
static bool find_header(struct search *m, const char *name, const char **header,
			size_t *n)
{
	struct mailbox_facts f;

	if (imap_is_cached_field(name, strlen(name))) {
		if (!can(m, mailbox_facts(m->s->box, m->seq, false, &f)))
			return false;
		*header = f.header;
		*n = f.header_len;
		return true;
	}
	if (!load_raw(m))
		return false;
	*header = m->raw.data;
	*n = m->raw.len;
	return true;
}

unsigned search_holds(const struct search_key *key, const struct buf *text,
		      struct buf *work)
{
	if (needle_is_in(&key->text, text))
		return 100;
	return key->like ? fuzzy_score(key->like, text, work) : 0;
}

/* A message's relevance is the mean of what FUZZY keys have found. */
static bool scored(struct search *m, const struct search_key *key,
		   unsigned score)
{
	if (score > 0 && key->like) {
		m->score += score;
		m->nscores++;
	}
	return score > 0;
}

unsigned search_score(const struct search *m)
{
	return m->nscores > 0 ? m->score / m->nscores : 100;
}

static unsigned value_holds(struct search *m, const struct mime_field *f,
			    const struct search_key *key)
{
	if (key->type == SEARCH_ADDRESS)
		return search_address(f->value, f->nvalue, key, &m->value,
				      &m->folded, &m->plain);
	fold_value(m, f);
	return search_holds(key, &m->folded, &m->plain);
}

static bool match_header(struct search *m, const struct search_key *key)
{
	unsigned best = 0, one;
	const char *header, *pos;
	struct mime_field f;
	size_t n;

	if (!find_header(m, key->name, &header, &n))
		return false;
	pos = header;
	while (mime_field_next(&pos, header + n, &f)) {
		if (!mime_field_is(&f, key->name))
			continue;
		one = value_holds(m, &f, key);
		best = one > best ? one : best;
		if (best == 100)
			break;
	}
	return scored(m, key, best);
}

static bool match_sent(struct search *m, const struct search_key *key)
{
	const char *header;
	struct mime_field f;
	date_day day;
	size_t n;

	if (!find_header(m, "Date", &header, &n) ||
	    !mime_field_find(header, n, "Date", &f))
		return false;
	buf_reset(&m->value);
	mime_unfold(&m->value, f.value, f.nvalue);
	if (!date_parse_header(m->value.data, &day))
		return false;
	if (key->type == SEARCH_SENTON)
		return day == key->day;
	return key->type == SEARCH_SENTBEFORE ? day < key->day
					      : day >= key->day;
}

/* Finds the parts of the message. */
static bool load_parts(struct search *m)
{
	if (!load_raw(m))
		return false;
	if (!m->root)
		m->root = mime_parse(m->arena, m->raw.data, m->raw.len);
	return true;
}

static struct searched searched(struct search *m)
{
	return (struct searched){ m->raw.data, m->root,
				  mailbox_attached(m->s->box, m->seq) };
}

static void load_text(struct search *m)
{
	const struct searched s = searched(m);

	if (m->have_text)
		return;
	buf_reset(&m->header);
	buf_reset(&m->body);
	searched_text(&m->header, &m->body, &s);
	m->have_text = true;
}

/* Prepares to ask signatures about KEY and those below it. */
static void add_excluded(struct search *m, const struct search_key *key)
{
	const struct search_key *child;
	size_t words = mailbox_count(m->s->box) / 64 + 1;

	for (child = key->child; child; child = child->next)
		add_excluded(m, child);
	if ((key->type != SEARCH_BODY && key->type != SEARCH_TEXT) ||
	    key->number >= EXCLUDED_MAX || key->like)
		return;
	probe_init(&m->excluded[key->number].probe, key->text.text,
		   key->text.n);
	m->excluded[key->number].bit = mem_array(words, sizeof(uint64_t));
	if (key->number >= m->nexcluded)
		m->nexcluded = key->number + 1;
}

/* Signatures are read as a whole, which does not pay for a few messages. */
static void ask_signatures(struct search *m)
{
	struct session *s = m->s;

	if (s->signed_from == 0 ||
	    mailbox_count(s->box) < s->signed_from)
		return;
	add_excluded(m, m->keys);
	mailbox_exclude(s->box, m->excluded, m->nexcluded);
	s->unsettled = true; /* those that are missing are made later */
}

static bool is_excluded(const struct search *m, const struct search_key *key)
{
	return key->number < m->nexcluded && !key->like &&
	       excluded_has(&m->excluded[key->number], m->seq);
}

/* What is only in the body counts a little less. */
static unsigned near_text(struct search *m, const struct search_key *key)
{
	unsigned header, body;

	if (!load_parts(m))
		return 0;
	load_text(m);
	header = key->type == SEARCH_TEXT
			 ? search_holds(key, &m->header, &m->plain)
			 : 0;
	body = header == 100 ? 0 : search_holds(key, &m->body, &m->plain);
	if (key->type == SEARCH_TEXT && body > 10)
		body -= 10;
	return header > body ? header : body;
}

static bool match_text(struct search *m, const struct search_key *key)
{
	bool whole = key->type == SEARCH_TEXT;

	if (key->like)
		return scored(m, key, near_text(m, key));
	if (is_excluded(m, key))
		return false;
	if (!m->have_raw && m->read++ == READ_FIRST)
		ask_signatures(m);
	if (is_excluded(m, key) || !load_parts(m))
		return false;
	if (!m->have_text) {
		const struct searched s = searched(m);
		enum held h = searched_held(&s, whole, &key->text, &m->value);

		if (h != HELD_UNSURE)
			return h == HELD;
	}
	load_text(m);
	return needle_is_in(&key->text, &m->body) ||
	       (whole && needle_is_in(&key->text, &m->header));
}

static bool match_size(struct search *m, const struct search_key *key)
{
	uint32_t size = m->m.size;

	if (size == 0 && !can(m, mailbox_size(m->s->box, m->seq, &size)))
		return false;
	return key->type == SEARCH_LARGER ? size > key->size : size < key->size;
}

static bool match_date(const struct search *m, const struct search_key *key)
{
	date_day day = date_of(m->m.received);

	switch (key->type) {
	case SEARCH_BEFORE:
		return day < key->day;
	case SEARCH_ON:
		return day == key->day;
	case SEARCH_OLDER:
		return m->m.received <= key->when;
	case SEARCH_YOUNGER:
		return m->m.received >= key->when;
	default:
		return day >= key->day;
	}
}

static bool is_id(const struct search_key *key, const char *id)
{
	return strlen(id) == key->text.n &&
	       memcmp(id, key->text.text, key->text.n) == 0;
}

static bool match_email_id(struct search *m, const struct search_key *key)
{
	char id[MAILBOX_EMAIL_ID_SIZE];

	return can(m, mailbox_email_id(m->s->box, m->seq, id)) &&
	       is_id(key, id);
}

static bool match_thread_id(struct search *m, const struct search_key *key)
{
	char id[THREAD_ID_SIZE];

	return can(m, thread_id(m->s, m->seq, id)) && *id && is_id(key, id);
}

static bool match_saved(const struct search *m, const struct search_key *key)
{
	date_day day = date_of(m->m.saved);

	if (key->type == SEARCH_SAVEDBEFORE)
		return day < key->day;
	return key->type == SEARCH_SAVEDON ? day == key->day : day >= key->day;
}

static bool match(struct search *m, const struct search_key *key);

static bool match_children(struct search *m, const struct search_key *key)
{
	bool any = key->type == SEARCH_OR;
	const struct search_key *child;

	for (child = key->child; child; child = child->next)
		if (match(m, child) == any)
			return any;
	return !any;
}

static bool holds(struct search *m, const struct search_key *key)
{
	switch (key->type) {
	case SEARCH_ALL:
		return true;
	case SEARCH_FLAG:
		return (m->m.flags & key->flags) == key->flags;
	case SEARCH_KEYWORD:
		return (m->m.keywords & key->keywords) != 0;
	case SEARCH_RECENT:
		return m->m.recent;
	case SEARCH_NEW:
		return m->m.recent && !(m->m.flags & MAILBOX_SEEN);
	case SEARCH_NUMBER:
		return set_has(&key->set, m->seq);
	case SEARCH_UID:
		return set_has(&key->set, m->m.uid);
	case SEARCH_AFTER:
		return m->m.uid > key->size;
	case SEARCH_EARLIER:
		return m->m.uid < key->size;
	case SEARCH_MODSEQ:
		return m->m.modseq >= key->modseq;
	case SEARCH_LARGER:
	case SEARCH_SMALLER:
		return match_size(m, key);
	case SEARCH_BEFORE:
	case SEARCH_ON:
	case SEARCH_SINCE:
	case SEARCH_OLDER:
	case SEARCH_YOUNGER:
		return match_date(m, key);
	case SEARCH_SAVEDBEFORE:
	case SEARCH_SAVEDON:
	case SEARCH_SAVEDSINCE:
		return match_saved(m, key);
	case SEARCH_SENTBEFORE:
	case SEARCH_SENTON:
	case SEARCH_SENTSINCE:
		return match_sent(m, key);
	case SEARCH_HEADER:
	case SEARCH_ADDRESS:
		return match_header(m, key);
	case SEARCH_EMAILID:
		return match_email_id(m, key);
	case SEARCH_THREADID:
		return match_thread_id(m, key);
	case SEARCH_BODY:
	case SEARCH_TEXT:
		return match_text(m, key);
	case SEARCH_AND:
	case SEARCH_OR:
		return match_children(m, key);
	}
	return false;
}

static bool match(struct search *m, const struct search_key *key)
{
	return holds(m, key) != key->not;
}

bool search_match(struct search *m, const struct search_key *key, uint32_t seq)
{
	bool matches;

	m->keys = key;
	m->seq = seq;
	m->m = mailbox_get(m->s->box, seq);
	m->have_raw = m->have_text = m->failed = false;
	m->score = m->nscores = 0;
	if (m->root)
		arena_reset(m->arena);
	m->root = NULL;
	if (key->cost > 0 || seq % LOOK_EVERY == 0)
		progress_tell(&m->progress, seq - 1, mailbox_count(m->s->box),
			      clock_ms());
	matches = !m->m.gone && match(m, key);
	m->undecoded += mailbox_attached_missed(m->s->box);
	return matches;
}
