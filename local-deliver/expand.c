/* Targets of aliases and .forward files become a plan (plan.h). */
#include "local-deliver/plan.h"

#include <string.h>

#include "base/err.h"
#include "base/str.h"

/* ARRAY of *CAP elements, grown in the arena to have room for one more. */
static void *grown(struct recipient *r, void *array, size_t n, size_t *cap,
		   size_t size)
{
	void *bigger;

	if (n < *cap)
		return array;
	*cap = *cap ? 2 * *cap : 8;
	bigger = arena_alloc(r->message->arena, *cap * size);
	if (n)
		memcpy(bigger, array, n * size);
	return bigger;
}

bool plan_refuse(struct recipient *r, const char *name, const char *what)
{
	r->plan->nacts = r->plan->naddresses = 0;
	settle(r, RESULT_FAILED, "5.4.6", "local", "%s: too many %s", name,
	       what);
	return false;
}

static bool add_act(struct recipient *r, const struct plan_source *from,
		    const struct alias_target *t)
{
	struct plan *p = r->plan;

	if (p->nacts == PLAN_ACTS_MAX)
		return plan_refuse(r, from->name, "commands and files");
	p->act = grown(r, p->act, p->nacts, &p->cap_acts, sizeof(*p->act));
	p->act[p->nacts++] = (struct plan_act){ t->kind, t->text, *from->who };
	return true;
}

static bool add_address(struct recipient *r, const struct plan_source *from,
			const char *text)
{
	struct plan *p = r->plan;

	if (p->naddresses == PLAN_ADDRESSES_MAX)
		return plan_refuse(r, from->name, "addresses");
	p->address = grown(r, p->address, p->naddresses, &p->cap_addresses,
			   sizeof(*p->address));
	p->address[p->naddresses++] = arena_strdup(r->message->arena, text);
	return true;
}

/* Is A the recipient's own address, with or without its extension? */
static bool is_own(const struct recipient *r, const struct address *a)
{
	char user[ADDRESS_LOCAL_SIZE], extension[ADDRESS_LOCAL_SIZE];

	if (!str_equal(a->domain, r->address.domain))
		return false;
	if (str_equal_ci(a->local, r->address.local))
		return true;
	return address_split(r->address.local, r->settings->delimiters, user,
			     extension) &&
	       str_equal_ci(a->local, user);
}

/* That target waits; the others do not. */
static bool unusable(struct recipient *r, const struct plan_source *from,
		     const char *what, size_t number)
{
	settle(r, RESULT_DEFERRED, "4.3.5", "local",
	       "%s: target %zu%s%s is not %s: mail waits until that is mended",
	       from->name, number, from->file ? " of " : "",
	       from->file ? from->file : "", what);
	plan_part(r);
	return true;
}

/* Completes an address: "@domain" gets the recipient's local part, "user"
 * the domain of this system, and all of them the extension. */
static bool complete(struct recipient *r, const char *text,
		     const char *extension, size_t n, struct address *a)
{
	char whole[ADDRESS_TEXT_SIZE];

	if (*text == '@') {
		if (strlen(text) >= sizeof(whole) ||
		    address_domain(text + 1, strlen(text + 1), a->domain))
			return false;
		return str_copy(a->local, sizeof(a->local), r->address.local);
	}
	if (address_parse(text, strlen(text), a))
		return false;
	if (!*a->domain &&
	    address_domain(r->settings->myorigin, strlen(r->settings->myorigin),
			   a->domain))
		return false;
	if (n == 0)
		return *a->local != '\0';
	if (strlen(a->local) + 1 + n >= sizeof(a->local))
		return false;
	strncat(a->local, r->settings->delimiters, 1);
	strncat(a->local, extension, n);
	return true;
}

/* \user: for the recipient's own name the mailbox, for another one a separate
 * act. */
static bool add_self(struct recipient *r, const struct plan_source *from,
		     const struct alias_target *t, size_t number)
{
	struct address a;

	if (!complete(r, t->text, "", 0, &a))
		return unusable(r, from, "an address", number);
	if (!is_own(r, &a)) {
		char text[ADDRESS_TEXT_SIZE];
		struct alias_target other = {
			ALIAS_SELF,
			arena_strdup(r->message->arena, address_text(&a, text))
		};

		return add_act(r, from, &other);
	}
	r->plan->self = true;
	r->plan->self_mailbox = true;
	return true;
}

static bool add_target(struct recipient *r, const struct plan_source *from,
		       const struct alias_target *t, size_t number,
		       const char *extension, size_t n)
{
	char text[ADDRESS_TEXT_SIZE];
	struct address a;

	switch (t->kind) {
	case ALIAS_SELF:
		return add_self(r, from, t, number);
	case ALIAS_FILE:
	case ALIAS_COMMAND:
		return add_act(r, from, t);
	case ALIAS_INCLUDE:
		return plan_include(r, from, t->text);
	case ALIAS_ADDRESS:
		break;
	}
	if (!complete(r, t->text, extension, n, &a))
		return unusable(r, from, "an address", number);
	if (is_own(r, &a)) {
		r->plan->self = true;
		return true;
	}
	return add_address(r, from, address_text(&a, text));
}

/* May the source ask for this? If not, it is a part that fails. */
static bool is_allowed(struct recipient *r, const struct plan_source *from,
		       const struct alias_target *t, size_t number)
{
	const struct settings *s = r->settings;
	bool command = t->kind == ALIAS_COMMAND, file = t->kind == ALIAS_FILE;

	if (from->virtual_alias && t->kind != ALIAS_ADDRESS) {
		unusable(r, from, "an address, as this table needs", number);
		return false;
	}
	if ((command && !s->commands) || (file && !s->files)) {
		settle(r, RESULT_FAILED, "5.7.1", "local",
		       "%s: mail to %s is not allowed here", from->name,
		       command ? "commands" : "files");
		plan_part(r);
		return false;
	}
	return true;
}

static bool add_all(struct recipient *r, const struct plan_source *from,
		    const struct alias_target *target, size_t count,
		    const char *extension, size_t n)
{
	if (!r->plan->by)
		r->plan->by = arena_strdup(r->message->arena, from->name);
	for (size_t i = 0; i < count; i++)
		if (is_allowed(r, from, &target[i], i + 1) &&
		    !add_target(r, from, &target[i], i + 1, extension, n))
			return false;
	return true;
}

bool plan_add(struct recipient *r, const struct plan_source *from,
	      const struct alias_target *target, size_t n)
{
	return add_all(r, from, target, n, "", 0);
}

bool plan_add_text(struct recipient *r, const struct plan_source *from,
		   const char *text, const char *extension, size_t n)
{
	struct alias_target *target;
	const char *why;
	size_t count;

	if (aliases_targets(r->message->arena, text, &target, &count, &why)) {
		settle(r, RESULT_DEFERRED, "4.3.5", "local", "%s: %s",
		       from->name, why);
		plan_part(r);
		return true;
	}
	if (count == 0) {
		settle(r, RESULT_DEFERRED, "4.3.5", "local",
		       "%s has no targets", from->name);
		plan_part(r);
		return true;
	}
	return add_all(r, from, target, count, extension, n);
}
