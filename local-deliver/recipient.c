/*
 * The steps for one recipient: tables of addresses, aliases, the account, its
 * .forward, its mailbox. These end with a plan, and if the address has a mailbox
 * of its own that is handed to a worker, without waiting, so that mail that came
 * together is delivered together. All else (a command, a file, somebody else's
 * mailbox) comes when all of these have their mail, so that a slow command only
 * delays other commands, and answers.
 *
 * What an address stands for are its parts: none that fails keeps another from
 * its mail.
 */
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "client/account.h"
#include "local-deliver/loop.h"
#include "local-deliver/mailbox.h"
#include "local-deliver/owner.h"
#include "local-deliver/plan.h"
#include "local-deliver/worker.h"
#include "table/lookup.h"

#define VALUE_MAX TABLE_VALUE_MAX

#define LOCAL_DOMAINS (1U << ADDRESS_LOCAL)
#define MAILBOX_DOMAINS (LOCAL_DOMAINS | 1U << ADDRESS_VIRTUAL_MAILBOX)
#define ALL_DOMAINS (~0U)

static bool by_virtual_alias(struct recipient *r);
static bool by_alias(struct recipient *r);
static bool by_account(struct recipient *r);

/* In this order; each gives true when R is settled. */
static const struct {
	bool (*step)(struct recipient *r);
	unsigned classes;
} steps[] = {
	{ by_virtual_alias, ALL_DOMAINS },
	{ by_alias, LOCAL_DOMAINS },
	{ by_account, MAILBOX_DOMAINS },
};

static bool table_fault(struct recipient *r, const char *what)
{
	settle(r, RESULT_DEFERRED, "4.3.0", "local",
	       "%s could not be looked up", what);
	return true;
}

/* A table has no such name, but cannot say so for certain. Elsewhere there may
 * be one. */
static bool is_missing(struct recipient *r, int err)
{
	r->plan->unsure = r->plan->unsure || err == ERR_UNSURE;
	return err == ERR_NOT_FOUND || err == ERR_UNSURE;
}

/* The plan has new targets. True if they are all; false if R's address also
 * stands for itself, and goes on. */
static bool is_all(struct recipient *r)
{
	if (r->plan->self_mailbox)
		return by_account(r);
	return !r->plan->self;
}

static bool use_virtual_alias(struct recipient *r, const char *value,
			      const char *extension, size_t n)
{
	struct plan_source from = { .name = "virtual alias",
				    .who = &r->settings->nobody,
				    .virtual_alias = true };

	return !plan_add_text(r, &from, value, extension, n) || is_all(r);
}

static bool by_virtual_alias(struct recipient *r)
{
	const struct settings *s = r->settings;
	bool bare = r->class == ADDRESS_LOCAL ||
		    str_equal_ci(r->address.domain, s->myorigin);
	const char *extension;
	struct buf value;
	bool settled = false;
	size_t n;
	int err;

	if (s->virtual_aliases.n == 0)
		return false;
	buf_init(&value, VALUE_MAX);
	err = lookup_virtual(&s->virtual_aliases, r->text, s->delimiters, bare,
			     &value, &extension, &n);
	if (err == ERR_OK)
		settled = use_virtual_alias(r, value.data, extension, n);
	else if (!is_missing(r, err))
		settled = table_fault(r, "the virtual alias");
	buf_free(&value);
	return settled;
}

/* Is this name itself about a list, so that it has no owner? */
static bool is_list_office(const char *local)
{
	return str_starts_ci(local, "owner-") || str_ends_ci(local, "-request");
}

/* If there is an alias owner-LIST, it gets the bounces of what LIST stands
 * for. False: R is settled. */
static bool find_owner(struct recipient *r)
{
	const struct settings *s = r->settings;
	struct address owner = r->address;
	char text[ADDRESS_TEXT_SIZE], user[ADDRESS_LOCAL_SIZE],
		extension[ADDRESS_LOCAL_SIZE];
	struct buf value;
	int err;

	if (!s->owners || is_list_office(r->address.local))
		return true;
	address_split(r->address.local, s->delimiters, user, extension);
	if (strlen(user) + 7 > sizeof(owner.local))
		return true;
	memcpy(owner.local, "owner-", 6);
	memcpy(owner.local + 6, user, strlen(user) + 1);
	buf_init(&value, VALUE_MAX);
	err = table_list_get_part(&s->aliases, owner.local, &value, NULL);
	buf_free(&value);
	if (err == ERR_OK)
		r->plan->owner = arena_strdup(r->message->arena,
					      address_text(&owner, text));
	else if (err == ERR_TEMP)
		table_fault(r, "the owner of the list");
	return err != ERR_TEMP;
}

static bool use_alias(struct recipient *r, const char *value,
		      const struct table *table)
{
	struct identity owner;
	struct plan_source from = {
		.name = arena_printf(r->message->arena, "alias %s",
				     r->address.local),
		.who = &owner,
	};

	owner = plan_owner(r, table_owner(table));
	from.by_root = table_owner(table) == 0;
	r->plan->self = false;
	return !find_owner(r) || !plan_add_text(r, &from, value, "", 0) ||
	       is_all(r);
}

static bool by_alias(struct recipient *r)
{
	const struct settings *s = r->settings;
	const char *extension;
	struct table *table;
	bool settled = false;
	struct buf value;
	int err;

	if (s->aliases.n == 0)
		return false;
	buf_init(&value, VALUE_MAX);
	err = lookup_alias(&s->aliases, r->address.local, s->delimiters, &value,
			   &extension, &table);
	if (err == ERR_OK)
		settled = use_alias(r, value.data, table);
	else if (!is_missing(r, err))
		settled = table_fault(r, "the alias");
	buf_free(&value);
	return settled;
}

/* A user's .forward: acted on as the user, root's as default_privs. False: R
 * is settled. */
static bool use_forward(struct recipient *r, const struct account *account,
			const struct alias_target *target, size_t n)
{
	struct identity user = { account->uid, account->gid, account->user,
				 account->home };
	struct plan_source from = {
		.name = arena_printf(r->message->arena, ".forward of %s",
				     account->user),
		.who = account->uid ? &user : &r->settings->nobody,
	};

	return plan_add(r, &from, target, n);
}

/* To the mailbox, or where his .forward says. */
static void to_mailbox(struct recipient *r, const struct account *account)
{
	bool forward = !account->virtual_user && !r->plan->self_mailbox;

	mailbox_ask(r, account, r->text, forward);
}

/* A copy for himself in his .forward means the mailbox. */
static void finish_mailbox(struct recipient *r)
{
	const struct account *account = &r->asked->account;
	struct alias_target *target;
	size_t n;

	if (!mailbox_hear(r, &target, &n))
		return;
	r->plan->self = false;
	if (use_forward(r, account, target, n) && r->plan->self)
		mailbox_deliver(r, account, r->text);
}

static bool by_account(struct recipient *r)
{
	struct account account;

	switch (owner_find(r->text, &account)) {
	case ACCOUNT_FOUND:
		to_mailbox(r, &account);
		return true;
	case ACCOUNT_TEMP:
		settle_away(r, "the user could not be looked up");
		return true;
	case ACCOUNT_NONE:
		break;
	}
	return false;
}

static bool understand(struct recipient *r)
{
	const char *text = r->job->address;

	if (address_parse(text, strlen(text), &r->address)) {
		settle(r, RESULT_FAILED, "5.1.3", "local", "bad address");
		return false;
	}
	address_text(&r->address, r->text);
	r->class = address_class(r->settings->domains, r->address.domain);
	return true;
}

static void walk(struct recipient *r)
{
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if ((steps[i].classes & 1U << r->class) && steps[i].step(r))
			return;
	if (r->plan->unsure)
		settle(r, RESULT_DEFERRED, "4.3.5", "local",
		       "user \"%s\" not found, but not all tables could be "
		       "read: see posthorn check",
		       r->address.local);
	else
		settle(r, RESULT_FAILED, "5.1.1", "local",
		       "unknown user: \"%s\"", r->address.local);
}

void recipient_begin(struct recipient *r)
{
	r->plan = arena_alloc(r->message->arena, sizeof(*r->plan));
	if (!understand(r))
		return;
	if (loop_found(r)) {
		settle(r, RESULT_FAILED, "5.4.6", "local",
		       "mail forwarding loop for %s", r->text);
		return;
	}
	walk(r);
}

void recipient_mailbox(struct recipient *r)
{
	if (r->asked)
		finish_mailbox(r);
}

void recipient_deliver(struct recipient *r)
{
	plan_act(r);
	plan_finish(r);
}
