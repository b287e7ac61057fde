/*
 * posthorn check: the users file line by line, and whether its domains and
 * virtual_mailbox_domains agree: a misspelt name is in one of them only.
 */
#include <string.h>

#include "address/address.h"
#include "address/domains.h"
#include "admin/check.h"
#include "admin/doubts.h"
#include "base/err.h"
#include "base/map.h"

struct domains {
	struct address_domains *ours;
	struct map *seen;
	struct strlist other; /* that are not in virtual_mailbox_domains */
	const char *public;   /* public_mailbox_user */
	bool has_public;
};

static void take_user(void *context, struct user *u, unsigned line)
{
	struct domains *d = context;
	const char *domain = strrchr(u->name, '@') + 1;

	(void)line;
	d->has_public |= str_equal_ci(u->name, d->public);
	if (!map_put(d->seen, domain, d) &&
	    address_class(d->ours, domain) != ADDRESS_VIRTUAL_MAILBOX)
		strlist_add(&d->other, domain);
	user_free(u);
}

static void compare(struct findings *f, const struct config *c,
		    const struct domains *d)
{
	const struct strlist *l = config_list(c, "virtual_mailbox_domains");
	const char *path = config_string(c, "virtual_users_file");
	char domain[ADDRESS_DOMAIN_SIZE];

	for (size_t i = 0; i < d->other.n; i++)
		check_warning(f,
			      "virtual_mailbox_domains: does not have %s, "
			      "which users in %s have: their mail is refused; "
			      "is one of the two misspelt?",
			      d->other.item[i], path);
	for (size_t i = 0; i < l->n && map_count(d->seen); i++)
		if (!address_domain(l->item[i], strlen(l->item[i]), domain) &&
		    !map_get(d->seen, domain))
			check_warning(f,
				      "virtual_mailbox_domains: has %s, and "
				      "%s has no user there; is it misspelt?",
				      l->item[i], path);
}

/* A bare name is that of a system user. */
static void check_public(struct findings *f, const struct domains *d)
{
	if (strchr(d->public, '@') && !d->has_public)
		check_fault(f,
			    "public_mailbox_user = %s: there is no such user; "
			    "posthorn user add makes one",
			    d->public);
}

void check_lines(struct findings *f, const struct config *c)
{
	struct domains d = { .ours = address_domains_new(c, NULL),
			     .seen = map_new(),
			     .public =
				     config_string(c, "public_mailbox_user") };
	struct buf faults, doubt;
	bool wanted = config_list(c, "virtual_mailbox_domains")->n > 0;

	buf_init(&faults, 1 << 20);
	buf_init(&doubt, 1 << 20);
	/* check_files says why it cannot be read */
	if (wanted &&
	    doubts_of_users(c, &faults, &doubt, take_user, &d) == ERR_OK) {
		check_faults(f, NULL, &faults);
		compare(f, c, &d);
		check_public(f, &d);
	}
	if (doubt.len)
		check_fault(f,
			    "virtual_users_file: mail and logins of names that "
			    "are not found wait until that is mended");
	buf_free(&faults);
	buf_free(&doubt);
	strlist_free(&d.other);
	map_free(&d.seen);
	address_domains_free(&d.ours);
}
