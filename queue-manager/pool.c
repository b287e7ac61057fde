/*
 * A slot's number is taken (SLOT_MAKING) when keeper is asked for its file,
 * not when the file exists: so neither the scan, which may find it first, nor
 * a second request can give it another meaning. How many are kept ready
 * follows demand: the mark doubles each time they run out.
 */
#include "queue-manager/pool.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "log/log.h"
#include "queue-manager/active.h"
#include "queue-manager/errand.h"
#include "queue-manager/finding.h"
#include "queue-manager/intake.h"
#include "queue-manager/keeper.h"
#include "queue/id.h"

#define SPARE_MIN 16   /* make more below this; each time they run out, */
#define SPARE_MAX 256  /* below twice as many, up to this */
#define FILES_LOW 1000 /* free inodes that are kept */

bool pool_ask(struct qmgr *q)
{
	return q->keeper.sock >= 0 &&
	       ipc_send(q->keeper.sock, &q->keeper_out, 0) == ERR_OK;
}

/* Forgets the slots that were asked for from FIRST on. */
static void forget_making(struct qmgr *q, uint32_t first)
{
	for (uint32_t i = 0; i < q->making; i++) {
		struct slot *s = store_get(&q->store, first + i);

		if (s && s->state == SLOT_MAKING)
			store_remove(&q->store, s);
	}
	q->making = 0;
}

static void make_more(struct qmgr *q)
{
	uint32_t first = q->next_number, count = KEEPER_BATCH;
	uint32_t left = QUEUE_SLOTS_PER_DIR - first % QUEUE_SLOTS_PER_DIR;

	if (q->making || q->nspare >= q->spare_low || q->keeper.sock < 0 ||
	    q->intake_stopped || q->disk_full)
		return;
	if (count > left)
		count = left;
	for (uint32_t i = 0; i < count; i++) {
		struct slot *s = store_add(&q->store, first + i, SLOT_MAKING);

		/* a slot is known there already: what comes after it? */
		if (!s) {
			count = i;
			break;
		}
	}
	q->next_number = (first + (count ? count : 1)) & QUEUE_SLOT_MAX;
	if (count == 0)
		return;
	q->making = count;
	ipc_begin(&q->keeper_out, "make");
	ipc_put_int(&q->keeper_out, "first", first);
	ipc_put_int(&q->keeper_out, "count", count);
	q->making_first = first;
	if (!pool_ask(q))
		forget_making(q, first);
}

struct slot *pool_take(struct qmgr *q)
{
	struct slot *slot = NULL;

	if (q->nspare)
		slot = q->spare[--q->nspare];
	else
		q->spare_low = q->spare_low < SPARE_MAX / 2 ? q->spare_low * 2
							    : SPARE_MAX;
	make_more(q);
	return slot;
}

/* Slots cannot be made now; the next try begins with NUMBER again. */
static void no_room(struct qmgr *q, uint32_t number)
{
	q->disk_full = true;
	q->next_number = number & QUEUE_SLOT_MAX;
}

/* "made": COUNT of the requested ones exist now. */
static void on_made(struct qmgr *q)
{
	int64_t first, count;
	const char *why = ipc_text(&q->in, "why");

	if (!ipc_int(&q->in, "first", 0, QUEUE_SLOT_MAX, &first) ||
	    !ipc_int(&q->in, "count", 0, KEEPER_BATCH, &count))
		return;
	for (size_t i = 0; i < q->making; i++) {
		struct slot *s =
			store_get(&q->store, (uint32_t)first + (uint32_t)i);

		if (!s || s->state != SLOT_MAKING)
			continue;
		if (i >= (size_t)count) {
			store_remove(&q->store, s);
			continue;
		}
		store_set_state(&q->store, s, SLOT_SPARE);
		q->spare[q->nspare++] = s;
	}
	q->making = 0;
	/* a folder that is already in use: take the next one */
	if (str_equal(why, "exists"))
		q->next_number = ((uint32_t)first / QUEUE_SLOTS_PER_DIR + 1) *
					 QUEUE_SLOTS_PER_DIR &
				 QUEUE_SLOT_MAX;
	else if (*why)
		no_room(q, (uint32_t)(first + count));
	intake_feed(q);
	make_more(q);
}

static const struct {
	const char *verb;
	void (*act)(struct qmgr *q);
} answers[] = {
	{ "made", on_made },
	{ "found", finding_on_found },
	{ "junk", finding_on_junk },
	{ "rot", finding_on_rot },
	{ "unread", finding_on_unread },
	{ "busy", finding_on_busy },
	{ "scanned", finding_on_scanned },
	{ "counted", finding_on_counted },
	{ "anew", errand_on_anew },
	{ "looked", errand_on_looked },
};

static bool read_packet(struct qmgr *q)
{
	if (q->keeper.sock < 0 || ipc_recv(q->keeper.sock, &q->in, 0) != ERR_OK)
		return false;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		if (ipc_is(&q->in, answers[i].verb))
			answers[i].act(q);
	return true;
}

/* Asks for the scan, or later if keeper takes no packet now. */
static void ask_scan(struct qmgr *q)
{
	if (!q->scan_due)
		return;
	ipc_begin(&q->keeper_out, "scan");
	q->scan_due = !pool_ask(q);
}

void pool_look_again(struct qmgr *q)
{
	if (q->scanning || q->strange == 0)
		return;
	memset(&q->found, 0, sizeof(q->found));
	q->scanning = q->rescan = q->scan_due = true;
	ask_scan(q);
}

static void on_started(struct qmgr *q)
{
	q->scan_due = q->scanning;
	ask_scan(q);
	/* what a former one was asked for is forgotten */
	q->corrupt_since = (struct timespec){ 0 };
	finding_tick(q);
	errand_again(q);
	make_more(q);
}

/* Files it was making belong to no slot: the next start's scan removes them. */
static void on_died(struct qmgr *q)
{
	forget_making(q, q->making_first);
}

void pool_start(struct qmgr *q)
{
	q->spare = mem_array(SPARE_MAX + KEEPER_BATCH, sizeof(*q->spare));
	q->spare_low = SPARE_MIN;
	q->scanning = true;
	q->keeper.name = "keeper";
	q->keeper.q = q;
	q->keeper.run = keeper_run;
	q->keeper.read = read_packet;
	q->keeper.started = on_started;
	q->keeper.died = on_died;
	helper_start(&q->keeper);
}

static bool is_low(const struct qmgr *q)
{
	struct statvfs v;
	uint64_t bytes;

	if (statvfs(".", &v) < 0)
		return true;
	bytes = (uint64_t)v.f_bavail * v.f_frsize;
	/* file systems without a fixed number of inodes say 0 */
	return bytes < (uint64_t)q->settings.minfree ||
	       (v.f_files && v.f_favail < FILES_LOW);
}

void pool_tick(struct qmgr *q)
{
	bool low = is_low(q);

	if (low && !q->intake_stopped)
		log_error("less than queue_minfree is free in the queue's "
			  "file system: no mail is accepted until there is "
			  "more");
	if (!low && q->intake_stopped)
		log_info("there is space again: mail is accepted");
	q->intake_stopped = low;
	q->disk_full = false;
	if (q->spare_low > SPARE_MIN)
		q->spare_low--;
	ask_scan(q);
	finding_tick(q);
	errand_tick(q);
	make_more(q);
	intake_feed(q);
}

bool pool_has_space(const struct qmgr *q)
{
	return !q->intake_stopped && !q->disk_full;
}
