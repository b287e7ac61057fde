/*
 * Requests at the public socket: a table of verbs, and for each a step that is
 * called until the answer is complete. A step makes one packet; if the client
 * takes no more, the step is called again when it does, and after some steps
 * others have their turn. So neither a long list nor a client that does not
 * read blocks the loop. The number of untrusted clients is limited, and so is
 * their time.
 */
#include "queue-manager/control.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "ipc/ipc.h"
#include "log/log.h"
#include "queue-manager/active.h"
#include "queue-manager/dest.h"
#include "queue-manager/pool.h"
#include "queue/id.h"
#include "service/loop.h"

#define STEPS_PER_WAKEUP 32
#define STRANGERS_MAX 100  /* clients at once that may only look … */
#define STRANGER_WAIT_S 30 /* … and their time to ask, and to take answers */
#define SCAN_LOOK_MS 50	   /* how often to check whether the scan found it … */
#define SCAN_WAIT_S 45	   /* … and when to answer that it did not */
#define BIT(state) (1u << (state))
#define MESSAGES (BIT(SLOT_ACTIVE) | BIT(SLOT_WAITING) | BIT(SLOT_HELD))

static struct {
	int strangers;
} self;

static void control_end(struct control *c)
{
	if (!c->trusted)
		self.strangers--;
	event_free(c->readable);
	event_free(c->writable);
	event_free(c->more);
	message_free(&c->item);
	buf_free(&c->text);
	free(c->failure);
	ipc_out_free(&c->out);
	close(c->sock);
	free(c);
}

void control_send(struct control *c)
{
	int err = ipc_send(c->sock, &c->out, 0);

	c->unsent = err == ERR_BUSY;
	c->moved = c->moved || !err;
	if (c->unsent)
		event_add(c->writable, NULL);
	else if (err)
		/* the client is gone: its end is read soon */
		c->step = NULL;
}

static void fail(struct control *c, const char *code, const char *why)
{
	c->step = NULL;
	ipc_begin(&c->out, "failed");
	ipc_put(&c->out, "code", code);
	ipc_put(&c->out, "why", why);
	control_send(c);
}

/* The slot of the message that the request names, or NULL. */
static struct slot *slot_of_request(struct control *c)
{
	struct slot *slot = c->all ? NULL :
				     store_get(&c->q->store, c->number);

	return slot && MESSAGES & BIT(slot->state) ? slot : NULL;
}

/* During a scan, a message that was not found yet may still exist: a request
 * for it waits. A list says that it is incomplete. */
static bool must_wait(struct control *c)
{
	if (!c->q->scanning)
		return false;
	return c->all ? c->action != NULL : slot_of_request(c) == NULL;
}

/* Begins to answer the request as soon as it can be. */
static void begin(struct control *c)
{
	static const struct timeval later = { 0, SCAN_LOOK_MS * 1000L };

	bool wait = must_wait(c);

	if (wait && c->q->tick - c->asked_at < SCAN_WAIT_S) {
		event_add(c->more, &later);
		return;
	}
	c->asking = false;
	/* only the scan at start must end first: what is left alone for good
	 * does not hold up what is known */
	if (wait && !c->q->rescan)
		fail(c, "busy", "the queue is still being scanned");
	else
		c->act(c);
}

/* Goes on with the answer, a few steps; then lets others go first. */
static void go_on(struct control *c)
{
	struct timeval at_once = { 0, 0 };

	if (c->asking)
		begin(c);
	for (int i = 0; c->step && !c->unsent; i++) {
		if (i == STEPS_PER_WAKEUP) {
			event_add(c->more, &at_once);
			return;
		}
		if (!c->step(c))
			c->step = NULL;
	}
}

struct control_action {
	const char *verb;
	unsigned asked;	 /* ASKED_… */
	unsigned states; /* it is for: a bit for each */
};

static void ask(struct control *c, struct slot *slot)
{
	int err = active_ask(c->q, slot, c->asked);

	if (!err) {
		c->count++;
		return;
	}
	log_error("slot %" PRIu32 ": what the administrator asked for cannot "
		  "be written down: %s",
		  slot->number, err_why(err));
	free(c->failure);
	c->failure = mem_printf("done to %" PRId64 "; not to all: %s", c->count,
				err_why(err));
}

/* A message that is to be held when its delivery ends counts as held. */
static bool is_meant(const struct control_action *a, const struct slot *slot)
{
	enum slot_state state = slot->state;

	if (state == SLOT_ACTIVE && slot->asked & ASKED_HOLD)
		state = SLOT_HELD;
	return a->states & BIT(state);
}

static bool act_step(struct control *c)
{
	struct slot *slot = store_next(&c->q->store, c->cursor);

	if (slot && (c->all || slot->number == c->cursor)) {
		c->cursor = slot->number + 1;
		if (is_meant(c->action, slot))
			ask(c, slot);
		if (c->all)
			return true;
	}
	if (c->failure) {
		fail(c, "disk", c->failure);
		return false;
	}
	ipc_begin(&c->out, "done");
	ipc_put_int(&c->out, "count", c->count);
	control_send(c);
	return false;
}

static const struct control_action actions[] = {
	{ "hold", ASKED_HOLD, BIT(SLOT_ACTIVE) | BIT(SLOT_WAITING) },
	{ "release", ASKED_FLUSH, BIT(SLOT_HELD) },
	{ "flush", ASKED_FLUSH, BIT(SLOT_WAITING) },
	{ "requeue", ASKED_REQUEUE | ASKED_FLUSH, MESSAGES },
	{ "bounce", ASKED_BOUNCE, MESSAGES },
	{ "delete", ASKED_DELETE, MESSAGES },
};

static void do_action(struct control *c)
{
	struct slot *slot = slot_of_request(c);
	const struct control_action *a = c->action;

	if (!c->all && !slot) {
		fail(c, "not-found", "no such message");
		return;
	}
	if (a->asked & ASKED_FLUSH)
		dest_wake_all(c->q);
	c->cursor = c->all ? 0 : slot->number;
	c->asked = a->asked;
	c->count = 0;
	free(c->failure);
	c->failure = NULL;
	c->step = act_step;
}

static void do_list(struct control *c)
{
	struct slot *slot = slot_of_request(c);

	if (!c->all && !slot) {
		fail(c, "not-found", "no such message");
		return;
	}
	c->cursor = c->all ? 0 : slot->number;
	c->scanning = c->q->scanning;
	c->step = list_step;
}

static void do_show(struct control *c)
{
	struct slot *slot = slot_of_request(c);

	if (!slot || !show_begin(c, slot))
		fail(c, "not-found", "no such message");
	else
		c->step = show_step;
}

static void do_stats(struct control *c)
{
	struct qmgr *q = c->q;
	int64_t all, dead, slow;

	dest_counts(q, &all, &dead, &slow);
	ipc_begin(&c->out, "stats");
	ipc_put_int(&c->out, "active", (int64_t)q->store.by_state[SLOT_ACTIVE]);
	ipc_put_int(&c->out, "waiting",
		    (int64_t)q->store.by_state[SLOT_WAITING]);
	ipc_put_int(&c->out, "held", (int64_t)q->store.by_state[SLOT_HELD]);
	ipc_put_int(&c->out, "received", q->stats.received);
	ipc_put_int(&c->out, "delivered", q->stats.delivered);
	ipc_put_int(&c->out, "deferred", q->stats.deferred);
	ipc_put_int(&c->out, "bounced", q->stats.bounced);
	ipc_put_int(&c->out, "destinations", all);
	ipc_put_int(&c->out, "dead", dead);
	ipc_put_int(&c->out, "slow", slow);
	ipc_put_int(&c->out, "slow-jobs",
		    (int64_t)(q->at_work[TRANSPORT_LOCAL][SHARE_SLOW] +
			      q->at_work[TRANSPORT_REMOTE][SHARE_SLOW]));
	ipc_put_int(&c->out, "slots", (int64_t)q->store.count);
	ipc_put_int(&c->out, "strange", q->strange);
	ipc_put_int(&c->out, "corrupt", q->corrupt);
	ipc_put_int(&c->out, "aside", q->aside);
	ipc_put_int(&c->out, "scanning", q->scanning);
	ipc_put_int(&c->out, "intake-stopped", q->intake_stopped);
	control_send(c);
}

/* Copies the request: the packet is not kept. */
static void take_request(struct control *c)
{
	const char *id = ipc_get(&c->q->in, "id");

	c->all = !id || strcmp(id, "ALL") == 0;
	/* there is no slot of the greatest number */
	if (!c->all && !queue_id_slot(id, &c->number))
		c->number = UINT32_MAX;
	c->asking = true;
	c->asked_at = c->q->tick;
}

/* An action names its messages. */
static void take_action(struct control *c, const struct control_action *a)
{
	const char *id = ipc_text(&c->q->in, "id");

	if (!c->trusted) {
		fail(c, "denied", "only root and the queue's user may do that");
		return;
	}
	if (!*id) {
		fail(c, "not-found", "no such message");
		return;
	}
	log_info("the administrator asked to %s %s", a->verb, id);
	c->action = a;
	c->act = do_action;
	take_request(c);
	/* what is to be tried now may be in a file that was mended */
	if (c->all && a->asked & ASKED_FLUSH)
		pool_look_again(c->q);
}

static void dispatch(struct control *c)
{
	static const struct {
		const char *verb;
		void (*act)(struct control *c);
	} questions[] = {
		{ "list", do_list },
		{ "show", do_show },
	};

	c->action = NULL;
	if (ipc_is(&c->q->in, "stats")) {
		do_stats(c);
		return;
	}
	for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
		if (ipc_is(&c->q->in, questions[i].verb)) {
			c->act = questions[i].act;
			take_request(c);
			return;
		}
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (ipc_is(&c->q->in, actions[i].verb)) {
			take_action(c, &actions[i]);
			return;
		}
	fail(c, "syntax", "no such request");
}

static void on_request(evutil_socket_t sock, short what, void *arg)
{
	struct control *c = arg;
	int err;

	if (what & EV_TIMEOUT) {
		if (!c->moved)
			control_end(c);
		else
			c->moved = false;
		return;
	}
	err = ipc_recv((int)sock, &c->q->in, 0);
	if (err == ERR_BUSY)
		return;
	/* one request at a time: asking during an answer ends the
	 * connection */
	if (err || c->asking || c->step || c->unsent) {
		control_end(c);
		return;
	}
	dispatch(c);
	go_on(c);
}

static void on_writable(evutil_socket_t sock, short what, void *arg)
{
	struct control *c = arg;

	(void)sock, (void)what;
	control_send(c);
	go_on(c);
}

static void on_more(evutil_socket_t sock, short what, void *arg)
{
	(void)sock, (void)what;
	go_on(arg);
}

/* Untrusted clients are limited in number and time: otherwise they could use
 * up all descriptors. */
static void welcome(struct control *c)
{
	static const struct timeval wait = { STRANGER_WAIT_S, 0 };

	if (c->trusted) {
		event_add(c->readable, NULL);
		return;
	}
	if (++self.strangers > STRANGERS_MAX)
		control_end(c);
	else
		event_add(c->readable, &wait);
}

static int take_connection(int listener, void *context)
{
	struct qmgr *q = context;
	uid_t uid;
	struct control *c;
	int sock = ipc_accept_any(listener, &uid);

	if (sock < 0)
		return -1;
	c = mem_alloc(sizeof(*c));
	c->q = q;
	c->sock = sock;
	c->trusted = uid == 0 || uid == geteuid();
	buf_init(&c->text, 256 << 20);
	c->readable =
		event_new(q->base, sock, EV_READ | EV_PERSIST, on_request, c);
	c->writable = event_new(q->base, sock, EV_WRITE, on_writable, c);
	c->more = evtimer_new(q->base, on_more, c);
	welcome(c);
	return sock;
}

void control_start(struct qmgr *q, const struct prefork_listener *l)
{
	loop_listen(q->base, l, take_connection, q);
}
