#include "remote-send/fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

void fault_set(struct fault *f, const char *dsn, const char *fmt, ...)
{
	va_list ap;

	*f = (struct fault){ .set = true, .permanent = dsn[0] == '5' };
	str_copy(f->dsn, sizeof(f->dsn), dsn);
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
}

void fault_loop(struct fault *f, const char *domain)
{
	fault_set(f, "4.4.6",
		  "mail for %s loops back to myself: its MX record (or "
		  "relayhost) names this host, but the domain is in none of "
		  "mydestination, virtual_mailbox_domains and "
		  "virtual_alias_domains",
		  domain);
}

void fault_from_reply(struct fault *f, const struct reply *r, const char *relay,
		      const char *when)
{
	/* what is neither 4xx nor 5xx came at the wrong time */
	bool expected = r->code >= 400;
	int host = (int)strcspn(relay, "]") + 1;

	fault_set(f, expected ? r->dsn : "4.5.0", "host %.*s said: %s (%s)",
		  host < (int)strlen(relay) ? host : (int)strlen(relay), relay,
		  r->text, when);
	f->permanent = r->code >= 500;
	str_copy(f->remote, sizeof(f->remote), r->text);
	str_copy(f->relay, sizeof(f->relay), relay);
}

void fault_soften(struct fault *f)
{
	f->permanent = false;
	if (f->dsn[0] == '5')
		f->dsn[0] = '4';
}

void fault_keep(struct fault *kept, const struct fault *f)
{
	if (!kept->set || kept->permanent || !f->permanent)
		*kept = *f;
}
