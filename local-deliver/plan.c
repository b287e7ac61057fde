#include "local-deliver/plan.h"

#include <pwd.h>

#include "base/str.h"
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

/* How often is the act AT in the plan before it? By that and what it is the
 * ledger knows it, whatever else was put into the file since. */
static size_t place_of(const struct plan *p, size_t at)
{
	size_t n = 0;

	for (size_t i = 0; i < at; i++)
		n += p->act[i].kind == p->act[at].kind &&
		     str_equal(p->act[i].text, p->act[at].text);
	return n;
}

/* Does the act AT, unless it was already done: for a qmgr that did not get the
 * answer, or before another part of the address failed. */
static void do_once(struct recipient *r, struct ledger *l, size_t at)
{
	const struct plan_act *act = &r->plan->act[at];
	struct arena *a = r->message->arena;
	const char *what = arena_printf(a, "%d %s", (int)act->kind, act->text);
	size_t place = place_of(r->plan, at);

	if (ledger_find(l, a, place, what, r->result)) {
		r->result->index = r->job->index;
		r->detail = act->text;
		log_info("%s: to=<%s>: not done again: %s", r->message->job->id,
			 r->text, act->text);
		return;
	}
	do_act(r, act);
	/* a mailbox recognises its own deliveries */
	if (r->result->status != RESULT_DEFERRED && act->kind != ALIAS_SELF)
		ledger_note(l, place, what, r->result);
}

/* Which of two parts is told to the sender. */
static const unsigned char weight[] = {
	[RESULT_SENT] = 1,
	[RESULT_FAILED] = 2,
	[RESULT_DEFERRED] = 3,
};

static unsigned weigh(const struct result *part)
{
	return part->dsn ? weight[part->status] : 0;
}

static void pass_over(const struct recipient *r, const struct result *part,
		      const char *detail)
{
	if (weigh(part) > weight[RESULT_SENT] &&
	    r->plan->told++ < PLAN_TOLD_MAX)
		log_info("%s: to=<%s>: another part %s: %s%s%s",
			 r->message->job->id, r->text,
			 result_name(part->status), part->reply,
			 detail ? ": " : "", detail ? detail : "");
}

void plan_part(struct recipient *r)
{
	struct plan *p = r->plan;

	if (!r->result->dsn)
		return;
	p->copied = p->copied || r->result->status == RESULT_SENT;
	if (weigh(r->result) > weigh(&p->part)) {
		pass_over(r, &p->part, p->detail);
		p->part = *r->result;
		p->detail = r->detail;
	} else {
		pass_over(r, r->result, r->detail);
	}
	*r->result = (struct result){ .index = r->job->index };
	r->detail = NULL;
}

static bool is_for_nobody(const struct plan *p)
{
	return p->nacts == 0 && p->naddresses == 0 && !p->part.dsn;
}

void plan_act(struct recipient *r)
{
	struct plan *p = r->plan;
	struct ledger *l;

	plan_part(r);
	if (is_for_nobody(p))
		settle(r, RESULT_DEFERRED, "4.3.5", "local",
		       "%s stands for nobody", p->by);
	if (p->nacts == 0)
		return;
	if (!ledger_open(r->message->job->id, r->text, &l)) {
		settle_away(r, "a process of before is still at it");
		return;
	}
	r->noted = true;
	for (size_t i = 0; i < p->nacts; i++) {
		do_once(r, l, i);
		plan_part(r);
	}
	ledger_close(&l);
}

static void expand(struct recipient *r)
{
	struct plan *p = r->plan;

	if (weigh(r->result) <= weight[RESULT_SENT])
		settle(r, RESULT_EXPANDED, "2.0.0", "local",
		       "%s: expanded to %zu address%s", p->by, p->naddresses,
		       p->naddresses == 1 ? "" : "es");
	r->result->status = RESULT_EXPANDED;
	r->result->flags |= p->copied ? RESULT_DONE_TOO : 0;
	r->result->expanded = p->address;
	r->result->nexpanded = p->naddresses;
	r->result->owner = p->owner;
	r->result->flags |= p->owner ? RESULT_OWNER : 0;
}

void plan_finish(struct recipient *r)
{
	struct plan *p = r->plan;

	plan_part(r);
	*r->result = p->part;
	r->detail = p->detail;
	if (p->copied && p->part.status != RESULT_SENT)
		log_info("%s: to=<%s>: what else it stands for has it",
			 r->message->job->id, r->text);
	if (p->naddresses > 0)
		expand(r);
}
