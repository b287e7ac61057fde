/*
 * A message and its journal. Results (qmgr/result.h) and the verbs of a table
 * are what the journal has, each with what it does to the message; records from disk and new ones both go through it.
 * A record that makes no sense is refused, which ends the reading of a
 * journal: we never wrote it. New records wait in memory until they are
 * written, in one call; if the disk refuses them they stay, and nothing is
 * forgotten.
 */
#include "queue-manager/message.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "queue/journal.h"

#define RECORDS_MAX (64 << 20)

/* Space for the records of one recipient in a pass: usually, and with a long
 * reply. */
#define RESERVE_USUAL 160
#define RESERVE 512

/* What a recipient is after a result. */
static const enum recipient_state after[] = {
	[RESULT_SENT] = RECIPIENT_SENT,
	[RESULT_DEFERRED] = RECIPIENT_TODO,
	[RESULT_FAILED] = RECIPIENT_FAILED,
	[RESULT_EXPANDED] = RECIPIENT_EXPANDED,
};

const struct told_kind told_kinds[TOLD_KINDS] = {
	{ TOLD_FAILURE, "failure", "non-delivery", RECIPIENT_FAILED,
	  RESULT_FAILED, NOTIFY_FAILURE },
	{ TOLD_SUCCESS, "success", "delivery status", RECIPIENT_SENT,
	  RESULT_SENT, NOTIFY_SUCCESS },
	{ TOLD_DELAY, "delay", "delay", RECIPIENT_TODO, RESULT_DEFERRED,
	  NOTIFY_DELAY },
};

/* A verb of the journal that is no result: least number of words, and what it does. */
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

/* Sets *PLACE to TEXT, which is often the same in pass after pass. */
static void keep(struct message *m, const char **place, const char *text)
{
	if (strcmp(*place, text) != 0)
		*place = arena_strdup(m->arena, text);
}

/* STATUS INDEX DSN FLAGS RELAY REPLY */
static bool apply_result(struct message *m, enum result_status status,
			 time_t when, const char *const *word)
{
	struct recipient *r = recipient_of(m, word[1]);

	/* of a part of an expanded one, in journals of before */
	if (!r || (r->state != RECIPIENT_TODO &&
		   (r->state != RECIPIENT_EXPANDED || status != RESULT_FAILED)))
		return false;
	r->state = (unsigned char)after[status];
	r->when = when;
	r->flags = (unsigned char)result_flags_of(word[3]);
	keep(m, &r->dsn, word[2]);
	keep(m, &r->relay, word[4]);
	keep(m, &r->reply, word[5]);
	return true;
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

size_t message_find(struct message *m, const char *address)
{
	make_known(m);
	return known_index(m, address);
}

/* Adds a recipient expanded from PARENT, with OWNER, or NULL, as its sender.
 * Gives its index. */
static unsigned add_member(struct message *m, unsigned parent,
			   const char *address, const char *owner)
{
	struct recipient *new = add_recipient(m, arena_strdup(m->arena,
							      address));
	const struct recipient *from = &m->rcpt[parent];

	note_known(m, m->nrcpts - 1);
	new->parent = parent;
	new->depth = (unsigned char)(from->depth + 1);
	new->sender = owner ? owner : from->sender;
	/* a list is responsible for its members: RFC 3461, 5.2.7.3 */
	if (!owner) {
		new->original = from->original;
		new->orcpt = from->orcpt;
		new->notify = from->notify;
	}
	return (unsigned)m->nrcpts - 1;
}

/* Room for the N recipients more into which R is expanded. */
static unsigned *more_members(struct message *m, const struct recipient *r,
			      size_t n)
{
	unsigned *to = arena_alloc(m->arena, (r->nto + n) * sizeof(*to));

	if (r->nto)
		memcpy(to, r->to, r->nto * sizeof(*to));
	return to;
}

/* expanded INDEX FLAGS OWNER ADDRESS …: an address that the message already
 * has is not added. It may come again, with what is new. */
static bool apply_expanded(struct message *m, time_t when,
			   const char *const *word, size_t n)
{
	struct recipient *r = recipient_of(m, word[1]);
	unsigned *to, nto, index, flags = result_flags_of(word[2]);
	const char *owner = NULL;

	if (!r || r->state != RECIPIENT_TODO)
		return false;
	index = (unsigned)(r - m->rcpt);
	to = more_members(m, r, n);
	nto = r->nto;
	if (!(flags & RESULT_OPEN))
		r->state = (unsigned char)after[RESULT_EXPANDED];
	r->when = when;
	r->copied = flags & RESULT_DONE_TOO;
	/* RFC 3461 section 5.2.7.1: delivered, as far as the sender is
	 * concerned */
	if (flags & RESULT_OWNER) {
		owner = arena_strdup(m->arena, word[3]);
		r->list = true;
		r->flags = RESULT_LOCAL;
		r->dsn = "2.0.0";
		r->relay = "local";
		r->reply = "delivered to a mailing list";
	}
	for (size_t i = 4; i < n; i++) {
		size_t known = message_find(m, word[i]);

		if (*word[i])
			to[nto++] = known ? (unsigned)known - 1 :
					    add_member(m, index, word[i],
						       owner);
	}
	m->rcpt[index].to = to; /* the array may have moved */
	m->rcpt[index].nto = nto;
	return true;
}

bool recipient_is_of(const struct recipient *r, const struct told_kind *k)
{
	/* a list has it, as far as the sender is concerned */
	return r->state == k->state ||
	       (k->bit == TOLD_SUCCESS && r->list &&
		r->state == RECIPIENT_EXPANDED);
}

/* told failure|success|delay: applies to all recipients now in that state. */
static bool apply_told(struct message *m, time_t when, const char *const *word,
		       size_t n)
{
	(void)when, (void)n;
	for (size_t k = 0; k < TOLD_KINDS; k++) {
		if (strcmp(word[1], told_kinds[k].name) != 0)
			continue;
		for (size_t i = 0; i < m->nrcpts; i++)
			if (recipient_is_of(&m->rcpt[i], &told_kinds[k]))
				m->rcpt[i].told |=
					(unsigned char)told_kinds[k].bit;
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

static bool apply_born(struct message *m, time_t when, const char *const *word,
		       size_t n)
{
	int64_t born;

	(void)when, (void)n;
	if (!str_to_int(word[1], 1, UINT32_MAX, &born))
		return false;
	m->born = (time_t)born;
	return true;
}

static const struct verb verbs[] = {
	{ "committed", 1, apply_committed }, { "told", 2, apply_told },
	{ "tried", 3, apply_tried },	     { "held", 1, apply_held },
	{ "released", 1, apply_held },	     { "born", 2, apply_born },
};

static bool apply(struct message *m, time_t when, const char *const *word,
		  size_t n)
{
	enum result_status status;

	if (result_status_of(word[0], &status))
		return status == RESULT_EXPANDED
			       ? n >= 4 && apply_expanded(m, when, word, n)
			       : n >= 6 && apply_result(m, status, when, word);
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
	/* we never wrote a record that makes no sense: as if its CRC was
	 * wrong */
	return apply(context, (time_t)when, word, n);
}

static int load_envelope(struct message *m, int fd)
{
	size_t n = (size_t)m->super.envelope_length;
	char *text = arena_alloc(m->arena, n + 1);
	int err = file_pread(fd, text, n, m->super.envelope);

	if (err == ERR_EOF)
		return err_set(ERR_CORRUPT, "the file is cut short");
	if (err)
		return err_sys("read", "an envelope");
	err = envelope_read(m->arena, text, n, &m->envelope);
	if (err)
		return err_set(err, "an envelope that makes no sense");
	for (size_t i = 0; i < m->envelope.nrecipients; i++) {
		const struct envelope_recipient *e = &m->envelope.recipient[i];
		struct recipient *r = add_recipient(m, e->address);

		r->orcpt = e->orcpt;
		r->notify = e->notify;
	}
	return m->nrcpts
		       ? ERR_OK
		       : err_set(ERR_SYNTAX, "an envelope without recipients");
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
		return err_set(ERR_NOT_FOUND, "its slot holds it no more");
	m->journal_end = m->super.journal;
	err = load_envelope(m, fd);
	m->held = !err && *m->envelope.hold;
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

/* Appends RECORD to what is to be written, if all of it could be read back. */
static bool add_record(struct message *m, const struct buf *record)
{
	if (record->over || m->records.len + record->len > RECORDS_MAX)
		return false;
	buf_put(&m->records, record->data, record->len);
	return true;
}

bool message_note(struct message *m, const char *const *word, size_t n)
{
	static const char *const committed[] = { "committed" };
	time_t now = clock_wall();
	size_t before = m->records.len;
	bool first = !m->committed, good;
	struct buf record;

	buf_init(&record, JOURNAL_RECORD_MAX);
	if (first)
		journal_put(&record, &m->super, now, committed, 1);
	if (!first || strcmp(word[0], committed[0]) != 0)
		journal_put(&record, &m->super, now, word, n);
	good = add_record(m, &record) && apply(m, now, word, n);
	if (good)
		m->committed = true;
	else
		buf_truncate(&m->records, before);
	buf_free(&record);
	return good;
}

/* "expanded INDEX FLAGS OWNER ADDRESS …", or "STATUS INDEX DSN FLAGS RELAY
 * REPLY". */
bool message_note_result(struct message *m, const struct result *r)
{
	bool expanded = r->status == RESULT_EXPANDED;
	char number[16], flags[RESULT_FLAGS_SIZE];
	const char **word = mem_array(r->nexpanded + 6, sizeof(*word));
	size_t n = 0;
	bool good;

	snprintf(number, sizeof(number), "%u", r->index);
	result_letters(flags, r->flags);
	word[n++] = result_name(r->status);
	word[n++] = number;
	if (!expanded)
		word[n++] = r->dsn;
	word[n++] = flags;
	word[n++] = !expanded ? r->relay : r->owner ? r->owner : "";
	if (!expanded)
		word[n++] = r->reply;
	for (size_t i = 0; expanded && i < r->nexpanded; i++)
		word[n++] = r->expanded[i];
	good = message_note(m, word, n);
	free(word);
	return good;
}

int message_reserve(struct message *m, int fd)
{
	off_t limit = slot_journal_limit(&m->super), n = 1;
	int err;

	for (size_t i = 0; i < m->nrcpts; i++)
		n += m->rcpt[i].state == RECIPIENT_TODO;
	if (limit && !m->trimmed && m->journal_end + n * RESERVE_USUAL < limit)
		return ERR_OK;
	err = limit ? message_trim(m, fd) : ERR_OK;
	if (!err &&
	    fallocate(fd, FALLOC_FL_KEEP_SIZE, m->journal_end, n * RESERVE) <
		    0 &&
	    errno != EOPNOTSUPP)
		err = err_sys("reserve space for", "a journal");
	return err;
}

int message_write_journal(struct message *m, int fd)
{
	off_t limit = slot_journal_limit(&m->super);
	int err = ERR_OK;

	if (m->records.len == 0)
		return ERR_OK;
	if (limit && m->journal_end + (off_t)m->records.len >= limit)
		err = message_trim(m, fd);
	if (!err)
		err = journal_write(fd, &m->records, &m->journal_end);
	if (!err)
		buf_reset(&m->records);
	return err;
}

int message_trim(struct message *m, int fd)
{
	int err =
		m->super.promised ? ERR_OK : slot_mark_promised(fd, &m->super);

	if (err)
		return err;
	m->super.promised = true;
	if (!m->trimmed)
		slot_trim(fd, &m->super, m->journal_end);
	m->trimmed = true;
	return ERR_OK;
}

time_t message_arrival(const struct message *m)
{
	return (time_t)(m->envelope.arrival_us / 1000000);
}

time_t message_born(const struct message *m)
{
	return m->born ? m->born : message_arrival(m);
}

const char *recipient_state_name(const struct recipient *r)
{
	if (r->state == RECIPIENT_TODO)
		return "to do";
	for (size_t i = 0; i < sizeof(after) / sizeof(after[0]); i++)
		if (after[i] == r->state)
			return result_name((enum result_status)i);
	return "dropped";
}

bool recipient_wants(const struct recipient *r, unsigned what)
{
	/* no NOTIFY: failures, and delays if we report them at all */
	unsigned notify = r->notify ? r->notify : NOTIFY_FAILURE | NOTIFY_DELAY;

	return !(notify & NOTIFY_NEVER) && (notify & what);
}

const char *recipient_sender(const struct message *m, const struct recipient *r)
{
	return r->sender ? r->sender : m->envelope.sender;
}
