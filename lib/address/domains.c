#include "address/domains.h"

#include <stdlib.h>
#include <string.h>

#include "address/address.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"

/* In the order in which they win. */
static const struct rule {
	const char *parameter;
	enum address_class class;
} rules[] = {
	{ "mydestination", ADDRESS_LOCAL },
	{ "virtual_mailbox_domains", ADDRESS_VIRTUAL_MAILBOX },
	{ "virtual_alias_domains", ADDRESS_VIRTUAL_ALIAS },
};

struct address_domains {
	struct map *rule_of; /* canonical name to its row in `rules` */
};

/* Where PARAMETER is set. */
static const char *place(const struct config *c, const char *parameter)
{
	const char *origin = config_origin(c, parameter);

	return *origin ? origin : "default";
}

static void add(struct address_domains *d, const struct config *c,
		const struct rule *rule, const char *name, struct buf *faults)
{
	char domain[ADDRESS_DOMAIN_SIZE];
	const struct rule *other;

	if (address_domain(name, strlen(name), domain))
		return;
	other = map_get(d->rule_of, domain);
	if (!other)
		map_put(d->rule_of, domain, (void *)(uintptr_t)rule);
	else if (other != rule && faults)
		buf_printf(faults,
			   "%s: %s: %s is in %s, too, which wins: mail to "
			   "users of the other is refused; take it out of "
			   "one\n",
			   place(c, rule->parameter), rule->parameter, domain,
			   other->parameter);
}

struct address_domains *address_domains_new(const struct config *c,
					    struct buf *faults)
{
	struct address_domains *d = mem_alloc(sizeof(*d));

	d->rule_of = map_new();
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		const struct strlist *l = config_list(c, rules[i].parameter);

		for (size_t j = 0; j < l->n; j++)
			add(d, c, &rules[i], l->item[j], faults);
	}
	return d;
}

static void verify(const struct config *c, const char *parameter,
		   struct buf *faults)
{
	const struct strlist *l = config_list(c, parameter);
	char domain[ADDRESS_DOMAIN_SIZE];

	for (size_t i = 0; i < l->n; i++)
		if (address_domain(l->item[i], strlen(l->item[i]), domain))
			buf_printf(faults, "%s: %s: %s is not a domain name\n",
				   place(c, parameter), parameter, l->item[i]);
}

void address_domains_verify(const struct config *c, struct buf *faults)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		verify(c, rules[i].parameter, faults);
}

void address_domains_free(struct address_domains **d)
{
	if (*d)
		map_free(&(*d)->rule_of);
	free(*d);
	*d = NULL;
}

enum address_class address_class(const struct address_domains *d,
				 const char *domain)
{
	const struct rule *rule;

	if (!*domain)
		return ADDRESS_LOCAL;
	rule = map_get(d->rule_of, domain);
	return rule ? rule->class : ADDRESS_REMOTE;
}
