#include "local-deliver/plan.h"

#include <pwd.h>

#include "client/account.h"
#include "local-deliver/command.h"
#include "local-deliver/file.h"
#include "local-deliver/ledger.h"
#include "local-deliver/mailbox.h"
#include "local-deliver/owner.h"
#include "log/log.h"

struct identity plan_owner(const struct recipient *r, uid_t uid)
{
	struct arena *a = r->message->arena;
	struct passwd *p = uid ? getpwuid(uid) : NULL;

	if (!p)
		return r->settings->nobody;
	return (struct identity){ p->pw_uid, p->pw_gid,
				  arena_strdup(a, p->pw_name),
				  arena_strdup(a, p->pw_dir) };
}

/* \user in an alias of another name: that user's mailbox. */
static void to_other_mailbox(struct recipient *r, const char *address)
{
	struct account account;

	switch (owner_find(address, &account)) {
	case ACCOUNT_FOUND:
		mailbox_deliver(r, &account, address);
		break;
	case ACCOUNT_TEMP:
		settle_away(r, "the user could not be looked up");
		break;
	case ACCOUNT_NONE:
		settle(r, RESULT_FAILED, "5.1.1", "local",
		       "unknown user: \"%s\"", address);
		break;
	}
}

static void do_act(struct recipient *r, const struct plan_act *act)
{
	if (act->kind == ALIAS_COMMAND)
		command_deliver(r, &act->who, act->text);
	else if (act->kind == ALIAS_FILE)
		file_deliver(r, &act->who, act->text);
	else
		to_other_mailbox(r, act->text);
}

/* Does the act AT, unless it was already done: for a qmgr that did not get the
 * answer, or before another act of the address failed. */
static void do_once(struct recipient *r, struct ledger *l, size_t at)
{
	const struct plan_act *act = &r->plan->act[at];
	struct arena *a = r->message->arena;
	const char *what = arena_printf(a, "%d %s", (int)act->kind, act->text);

	if (ledger_find(l, a, at, what, r->result)) {
		r->result->index = r->job->index;
		r->detail = act->text;
		log_info("%s: to=<%s>: not done again: %s", r->message->job->id,
			 r->text, act->text);
		return;
	}
	do_act(r, act);
	/* a mailbox recognises its own deliveries */
	if (r->result->status != RESULT_DEFERRED && act->kind != ALIAS_SELF)
		ledger_note(l, at, what, r->result);
}

/* Opens the page of R, if anything is left to do. False: R is settled. */
static bool open_ledger(struct recipient *r, struct ledger **l)
{
	*l = NULL;
	if (r->plan->acts_done == r->plan->nacts)
		return true;
	if (!ledger_open(r->message->job->id, r->text, l)) {
		settle_away(r, "a process of before is still at it");
		return false;
	}
	r->noted = true;
	return true;
}

/* A permanent failure of one act does not prevent the others; a temporary one
 * does, since all will be tried again. */
bool plan_act(struct recipient *r)
{
	struct plan *p = r->plan;
	struct result failure = { 0 };
	const char *detail = NULL;
	bool failed = false, deferred = false;
	struct ledger *l;

	if (p->nacts == 0 && p->naddresses == 0 && !p->self) {
		settle(r, RESULT_DEFERRED, "4.3.5", "local",
		       "%s stands for nobody", p->by);
		return false;
	}
	if (!open_ledger(r, &l))
		return false;
	while (p->acts_done < p->nacts && !deferred) {
		do_once(r, l, p->acts_done++);
		deferred = r->result->status == RESULT_DEFERRED;
		if (r->result->status == RESULT_FAILED && !failed) {
			failure = *r->result;
			detail = r->detail;
			failed = true;
		}
	}
	ledger_close(&l);
	if (deferred)
		return false;
	if (failed) {
		*r->result = failure;
		r->detail = detail;
	}
	return !failed;
}

static void expand(struct recipient *r)
{
	struct plan *p = r->plan;
	bool done = r->result->status == RESULT_SENT && r->result->dsn;

	if (r->result->status != RESULT_FAILED)
		settle(r, RESULT_EXPANDED, "2.0.0", "local",
		       "%s: expanded to %zu address%s", p->by, p->naddresses,
		       p->naddresses == 1 ? "" : "es");
	r->result->status = RESULT_EXPANDED;
	r->result->flags |= done ? RESULT_DONE_TOO : 0;
	r->result->expanded = p->address;
	r->result->nexpanded = p->naddresses;
	r->result->owner = p->owner;
	r->result->flags |= p->owner ? RESULT_OWNER : 0;
}

void plan_finish(struct recipient *r)
{
	struct plan *p = r->plan;

	if (r->result->status == RESULT_DEFERRED || p->naddresses == 0)
		return;
	expand(r);
}
