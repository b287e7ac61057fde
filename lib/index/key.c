#include "index/key.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "index/journal.h"

#define BACK_MAX (64 << 20) /* bytes of journal looked through at most */

uint64_t key_make(const char *queue_id, const char *recipient)
{
	const char *part[2] = { queue_id, recipient };
	uint64_t key = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
	int i;

	if (!queue_id[0])
		return 0;
	for (i = 0; i < 2; i++) {
		const unsigned char *p = (const unsigned char *)part[i];

		do
			key = (key ^ *p) * UINT64_C(0x100000001b3);
		while (*p++);
	}
	return key ? key : 1;
}

/* The entry with KEY in R. */
static bool in_record(const struct record *r, uint64_t key,
		      struct record_add *a, char *name)
{
	size_t n;
	const char *p = record_payload(r, &n), *item = p;
	uint32_t i;

	for (i = 0; i < r->count && record_add_next(&p, &n, a); i++) {
		if (a->nname > MESSAGE_BASE_MAX)
			return false;
		if (a->key == key) {
			memcpy(name, item + sizeof(*a), a->nname);
			name[a->nname] = '\0';
			return true;
		}
		item = p;
	}
	return false;
}

static bool range_has(const struct record *r, uint32_t uid)
{
	size_t n;
	const char *p = record_payload(r, &n);
	uint32_t i;

	for (i = 0; i < r->count && n >= sizeof(struct record_range); i++) {
		struct record_range range;

		memcpy(&range, p, sizeof(range));
		if (uid >= range.first && uid <= range.last)
			return true;
		p += sizeof(range);
		n -= sizeof(range);
	}
	return false;
}

/* Does the delivery K count, seeing what became of its UID after AT? Only a
 * RECORD_EXPUNGE says that the user had the message: a missing file may never
 * have been linked, and its delivery is repeated. ERR_NOT_FOUND: it does not. */
static int counts(struct folder *f, off_t at, struct key_found *k)
{
	struct journal_walk w;
	const struct record *r;
	int code, fate = 0;

	journal_walk(&w, f->journal, at);
	while (!fate && (r = journal_next(&w)))
		if ((r->type == RECORD_EXPUNGE || r->type == RECORD_UNDO ||
		     r->type == RECORD_MISSING) &&
		    range_has(r, k->uid))
			fate = r->type;
	code = journal_walk_end(&w);
	k->kept = fate == RECORD_EXPUNGE;
	if (code)
		return code;
	return fate == 0 || k->kept ? ERR_OK : ERR_NOT_FOUND;
}

/* Is KEY among deliveries from before the journal began, which count? */
static bool in_past(const struct record *r, uint64_t key, uint32_t *uid)
{
	size_t n;
	const char *p = record_payload(r, &n);
	uint32_t i;

	for (i = 0; i < r->count && n >= sizeof(struct record_key); i++) {
		struct record_key k;

		memcpy(&k, p, sizeof(k));
		if (k.key == key) {
			*uid = (uint32_t)k.uid;
			return true;
		}
		p += sizeof(k);
		n -= sizeof(k);
	}
	return false;
}

/* Does R add KEY? Then *K says what. */
static bool adds(const struct record *r, uint64_t key, struct key_found *k)
{
	if (r->type != RECORD_ADD || !in_record(r, key, &k->add, k->base))
		return false;
	k->uid = k->add.uid;
	k->ours = record_last_write(r, &k->add);
	k->sure = r->sure;
	k->alone = r->count == 1;
	return true;
}

int key_find(struct folder *f, uint64_t key, int64_t since_us,
	     struct key_found *k)
{
	struct journal_back w;
	const struct record *r = NULL;
	bool found = false;
	int code = ERR_NOT_FOUND, unread;

	memset(k, 0, sizeof(*k));
	if (f->last.time < since_us)
		return ERR_NOT_FOUND;
	journal_back(&w, f->journal, f->end);
	w.quick = true;
	while (!found && f->end - w.at < BACK_MAX &&
	       (r = journal_back_next(&w)) && r->t.time >= since_us) {
		found = adds(r, key, k);
		k->record = found ? w.at : 0;
		if (!found && r->type == RECORD_KEY)
			found = k->kept = in_past(r, key, &k->uid);
	}
	if (k->record > 0)
		code = counts(f, k->record + r->length, k);
	else if (found)
		code = ERR_OK;
	unread = journal_back_end(&w);
	return unread ? unread : code;
}
