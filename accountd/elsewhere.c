#include "accountd/elsewhere.h"

#include <string.h>
#include <sysexits.h>

#include "accountd/users.h"
#include "address/address.h"
#include "address/domains.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "log/log.h"
#include "table/table.h"

static struct {
	struct address_domains *domains;
	struct table_list maps;
	const struct strlist *own; /* names of this host: auth_proxy_self */
	int64_t patience_s;
	struct buf value;
} self;

void elsewhere_begin(const struct config *c)
{
	struct buf faults;
	bool good;

	self.domains = address_domains_new(c, NULL);
	self.own = config_list(c, "auth_proxy_self");
	self.patience_s = config_seconds(c, "login_proxy_timeout");
	buf_init(&self.value, TABLE_VALUE_MAX);
	buf_init(&faults, 1 << 20);
	good = table_list_open(&self.maps, config_list(c, "login_proxy_maps"),
			       false, &faults);
	log_error_lines("login_proxy_maps", faults.data);
	buf_free(&faults);
	if (!good)
		log_die(EX_CONFIG, "login_proxy_maps cannot be used");
}

static enum elsewhere read_words(const char *of, const char *user,
				 const char *words, bool lenient,
				 struct proxy_target *t)
{
	const char *fault = proxy_read(words, lenient, t);

	if (fault) {
		log_error("%s: %s: %s", of, user, fault);
		return ELSEWHERE_UNSURE;
	}
	if (t->maybe && strlist_has_ci(self.own, t->host))
		return ELSEWHERE_HERE;
	return ELSEWHERE_THERE;
}

/* What a table's lookup, which gave ERR, means. */
static enum elsewhere read_value(int err, const char *user,
				 struct proxy_target *t)
{
	enum elsewhere where;

	if (err == ERR_NOT_FOUND)
		return ELSEWHERE_HERE;
	if (err) {
		log_warn("login_proxy_maps: %s: %s", user, err_why(err));
		return ELSEWHERE_UNSURE;
	}
	where = read_words("login_proxy_maps", user, self.value.data, false, t);
	mem_wipe(self.value.data, self.value.len);
	return where;
}

/* Is it one word? Then so is what a pattern's $1 becomes. */
static bool is_word(const char *user)
{
	for (const char *c = user; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == '"' || *c == '\177')
			return false;
	return true;
}

static bool is_ours(const char *user)
{
	const char *at = strrchr(user, '@');

	return !at ||
	       address_class(self.domains, at + 1) == ADDRESS_VIRTUAL_MAILBOX;
}

static enum elsewhere in_tables(const char *user, enum account_status found,
				struct proxy_target *t)
{
	const char *at = strrchr(user, '@');
	int err;

	if (self.maps.n == 0 || !is_ours(user))
		return ELSEWHERE_HERE;
	if (!is_word(user)) {
		log_warn("login_proxy_maps: not asked for %s", user);
		return found == ACCOUNT_FOUND ? ELSEWHERE_UNSURE
					      : ELSEWHERE_HERE;
	}
	err = table_list_get(&self.maps, user, &self.value, NULL);
	/* the domain stands for names that are not found */
	if (err == ERR_NOT_FOUND && at && found == ACCOUNT_NONE)
		err = table_list_get_part(&self.maps, at, &self.value, NULL);
	return read_value(err, user, t);
}

enum elsewhere elsewhere_find(const char *user, enum account_status found,
			      struct proxy_target *t)
{
	const struct user *u = NULL;

	*t = (struct proxy_target){ .port = 0 };
	if (found == ACCOUNT_FOUND && strchr(user, '@') &&
	    users_find(user, &u) == USERS_FOUND && u->proxy)
		return read_words("virtual_users_file", user, u->proxy, true,
				  t);
	return in_tables(user, found, t);
}

int64_t elsewhere_patience_ms(const struct proxy_target *t)
{
	return 1000 * (t->timeout_s ? t->timeout_s : self.patience_s);
}
