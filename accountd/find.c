/*
 * The lookups in order. An address is parsed once (struct place): local part,
 * extension, class of its domain. Then the tables are asked with the whole
 * address and without the extension, as in local-deliver, and last the users
 * file or the system users. The answer is "not found" only if every table could
 * answer for certain; if one could not, it is temporary, since a permanent no
 * would lose mail.
 */
#include "accountd/find.h"

#include <string.h>
#include <sysexits.h>

#include "accountd/system.h"
#include "address/address.h"
#include "address/domains.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "log/log.h"
#include "table/aliases.h"
#include "table/lookup.h"
#include "table/quota-rule.h"
#include "table/table.h"

#define ALIAS_DEPTH_MAX 10 /* from an address to the account behind it */

static struct {
	struct address_domains *domains;
	struct table_list virtual_aliases;
	struct table_list aliases;
	struct table_list sender_logins;
	const char *delimiters;
	const char *myorigin;
	const char *login_domain; /* of bare names; NULL: system users */
	bool local_users;
	struct quota quota; /* of users for whom nothing else is said */
	bool unsure; /* of the question: a name was not found for certain */
	struct buf value;
} self;

/* An address on its way through the lookups. */
struct place {
	struct address address;
	enum address_class class;
	char text[ADDRESS_TEXT_SIZE];
	char user[ADDRESS_LOCAL_SIZE];
	char extension[ADDRESS_LOCAL_SIZE];
};

static void open_tables(const struct config *c, const char *parameter,
			bool targets, struct table_list *list)
{
	struct buf faults;
	bool good;

	buf_init(&faults, 1 << 20);
	good = table_list_open(list, config_list(c, parameter), targets,
			       &faults);
	log_error_lines(parameter, faults.data);
	buf_free(&faults);
	if (!good)
		log_die(EX_CONFIG, "%s cannot be used", parameter);
}

static void read_quota(const struct config *c)
{
	const struct strlist *rules = config_list(c, "mailbox_quota_rules");
	struct buf all;

	self.quota.bytes = config_bytes(c, "mailbox_quota");
	self.quota.messages = config_int(c, "mailbox_quota_messages");
	buf_init(&all, QUOTA_RULES_SIZE);
	for (size_t i = 0; i < rules->n; i++)
		if (!quota_rule_add(&all, rules->item[i]))
			log_die(EX_CONFIG,
				"mailbox_quota_rules: %s is not of the form "
				"Trash:storage=+10%%:messages=+10%% or "
				"Spam:ignore, or there are more than %d",
				rules->item[i], QUOTA_TREES_MAX);
	str_copy(self.quota.rules, sizeof(self.quota.rules), all.data);
	buf_free(&all);
}

void find_begin(const struct config *c)
{
	const struct strlist *virtual = config_list(c,
						    "virtual_mailbox_domains");

	self.domains = address_domains_new(c, NULL);
	open_tables(c, "virtual_alias_maps", true, &self.virtual_aliases);
	open_tables(c, "alias_maps", true, &self.aliases);
	open_tables(c, "smtpd_sender_login_maps", false, &self.sender_logins);
	self.delimiters = config_string(c, "recipient_delimiter");
	self.myorigin = config_string(c, "myorigin");
	self.local_users = config_bool(c, "local_users");
	read_quota(c);
	if (!self.local_users && virtual->n > 0)
		self.login_domain = virtual->item[0];
	buf_init(&self.value, TABLE_VALUE_MAX);
}

static bool find_place(const char *text, struct place *p)
{
	if (strlen(text) >= ADDRESS_TEXT_SIZE ||
	    address_parse(text, strlen(text), &p->address) ||
	    !*p->address.local)
		return false;
	address_text(&p->address, p->text);
	p->class = address_class(self.domains, p->address.domain);
	address_split(p->address.local, self.delimiters, p->user, p->extension);
	return true;
}

static enum account_status status_of_table(int err)
{
	if (err == ERR_OK)
		return ACCOUNT_FOUND;
	self.unsure = self.unsure || err == ERR_UNSURE;
	return err == ERR_NOT_FOUND || err == ERR_UNSURE ? ACCOUNT_NONE
							 : ACCOUNT_TEMP;
}

/* The answer to the question, of which STATUS came out. */
static enum account_status conclude(enum account_status status)
{
	if (status == ACCOUNT_NONE && self.unsure)
		status = ACCOUNT_TEMP;
	self.unsure = false;
	return status;
}

/* May the table have names without the domain for this one? */
static bool is_bare(const struct place *p)
{
	return p->class == ADDRESS_LOCAL ||
	       str_equal_ci(p->address.domain, self.myorigin);
}

static enum account_status in_virtual_aliases(const struct place *p)
{
	if (self.virtual_aliases.n == 0)
		return ACCOUNT_NONE;
	return status_of_table(lookup_virtual(&self.virtual_aliases, p->text,
					      self.delimiters, is_bare(p),
					      &self.value, NULL, NULL));
}

static enum account_status in_aliases(const struct place *p)
{
	const char *extension;
	struct table *from;

	if (p->class != ADDRESS_LOCAL || self.aliases.n == 0)
		return ACCOUNT_NONE;
	return status_of_table(lookup_alias(&self.aliases, p->address.local,
					    self.delimiters, &self.value,
					    &extension, &from));
}

static enum account_status in_any_aliases(const struct place *p)
{
	enum account_status status = in_virtual_aliases(p);

	return status == ACCOUNT_NONE ? in_aliases(p) : status;
}

static int64_t limit(int64_t own, int64_t all)
{
	return own == QUOTA_DEFAULT ? all : own;
}

static bool fill(const struct user *u, struct account *out)
{
	out->quota.bytes = limit(u->quota.bytes, self.quota.bytes);
	out->quota.messages = limit(u->quota.messages, self.quota.messages);
	str_copy(out->quota.rules, sizeof(out->quota.rules),
		 u->quota_rules ? u->quota_rules : self.quota.rules);
	out->uid = u->uid;
	out->gid = u->gid;
	return str_copy(out->user, sizeof(out->user), u->name) &&
	       str_copy(out->home, sizeof(out->home), u->home) &&
	       str_copy(out->maildir, sizeof(out->maildir), u->maildir);
}

static enum account_status status_of_user(enum users_status status,
					  const struct user *u,
					  struct account *out,
					  const char **hash)
{
	self.unsure = self.unsure || status == USERS_UNSURE;
	if (status == USERS_NONE || status == USERS_UNSURE)
		return ACCOUNT_NONE;
	if (status != USERS_FOUND)
		return ACCOUNT_TEMP;
	if (!fill(u, out)) {
		log_error("%s: the paths of this user are too long", u->name);
		err_set(ERR_TEMP, "%s: the paths of this user are too long",
			u->name);
		return ACCOUNT_TEMP;
	}
	*hash = u->hash;
	return ACCOUNT_FOUND;
}

/* The user with the local part LOCAL, in P's domain. */
static enum account_status find_user(const struct place *p, const char *local,
				     struct account *out, const char **hash)
{
	struct address a = p->address;
	char text[ADDRESS_TEXT_SIZE];
	enum users_status status;
	const struct user *u = NULL;

	str_copy(a.local, sizeof(a.local), local);
	if (p->class == ADDRESS_LOCAL) {
		status = system_find(str_lower(a.local), &u);
	} else {
		out->virtual_user = true;
		status = users_find(str_lower(address_text(&a, text)), &u);
	}
	return status_of_user(status, u, out, hash);
}

/* The account of P, with and without the extension. */
static enum account_status account_of(const struct place *p,
				      struct account *out, const char **hash)
{
	enum account_status status;

	*out = (struct account){ 0 };
	if (p->class != ADDRESS_LOCAL && p->class != ADDRESS_VIRTUAL_MAILBOX)
		return ACCOUNT_NONE;
	status = find_user(p, p->address.local, out, hash);
	if (status != ACCOUNT_NONE || !*p->extension)
		return status;
	status = find_user(p, p->user, out, hash);
	if (!str_copy(out->extension, sizeof(out->extension), p->extension) &&
	    status == ACCOUNT_FOUND)
		return ACCOUNT_NONE;
	return status;
}

enum account_status find_recipient(const char *address, struct account *out)
{
	const char *hash;
	enum account_status status;
	struct place p;

	*out = (struct account){ 0 };
	if (!find_place(address, &p))
		return ACCOUNT_NONE;
	status = in_any_aliases(&p);
	if (status == ACCOUNT_NONE) {
		status = account_of(&p, out, &hash);
		if (status == ACCOUNT_FOUND && !out->virtual_user)
			status = system_receives(out);
	}
	return conclude(status);
}

enum account_status find_account(const char *name, struct account *out)
{
	const char *hash;
	struct place p;

	if (!find_place(name, &p))
		return ACCOUNT_NONE;
	return conclude(account_of(&p, out, &hash));
}

enum account_status find_login(const char *name, struct account *out,
			       const char **hash)
{
	struct place p;

	*hash = "";
	*out = (struct account){ 0 };
	if (!find_place(name, &p)) {
		str_copy(out->user, sizeof(out->user), "?");
		return ACCOUNT_NONE;
	}
	if (!*p.address.domain && self.login_domain) {
		str_copy(p.address.domain, sizeof(p.address.domain),
			 self.login_domain);
		address_text(&p.address, p.text);
		p.class = ADDRESS_VIRTUAL_MAILBOX;
	}
	out->virtual_user = p.class != ADDRESS_LOCAL;
	if (p.class == ADDRESS_LOCAL || p.class == ADDRESS_VIRTUAL_MAILBOX) {
		enum account_status status =
			conclude(find_user(&p, p.address.local, out, hash));

		if (status == ACCOUNT_FOUND)
			return status;
		str_copy(out->user, sizeof(out->user),
			 p.class == ADDRESS_LOCAL ? p.address.local : p.text);
		return status;
	}
	str_copy(out->user, sizeof(out->user), p.text);
	return ACCOUNT_NONE;
}

/* The only target of the alias in self.value, in memory from A; NULL if it has
 * several, or one that cannot lead to an account. */
static const char *only_target(struct arena *a)
{
	struct alias_target *target;
	const char *why;
	size_t n;

	if (aliases_targets(a, self.value.data, &target, &n, &why) || n != 1)
		return NULL;
	if (target->kind != ALIAS_ADDRESS && target->kind != ALIAS_SELF)
		return NULL;
	return target->text;
}

static enum account_status owns(const struct place *p, const char *user)
{
	struct account account;
	const char *hash;
	enum account_status status = account_of(p, &account, &hash);

	if (status == ACCOUNT_FOUND && !str_equal_ci(account.user, user))
		return ACCOUNT_NONE;
	return status;
}

static bool is_itself(const struct place *p, const char *target)
{
	return str_equal_ci(target, p->text) ||
	       str_equal_ci(target, p->address.local);
}

/* Does ADDRESS lead to USER and nobody else? */
static enum account_status leads_to(struct arena *a, const char *address,
				    const char *user)
{
	for (int depth = 0; depth < ALIAS_DEPTH_MAX; depth++) {
		enum account_status status;
		struct place p;

		if (!find_place(address, &p))
			return ACCOUNT_NONE;
		status = in_any_aliases(&p);
		if (status == ACCOUNT_TEMP)
			return status;
		if (status == ACCOUNT_NONE)
			return owns(&p, user);
		address = only_target(a);
		if (!address)
			return ACCOUNT_NONE;
		if (is_itself(&p, address))
			return owns(&p, user);
	}
	return ACCOUNT_NONE;
}

/* Is USER one of the logins that smtpd_sender_login_maps lists for P? */
static enum account_status is_listed(const struct place *p, const char *user)
{
	struct strlist logins = { 0 };
	enum account_status status;

	if (self.sender_logins.n == 0)
		return ACCOUNT_NONE;
	status = status_of_table(lookup_virtual(&self.sender_logins, p->text,
						self.delimiters, is_bare(p),
						&self.value, NULL, NULL));
	if (status != ACCOUNT_FOUND)
		return status;
	strlist_split(&logins, self.value.data);
	if (!strlist_has_ci(&logins, user))
		status = ACCOUNT_NONE;
	strlist_free(&logins);
	return status;
}

enum account_status find_may_send(const char *user, const char *address)
{
	enum account_status status;
	struct arena *a;
	struct place p;

	/* the null sender: notices about messages */
	if (!*address)
		return ACCOUNT_FOUND;
	if (!find_place(address, &p))
		return ACCOUNT_NONE;
	status = owns(&p, user);
	if (status == ACCOUNT_NONE)
		status = is_listed(&p, user);
	if (status == ACCOUNT_NONE) {
		a = arena_new();
		status = leads_to(a, address, user);
		arena_free(&a);
	}
	return conclude(status);
}
