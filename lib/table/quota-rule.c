#include "table/quota-rule.h"

#include <string.h>

#include "base/str.h"
#include "client/quota-rule.h"

static const char field[] = "userdb_quota_rule";

/* What follows "userdb_quota_rule", digits and "="; NULL: WORD is another. */
static const char *rule_in(const char *word)
{
	if (!str_starts(word, field))
		return NULL;
	word += sizeof(field) - 1;
	word += strspn(word, "0123456789");
	return *word == '=' ? word + 1 : NULL;
}

bool quota_rule_add(struct buf *trees, const char *rule)
{
	struct quota_rule r;

	if (!quota_rule_read(rule, &r) || quota_rule_is_all(&r))
		return false;
	if (trees->len)
		buf_putc(trees, ' ');
	buf_put(trees, rule, strcspn(rule, " \t"));
	return !trees->over && quota_rules_fit(trees->data);
}

static bool take(const char *rule, struct quota_limits *q, struct buf *trees)
{
	struct quota_rule r;

	if (!quota_rule_read(rule, &r))
		return false;
	if (!quota_rule_is_all(&r))
		return quota_rule_add(trees, rule);
	if (r.bytes.value >= 0)
		q->bytes = r.bytes.value;
	if (r.messages.value >= 0)
		q->messages = r.messages.value;
	return true;
}

bool quota_rule_find(const char *extra, struct quota_limits *q,
		     struct buf *trees)
{
	struct quota_limits found = { QUOTA_DEFAULT, QUOTA_DEFAULT };
	bool good = true;

	*q = found;
	while (good && *(extra += strspn(extra, " \t"))) {
		const char *rule = rule_in(extra);

		good = !rule || take(rule, &found, trees);
		extra += strcspn(extra, " \t");
	}
	if (good)
		*q = found;
	else
		buf_reset(trees);
	return good;
}
