#include "queue-manager/finding.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/str.h"
#include "log/log.h"
#include "queue-manager/backoff.h"
#include "queue-manager/clocks.h"
#include "queue-manager/errand.h"
#include "queue-manager/pool.h"
#include "queue/id.h"

/* A slot for NUMBER, about which something was found: NULL if that is out of
 * date. If it was just requested as a new one, it need not be made. */
static struct slot *claim(struct qmgr *q, uint32_t number,
			  enum slot_state state)
{
	struct slot *s = store_get(&q->store, number);
	uint8_t asked = 0;

	if (s && (s->state == SLOT_MAKING || s->state == SLOT_LOOKED_AT)) {
		asked = s->asked;
		store_remove(&q->store, s);
	}
	s = store_add(&q->store, number, state);
	if (s)
		s->asked = asked;
	return s;
}

/* The same, for slots that keeper is to deal with. */
static struct slot *claim_text(struct qmgr *q, const char *text)
{
	int64_t number;

	if (!str_to_int(text, 0, QUEUE_SLOT_MAX, &number))
		return NULL;
	return claim(q, (uint32_t)number, SLOT_REMOVE);
}

/* One promised message: "slot generation arrival next attempts held". */
static void take_found(struct qmgr *q, const char *text)
{
	uint32_t number, generation, arrival, next;
	unsigned attempts;
	struct slot *s;
	int held;

	if (sscanf(text,
		   "%" SCNu32 " %" SCNu32 " %" SCNu32 " %" SCNu32 " %u %d",
		   &number, &generation, &arrival, &next, &attempts,
		   &held) != 6)
		return;
	s = claim(q, number, held ? SLOT_HELD : SLOT_WAITING);
	if (!s)
		return;
	q->found.promised++;
	s->generation = generation;
	s->arrival = arrival;
	s->attempts = (uint16_t)attempts;
	s->next = clocks_tick_of_try(q, (time_t)next);
	if (!held)
		wait_add(&q->waiting, s, s->next);
}

void finding_on_found(struct qmgr *q)
{
	for (size_t i = 0; i < q->in.nattrs; i++)
		take_found(q, q->in.attr[i].value);
}

/* Is it a slot that we lent, or a former qmgr, and whose receiver has ended? Then
 * it was not the scan that found it, whenever that ends. */
static bool was_lent(struct qmgr *q, const char *text)
{
	const struct slot *s;
	int64_t number;

	if (!str_to_int(text, 0, QUEUE_SLOT_MAX, &number))
		return false;
	s = store_get(&q->store, (uint32_t)number);
	return s && s->state == SLOT_LOOKED_AT;
}

/* Files without a promise: their numbers are reused. */
void finding_on_junk(struct qmgr *q)
{
	for (size_t i = 0; i < q->in.nattrs; i++) {
		bool lent = was_lent(q, q->in.attr[i].value);
		struct slot *s = claim_text(q, q->in.attr[i].value);

		if (!s)
			continue;
		if (!lent && str_equal(q->in.attr[i].name, "torn"))
			q->found.torn++;
		else if (!lent)
			q->found.unused++;
		errand_remove(q, s);
	}
}

void finding_on_rot(struct qmgr *q)
{
	struct slot *s = claim_text(q, ipc_text(&q->in, "slot"));

	if (!s)
		return;
	q->found.damaged++;
	errand_put_aside(q, s, ipc_text(&q->in, "id"), ipc_text(&q->in, "why"));
}

/* It waits like a message whose file cannot be read for its try (active.c): the
 * administrator sees it, and it is looked at again when its time comes. */
void finding_on_unread(struct qmgr *q)
{
	char path[QUEUE_PATH_SIZE];
	uint16_t attempts = 0;
	struct slot *s;
	int64_t number;

	if (!ipc_int(&q->in, "slot", 0, QUEUE_SLOT_MAX, &number))
		return;
	s = store_get(&q->store, (uint32_t)number);
	if (s)
		attempts = s->attempts;
	s = claim(q, (uint32_t)number, SLOT_WAITING);
	if (!s)
		return;
	s->generation = GENERATION_UNREAD;
	s->arrival = (uint32_t)q->now;
	s->attempts = attempts < UINT16_MAX ? attempts + 1 : attempts;
	wait_add(&q->waiting, s,
		 (uint32_t)(q->tick +
			    backoff(&q->settings, s->attempts, false)));
	queue_slot_path(path, s->number);
	log_error("%s: not known yet what is in it: %s", path,
		  ipc_text(&q->in, "why"));
}

/* A process to which a former qmgr lent it still has it. */
void finding_on_busy(struct qmgr *q)
{
	struct slot *s = claim_text(q, ipc_text(&q->in, "slot"));

	if (s)
		errand_look(q, s);
}

void finding_on_scanned(struct qmgr *q)
{
	const size_t *n = q->store.by_state;

	q->scanning = q->rescan = false;
	q->strange = 0;
	ipc_int(&q->in, "strange", 0, INT64_MAX, &q->strange);
	log_info("scan of the queue done: %zu messages wait, %zu are held; "
		 "found: promised %" PRId64 ", torn %" PRId64
		 ", unused %" PRId64 ", damaged %" PRId64
		 ", left alone %" PRId64,
		 n[SLOT_WAITING] + n[SLOT_ACTIVE], n[SLOT_HELD],
		 q->found.promised, q->found.torn, q->found.unused,
		 q->found.damaged, q->strange);
}

void finding_on_counted(struct qmgr *q)
{
	int64_t n;

	if (ipc_int(&q->in, "corrupt", 0, INT64_MAX, &n))
		q->corrupt = n;
	else
		q->corrupt_since = (struct timespec){ 0 };
}

void finding_tick(struct qmgr *q)
{
	struct timespec *last = &q->corrupt_since;
	struct stat st;

	if (stat("corrupt", &st) < 0) {
		q->corrupt = 0;
		*last = (struct timespec){ 0 };
		return;
	}
	if (st.st_mtim.tv_sec == last->tv_sec &&
	    st.st_mtim.tv_nsec == last->tv_nsec)
		return;
	ipc_begin(&q->keeper_out, "count");
	if (pool_ask(q))
		*last = st.st_mtim;
}
