#include "queue-manager/route.h"

#include <string.h>

#include "address/address.h"
#include "address/domains.h"
#include "base/str.h"
#include "queue-manager/dest.h"

/* The domain of ADDRESS in canonical form. */
static void domain_of(const char *address, char *domain)
{
	const char *at = strrchr(address, '@');

	domain[0] = '\0';
	if (at && address_domain(at + 1, strlen(at + 1), domain) != 0)
		/* whatever it is, it has to be answered by remote-send */
		str_copy(domain, ADDRESS_DOMAIN_SIZE, "invalid");
}

/* A mailbox has a queue of its own, so that a slow command in one user's
 * .forward holds up nobody else; its extensions share it. */
static void mailbox_key(const struct qmgr *q, const char *address, char *key)
{
	char local[ADDRESS_LOCAL_SIZE], user[ADDRESS_LOCAL_SIZE];
	char extension[ADDRESS_LOCAL_SIZE];
	const char *at = strrchr(address, '@');
	size_t n = at ? (size_t)(at - address) : strlen(address);

	if (n >= sizeof(local)) {
		str_copy(key, ADDRESS_LOCAL_SIZE, "long");
		return;
	}
	memcpy(local, address, n);
	local[n] = '\0';
	address_split(local, q->settings.recipient_delimiter, user, extension);
	str_copy(key, ADDRESS_LOCAL_SIZE, str_lower(user));
}

struct destination *route(struct qmgr *q, const struct message *m,
			  const struct recipient *r)
{
	char domain[ADDRESS_DOMAIN_SIZE];
	char key[ADDRESS_LOCAL_SIZE + ADDRESS_DOMAIN_SIZE + 1];
	const char *relay = q->settings.relayhost;

	domain_of(r->address, domain);
	if (address_class(q->settings.domains, domain) == ADDRESS_REMOTE)
		return dest_get(q, TRANSPORT_REMOTE, *relay ? relay : domain,
				*relay ? relay : domain);
	/* several recipients go in one delivery, which shares the content */
	if (m->nrcpts > 1)
		return dest_get(q, TRANSPORT_LOCAL, domain, domain);
	mailbox_key(q, r->address, key);
	strcat(key, "@");
	strcat(key, domain);
	return dest_get(q, TRANSPORT_LOCAL, key, domain);
}
