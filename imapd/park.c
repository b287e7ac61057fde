/*
 * The state of a session as a packet of lib/ipc, and back. Numbers are rows of
 * a table; beside them go the tag of IDLE, the result that "$" stands for,
 * what compression has seen and, of a selected folder, what the client knows of
 * it (mailbox/known.h). Sets of UIDs are pairs of gaps and lengths, seven bits a
 * byte. The packet is not a file format: it passes between processes of one
 * version.
 *
 * What is not in it keeps the session in its process: a context, NOTIFY,
 * annotations that are watched, a folder that was replaced.
 */
#include "imapd/park.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "imapd/enabled.h"
#include "imapd/others.h"
#include "imapd/status.h"
#include "imapd/update.h"
#include "io/deflate.h"
#include "ipc/packet.h"
#include "log/log.h"
#include "mailbox/known.h"

#define STATE_MAX 60000
#define UIDS_MAX 16384 /* bytes of a set of UIDs */
#define RANGES_MAX 8192
#define TAG_SIZE 129
#define TEXT_MAX 200
#define AGAIN_MS 60000 /* until what could not be parked is tried again */

/* The numbers of a session, with the highest that there can be. */
enum type { FLAG, U32, U64, UINT };

static const struct {
	const char *name;
	size_t offset;
	enum type type;
	int64_t max;
} numbers[] = {
#define ROW(name, field, type, max)                              \
	{                                                        \
		name, offsetof(struct session, field), type, max \
	}
	ROW("enabled", enabled, UINT, ENABLED_ALL),
	ROW("modseq", modseq, U64, INT64_MAX),
	ROW("modseq-due", modseq_due, FLAG, 1),
	ROW("read-only", read_only, FLAG, 1),
	ROW("removed", removed, FLAG, 1),
	ROW("flags-since", flags_since, U64, INT64_MAX),
	ROW("own-first", own_first, U32, UINT32_MAX),
	ROW("own-last", own_last, U32, UINT32_MAX),
	ROW("keywords", keywords, UINT, MAILBOX_KEYWORDS_MAX),
	ROW("told", told, U32, UINT32_MAX),
	ROW("told-recent", told_recent, U32, UINT32_MAX),
	ROW("bad", c.bad, UINT, INT32_MAX),
#undef ROW
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static int64_t get_number(const struct session *s, size_t i)
{
	const void *at = (const char *)s + numbers[i].offset;

	switch (numbers[i].type) {
	case FLAG:
		return *(const bool *)at;
	case U32:
		return *(const uint32_t *)at;
	case UINT:
		return *(const unsigned *)at;
	case U64:
		break;
	}
	return (int64_t) * (const uint64_t *)at;
}

static void set_number(struct session *s, size_t i, int64_t value)
{
	void *at = (char *)s + numbers[i].offset;

	switch (numbers[i].type) {
	case FLAG:
		*(bool *)at = value;
		break;
	case U32:
		*(uint32_t *)at = (uint32_t)value;
		break;
	case UINT:
		*(unsigned *)at = (unsigned)value;
		break;
	case U64:
		*(uint64_t *)at = (uint64_t)value;
		break;
	}
}

/* Sets of UIDs */

static void put_varint(struct buf *b, uint32_t n)
{
	for (; n > 127; n >>= 7)
		buf_putc(b, (char)(n | 128));
	buf_putc(b, (char)n);
}

static bool get_varint(const unsigned char **p, const unsigned char *end,
		       uint32_t *n)
{
	uint64_t value = 0;

	for (int shift = 0; *p < end && shift < 35; shift += 7) {
		unsigned char c = *(*p)++;

		value |= (uint64_t)(c & 127) << shift;
		if (c < 128) {
			*n = (uint32_t)value;
			return value <= UINT32_MAX;
		}
	}
	return false;
}

static void put_uids(struct ipc_out *m, const char *name, const struct buf *set)
{
	const struct mailbox_range *r = (const void *)set->data;
	uint32_t above = 0;
	struct buf b;

	buf_init(&b, UIDS_MAX);
	for (size_t i = 0; i < set->len / sizeof(*r); i++) {
		put_varint(&b, r[i].first - above);
		put_varint(&b, r[i].last - r[i].first);
		above = r[i].last;
	}
	ipc_put_base64(m, name, b.data, b.len);
	m->data.over |= b.over;
	buf_free(&b);
}

/* Decodes N bytes at P into SET. */
static bool read_uids(const unsigned char *p, size_t n, struct buf *set)
{
	const unsigned char *end = p + n;
	uint64_t above = 0;
	uint32_t gap, more;

	while (p < end) {
		struct mailbox_range r;

		if (!get_varint(&p, end, &gap) || gap == 0 ||
		    !get_varint(&p, end, &more) ||
		    above + gap + more > UINT32_MAX)
			return false;
		r.first = (uint32_t)above + gap;
		r.last = r.first + more;
		above = r.last;
		buf_put(set, &r, sizeof(r));
	}
	return !set->over;
}

static bool take_uids(const struct ipc_in *m, const char *name, struct buf *set)
{
	struct buf b;
	bool good;

	buf_init(&b, UIDS_MAX);
	good = ipc_base64(m, name, &b) && !b.over &&
	       read_uids((const unsigned char *)b.data, b.len, set);
	buf_free(&b);
	return good;
}

/* Putting down */

static void put_saved(struct ipc_out *m, const struct session_saved *saved)
{
	struct mailbox_range one;
	struct buf set;

	buf_init(&set, RANGES_MAX * sizeof(one));
	for (size_t i = 0; i < saved->n; i++) {
		struct mailbox_range *end = (void *)(set.data + set.len);

		one.first = one.last = saved->uid[i];
		if (set.len > 0 && end[-1].last + 1 == one.first)
			end[-1].last = one.first;
		else
			buf_put(&set, &one, sizeof(one));
	}
	put_uids(m, "saved", &set);
	m->data.over |= set.over;
	buf_free(&set);
}

static bool put_folder(const struct session *s, struct ipc_out *m)
{
	struct mailbox_known k;
	bool good;

	mailbox_known_init(&k, RANGES_MAX);
	good = mailbox_know(s->box, &k) == ERR_OK;
	ipc_put(m, "folder", s->name);
	ipc_put_int(m, "uidvalidity", k.uidvalidity);
	ipc_put_int(m, "reported", (int64_t)k.modseq);
	ipc_put_int(m, "looked", (int64_t)k.looked);
	ipc_put_int(m, "claimed", k.claimed);
	put_uids(m, "uids", &k.uids);
	put_uids(m, "recent", &k.recent);
	mailbox_known_free(&k);
	return good;
}

/* What the client has compressed so far. */
static bool put_compression(const struct session *s, struct ipc_out *m)
{
	struct buf window;
	bool good;

	buf_init(&window, DEFLATE_WINDOW);
	good = stream_leave(s->c.io, &window);
	ipc_put_base64(m, "compression", window.data, window.len);
	buf_free(&window);
	return good;
}

static bool put_state(const struct session *s, bool idle, struct ipc_out *m)
{
	ipc_begin(m, "imap");
	if (idle)
		ipc_put(m, "idle", s->c.tag);
	for (size_t i = 0; i < COUNT(numbers); i++)
		if (get_number(s, i) != 0)
			ipc_put_int(m, numbers[i].name, get_number(s, i));
	if (s->saved.n > 0)
		put_saved(m, &s->saved);
	if ((s->box && !put_folder(s, m)) ||
	    (s->compressed && !put_compression(s, m)))
		return false;
	return !m->data.over && m->data.len <= STATE_MAX;
}

/* May it ever be, as it is now? */
static bool is_possible(const struct session *s)
{
	return s->park_ms >= 0 && s->facts && !s->visitor &&
	       !others_selected(s) && feed_fd(s->feed) >= 0 && !s->ended &&
	       !s->lost && !s->dead && !s->contexts && !s->notify && !s->watch;
}

/* When one that was silent since then is due: if it could not be parked in this
 * silence, after a while. */
static int64_t due_at(const struct session *s, int64_t since)
{
	return since > s->park_failed_ms ? since + s->park_ms
					 : s->park_failed_ms + AGAIN_MS;
}

int64_t park_wait(const struct session *s, int64_t since, int64_t ms)
{
	int64_t left = due_at(s, since) - clock_ms();

	if (!is_possible(s) || left >= ms)
		return ms;
	return left > 0 ? left : 0;
}

/* Has the client sent something, or gone? */
static bool has_input(struct session *s)
{
	struct pollfd p = { .fd = stream_fd(s->c.io), .events = POLLIN };
	size_t n;

	conn_window(&s->c, &n);
	return n > 0 || poll(&p, 1, 0) != 0;
}

/* TEXT as it is sent to the client by others, into B. */
static void put_text(const struct session *s, const char *text, struct buf *b)
{
	buf_init(b, TEXT_MAX);
	if (s->compressed)
		deflate_put_stored(b, text, strlen(text));
	else
		buf_puts(b, text);
}

static int send_state(struct session *s, const struct ipc_out *m, bool idle,
		      int64_t wait_ms, const char *text)
{
	struct buf say, stop, refused;
	struct feed_park f = {
		.facts = s->facts,
		.state = m->data.data,
		.nstate = m->data.len,
		.key = &s->key,
		.fd = stream_fd(s->c.io),
		.wait_ms = wait_ms,
		.last = !idle,
	};
	int code;

	put_text(s, text, &say);
	put_text(s, SESSION_STOPS, &stop);
	put_text(s, SESSION_REFUSED, &refused);
	f.say = say.data;
	f.nsay = say.len;
	f.stop = stop.data;
	f.nstop = stop.len;
	f.refused = refused.data;
	f.nrefused = refused.len;
	code = feed_park(s->feed, &f);
	buf_free(&say);
	buf_free(&stop);
	buf_free(&refused);
	return code;
}

bool park(struct session *s, int64_t since, bool idle, int64_t wait_ms,
	  const char *say)
{
	struct ipc_out m = { .ready = false };
	int code = ERR_LIMIT;

	if (!is_possible(s) || clock_ms() < due_at(s, since) || has_input(s) ||
	    stream_flush(s->c.io) != ERR_OK)
		return false;
	if (put_state(s, idle, &m))
		code = send_state(s, &m, idle, wait_ms, say);
	ipc_out_free(&m);
	if (code == ERR_LIMIT)
		s->park_failed_ms = clock_ms();
	if (code == ERR_BUSY && idle)
		update_send(s, true);
	s->parked = code == ERR_OK;
	s->ended |= s->parked;
	return s->parked;
}

/* Taking up */

static bool take_numbers(struct session *s, const struct ipc_in *m)
{
	for (size_t i = 0; i < COUNT(numbers); i++) {
		int64_t value;

		if (!ipc_get(m, numbers[i].name))
			continue;
		if (!ipc_int(m, numbers[i].name, 0, numbers[i].max, &value))
			return false;
		set_number(s, i, value);
	}
	s->c.limits.utf8 = enabled(s, ENABLED_NAMES_UTF8);
	return true;
}

static bool take_saved(struct session *s, const struct ipc_in *m)
{
	struct session_saved *saved = &s->saved;
	const struct mailbox_range *r;
	struct buf set;
	bool good;

	if (!ipc_get(m, "saved"))
		return true;
	buf_init(&set, RANGES_MAX * sizeof(*r));
	good = take_uids(m, "saved", &set);
	r = (const void *)set.data;
	for (size_t n = set.len / sizeof(*r); good && n > 0; n--, r++) {
		uint64_t count = (uint64_t)r->last - r->first + 1;

		good = saved->n + count <= s->told;
		if (!good)
			break;
		saved->uid = mem_resize(saved->uid, saved->n + count,
					sizeof(*saved->uid));
		for (uint32_t i = 0; i < count; i++)
			saved->uid[saved->n++] = r->first + i;
	}
	buf_free(&set);
	return good;
}

static bool take_known(const struct ipc_in *m, struct mailbox_known *k)
{
	int64_t validity, modseq, looked, claimed;

	if (!ipc_int(m, "uidvalidity", 1, UINT32_MAX, &validity) ||
	    !ipc_int(m, "reported", 0, INT64_MAX - 1, &modseq) ||
	    !ipc_int(m, "looked", 0, INT64_MAX - 1, &looked) ||
	    !ipc_int(m, "claimed", 0, UINT32_MAX, &claimed))
		return false;
	k->uidvalidity = (uint32_t)validity;
	k->modseq = (uint64_t)modseq;
	k->looked = (uint64_t)looked;
	k->claimed = (uint32_t)claimed;
	return take_uids(m, "uids", &k->uids) &&
	       take_uids(m, "recent", &k->recent);
}

static bool has_validity(struct session *s, const char *name, uint32_t validity)
{
	struct store_status st;

	return store_status(s->store, name, false, &st) == ERR_OK &&
	       st.uidvalidity == validity;
}

/* A folder that was renamed keeps its UIDVALIDITY, which no other ever had:
 * its name now goes into S. */
static bool find_renamed(struct session *s, uint32_t validity)
{
	struct store_list l;
	bool found = false;

	if (store_list(s->store, &l) != ERR_OK)
		return false;
	for (size_t i = 0; i < l.n && !found; i++)
		found = l.folder[i].exists &&
			has_validity(s, l.folder[i].name, validity) &&
			str_copy(s->name, sizeof(s->name), l.folder[i].name);
	store_list_free(&l);
	return found;
}

/* A session that had the folder open all the time would go on with it, if it
 * was renamed; and find out when it looks, if it is no more. */
static int open_known(struct session *s, const struct mailbox_known *k)
{
	int code =
		mailbox_open_known(s->store, s->name, s->read_only, k, &s->box);

	if ((code == ERR_NOT_FOUND || code == ERR_CORRUPT) &&
	    find_renamed(s, k->uidvalidity))
		code = mailbox_open_known(s->store, s->name, s->read_only, k,
					  &s->box);
	if (code == ERR_NOT_FOUND || code == ERR_CORRUPT) {
		s->dead = code == ERR_CORRUPT ? "rebuilt" : "deleted";
		code = ERR_OK;
	}
	return code;
}

/* A code; ERR_SYNTAX: what came is not a session's. */
static int take_folder(struct session *s, const struct ipc_in *m)
{
	const char *name = ipc_get(m, "folder");
	struct mailbox_known k;
	int code = ERR_SYNTAX;

	if (!name)
		return ERR_OK;
	if (!str_copy(s->name, sizeof(s->name), name))
		return ERR_SYNTAX;
	mailbox_known_init(&k, RANGES_MAX);
	if (take_known(m, &k))
		code = open_known(s, &k);
	mailbox_known_free(&k);
	if (!code && s->box && s->told > mailbox_count(s->box))
		code = ERR_SYNTAX;
	return code;
}

static bool take_tag(struct session *s, const struct ipc_in *m, bool *idle)
{
	const char *tag = ipc_get(m, "idle");

	*idle = tag != NULL;
	if (!tag)
		return true;
	s->c.tag = arena_strdup(s->c.arena, tag);
	return strlen(tag) < TAG_SIZE;
}

static bool take_compression(struct session *s, const struct ipc_in *m)
{
	struct buf window;

	if (!ipc_get(m, "compression"))
		return true;
	buf_init(&window, DEFLATE_WINDOW);
	s->compressed = ipc_base64(m, "compression", &window) && !window.over &&
			stream_go_on(s->c.io, window.data, window.len);
	buf_free(&window);
	return s->compressed;
}

static const char *take(struct session *s, const struct ipc_in *m, bool *idle)
{
	int code;

	if (!ipc_is(m, "imap") || !take_tag(s, m, idle) ||
	    !take_numbers(s, m) || !take_saved(s, m) || !take_compression(s, m))
		return "its state is not understood";
	code = take_folder(s, m);
	return code == ERR_OK ? NULL : err_why(code);
}

bool park_resume(struct session *s, const struct handover *h, bool *idle)
{
	struct ipc_in m = { .data = mem_alloc(h->state.len + 1),
			    .len = h->state.len };
	const char *why = "its state is not a packet";

	*idle = false;
	memcpy(m.data, h->state.data, h->state.len);
	if (ipc_parse(&m))
		why = take(s, &m, idle);
	ipc_in_free(&m);
	if (why)
		log_warn("imap: user=%s, client=%s: a session cannot go on: %s",
			 h->user, h->client, why);
	else
		log_debug("imap: session resumed: user=%s", s->user);
	return !why;
}
