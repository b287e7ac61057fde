#include "queue-manager/message.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "queue/journal.h"

#define RECORDS_MAX (64 << 20)

/* A verb of the journal: least number of words, and what it does. */
struct verb {
	const char *name;
	size_t words;
	bool (*apply)(struct message *m, time_t when, const char *const *word,
		      size_t n);
};

static struct recipient *recipient_of(struct message *m, const char *word)
{
	int64_t i;

	if (m->nrcpts == 0 || !str_to_int(word, 0, (int64_t)m->nrcpts - 1, &i))
		return NULL;
	return &m->rcpt[i];
}

static struct recipient *add_recipient(struct message *m, const char *address)
{
	struct recipient *r;

	if (m->nrcpts == m->cap) {
		m->cap = m->cap ? m->cap * 2 : 8;
		m->rcpt = mem_resize(m->rcpt, m->cap, sizeof(*m->rcpt));
	}
	r = &m->rcpt[m->nrcpts++];
	*r = (struct recipient){ .address = address, .original = address };
	r->orcpt = r->dsn = r->relay = r->reply = "";
	return r;
}

static bool apply_committed(struct message *m, time_t when,
			    const char *const *word, size_t n)
{
	(void)when, (void)word, (void)n;
	m->committed = true;
	return true;
}

/* VERB INDEX DSN FLAGS RELAY REPLY */
static bool apply_result(struct message *m, time_t when,
			 const char *const *word, enum recipient_state state)
{
	struct recipient *r = recipient_of(m, word[1]);

	/* a part of what was expanded may fail */
	if (!r ||
	    (r->state != RECIPIENT_TODO &&
	     (r->state != RECIPIENT_EXPANDED || state != RECIPIENT_FAILED)))
		return false;
	r->state = (unsigned char)state;
	r->when = when;
	r->dsn = arena_strdup(m->arena, word[2]);
	r->remote_reply = strchr(word[3], 'r') != NULL;
	r->dsn_passed = strchr(word[3], 'p') != NULL;
	r->local = strchr(word[3], 'l') != NULL;
	r->relay = arena_strdup(m->arena, word[4]);
	r->reply = arena_strdup(m->arena, word[5]);
	return true;
}

static bool apply_sent(struct message *m, time_t when, const char *const *word,
		       size_t n)
{
	(void)n;
	return apply_result(m, when, word, RECIPIENT_SENT);
}

static bool apply_deferred(struct message *m, time_t when,
			   const char *const *word, size_t n)
{
	(void)n;
	return apply_result(m, when, word, RECIPIENT_TODO);
}

static bool apply_failed(struct message *m, time_t when,
			 const char *const *word, size_t n)
{
	(void)n;
	return apply_result(m, when, word, RECIPIENT_FAILED);
}

/* The index of ADDRESS in the message, counted from 1; 0 if it has none. Case
 * does not count: no host tells mailboxes apart by it. */
static size_t known_index(struct message *m, const char *address)
{
	char *key = str_lower(mem_strdup(address));
	size_t index = (size_t)map_get(m->known, key);

	free(key);
	return index;
}

static void note_known(struct message *m, size_t index)
{
	char *key = str_lower(mem_strdup(m->rcpt[index].address));

	map_put(m->known, key, (void *)(index + 1));
	free(key);
}

static void make_known(struct message *m)
{
	if (m->known)
		return;
	m->known = map_new();
	for (size_t i = 0; i < m->nrcpts; i++)
		note_known(m, i);
}

static bool is_ancestor(const struct message *m, size_t i, size_t of)
{
	while (of != i && m->rcpt[of].depth > 0)
		of = m->rcpt[of].parent;
	return of == i;
}

bool message_leads_back(struct message *m, unsigned index,
			const char *const *address, size_t n)
{
	make_known(m);
	for (size_t i = 0; i < n; i++) {
		size_t known = known_index(m, address[i]);

		if (!known || !is_ancestor(m, known - 1, index))
			return false;
	}
	return true;
}

/* expanded INDEX FLAGS OWNER ADDRESS …: addresses that the message already
 * has are left out; so an alias that leads back to itself ends here. */
static bool apply_expanded(struct message *m, time_t when,
			   const char *const *word, size_t n)
{
	struct recipient *r = recipient_of(m, word[1]), parent;
	const char *owner = NULL;
	unsigned index;

	if (!r || r->state != RECIPIENT_TODO)
		return false;
	index = (unsigned)(r - m->rcpt);
	r->state = RECIPIENT_EXPANDED;
	r->when = when;
	parent = *r;
	/* RFC 3461 section 5.2.7.1: delivered, as far as the sender goes */
	if (strchr(word[2], 'o')) {
		owner = arena_strdup(m->arena, word[3]);
		r->list = r->local = true;
		r->dsn = "2.0.0";
		r->relay = "local";
		r->reply = "delivered to a mailing list";
	}
	make_known(m);
	for (size_t i = 4; i < n; i++) {
		struct recipient *new;
		const char *address;

		if (!*word[i] || known_index(m, word[i]))
			continue;
		address = arena_strdup(m->arena, word[i]);
		new = add_recipient(m, address);
		new->parent = index;
		note_known(m, m->nrcpts - 1);
		new->depth = (unsigned char)(parent.depth + 1);
		new->sender = owner ? owner : parent.sender;
		/* a list answers for its members itself: RFC 3461, 5.2.7.3 */
		if (owner)
			continue;
		new->original = parent.original;
		new->orcpt = parent.orcpt;
		new->notify = parent.notify;
	}
	return true;
}

/* told failure|success|delay: all that this is to be told of just now. */
static bool apply_told(struct message *m, time_t when, const char *const *word,
		       size_t n)
{
	static const struct {
		const char *name;
		unsigned char bit;
		enum recipient_state state;
	} kind[] = {
		{ "failure", TOLD_FAILURE, RECIPIENT_FAILED },
		{ "success", TOLD_SUCCESS, RECIPIENT_SENT },
		{ "delay", TOLD_DELAY, RECIPIENT_TODO },
	};

	(void)when, (void)n;
	for (size_t k = 0; k < 3; k++) {
		if (strcmp(word[1], kind[k].name) != 0)
			continue;
		for (size_t i = 0; i < m->nrcpts; i++)
			if (m->rcpt[i].state == kind[k].state ||
			    (m->rcpt[i].list && kind[k].bit == TOLD_SUCCESS))
				m->rcpt[i].told |= kind[k].bit;
	}
	return true;
}

static bool apply_tried(struct message *m, time_t when, const char *const *word,
			size_t n)
{
	int64_t attempts, next;

	(void)when, (void)n;
	if (!str_to_int(word[1], 0, 65535, &attempts) ||
	    !str_to_int(word[2], 0, UINT32_MAX, &next))
		return false;
	m->attempts = (unsigned)attempts;
	m->next = (time_t)next;
	return true;
}

static bool apply_held(struct message *m, time_t when, const char *const *word,
		       size_t n)
{
	(void)when, (void)n;
	m->held = strcmp(word[0], "held") == 0;
	return true;
}

static const struct verb verbs[] = {
	{ "committed", 1, apply_committed }, { "sent", 6, apply_sent },
	{ "deferred", 6, apply_deferred },   { "failed", 6, apply_failed },
	{ "expanded", 4, apply_expanded },   { "told", 2, apply_told },
	{ "tried", 3, apply_tried },	     { "held", 1, apply_held },
	{ "released", 1, apply_held },
};

static bool apply(struct message *m, time_t when, const char *const *word,
		  size_t n)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(word[0], verbs[i].name) == 0)
			return n >= verbs[i].words &&
			       verbs[i].apply(m, when, word, n);
	/* a verb of a later version */
	return true;
}

static bool apply_from_disk(void *context, int64_t when,
			    const char *const *word, size_t n)
{
	/* what makes no sense was written by nobody: as if it did not check */
	return apply(context, (time_t)when, word, n);
}

static int load_envelope(struct message *m, int fd)
{
	size_t n = (size_t)m->super.envelope_length;
	char *text = arena_alloc(m->arena, n + 1);
	int err = file_pread(fd, text, n, m->super.envelope);

	if (err)
		return err == ERR_EOF ? ERR_CORRUPT : err;
	err = envelope_read(m->arena, text, n, &m->envelope);
	if (err)
		return err;
	for (size_t i = 0; i < m->envelope.nrecipients; i++) {
		const struct envelope_recipient *e = &m->envelope.recipient[i];
		struct recipient *r = add_recipient(m, e->address);

		r->orcpt = e->orcpt;
		r->notify = e->notify;
	}
	return m->nrcpts ? ERR_OK : ERR_SYNTAX;
}

int message_load(struct message *m, int fd, uint32_t generation, bool fresh)
{
	int err;

	*m = (struct message){ .arena = arena_new() };
	buf_init(&m->records, RECORDS_MAX);
	err = generation ? slot_super_at(fd, generation, &m->super)
			 : slot_super_find(fd, &m->super);
	if (err)
		return err;
	if (m->super.freed || (generation && m->super.generation != generation))
		return ERR_NOT_FOUND;
	m->journal_end = m->super.journal;
	err = load_envelope(m, fd);
	if (err || fresh)
		return err;
	return journal_read(fd, &m->super, &m->journal_end, apply_from_disk, m);
}

void message_free(struct message *m)
{
	if (!m->arena)
		return;
	arena_free(&m->arena);
	map_free(&m->known);
	buf_free(&m->records);
	free(m->rcpt);
	m->rcpt = NULL;
}

bool message_note(struct message *m, const char *const *word, size_t n)
{
	static const char *const committed[] = { "committed" };
	time_t now = clock_wall();

	if (!apply(m, now, word, n))
		return false;
	if (!m->committed) {
		m->committed = true;
		journal_put(&m->records, &m->super, now, committed, 1);
	}
	if (strcmp(word[0], "committed") != 0)
		journal_put(&m->records, &m->super, now, word, n);
	return true;
}

int message_write_journal(struct message *m, int fd)
{
	off_t limit = slot_journal_limit(&m->super);
	int err;

	if (m->records.len == 0)
		return ERR_OK;
	if (limit && m->journal_end + (off_t)m->records.len >= limit)
		message_trim(m, fd);
	err = journal_write(fd, &m->records, &m->journal_end);
	if (!err)
		buf_reset(&m->records);
	return err;
}

void message_trim(struct message *m, int fd)
{
	if (!m->trimmed)
		slot_trim(fd, &m->super, m->journal_end);
	m->trimmed = true;
}

time_t message_arrival(const struct message *m)
{
	return (time_t)(m->envelope.arrival_us / 1000000);
}

bool recipient_wants(const struct recipient *r, unsigned what)
{
	/* nothing said: failures, and delays if we tell of them at all */
	unsigned notify = r->notify ? r->notify : NOTIFY_FAILURE | NOTIFY_DELAY;

	return !(notify & NOTIFY_NEVER) && (notify & what);
}

const char *recipient_sender(const struct message *m, const struct recipient *r)
{
	return r->sender ? r->sender : m->envelope.sender;
}
