/*
 * The one owner of the rule which domains are ours. qmgr routes, smtpd refuses
 * and local-deliver looks up addresses by it.
 */
#ifndef ADDRESS_DOMAINS_H
#define ADDRESS_DOMAINS_H

#include "base/buf.h"
#include "config/config.h"

enum address_class {
	ADDRESS_LOCAL,		 /* mydestination: system users, aliases */
	ADDRESS_VIRTUAL_MAILBOX, /* virtual_mailbox_domains: virtual users */
	ADDRESS_VIRTUAL_ALIAS,	 /* virtual_alias_domains: aliases only */
	ADDRESS_REMOTE		 /* all else */
};

struct address_domains;

/* Reads the three lists of C, without the words that are no domains. A name
 * that is in more than one of them adds a line to FAULTS (may be NULL); the
 * first list wins. Free with address_domains_free. */
struct address_domains *address_domains_new(const struct config *c,
					    struct buf *faults);
void address_domains_free(struct address_domains **d);

/* A line in FAULTS for each word of the three lists of C that is no domain: a
 * pattern, say, for which mail would be sent away and come back. */
void address_domains_verify(const struct config *c, struct buf *faults);

/* The class of DOMAIN, which is in canonical form (address.h), or "": an
 * address without a domain is local. */
enum address_class address_class(const struct address_domains *d,
				 const char *domain);

#endif
