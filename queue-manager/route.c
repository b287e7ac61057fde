#include "queue-manager/route.h"

#include <stdlib.h>
#include <string.h>

#include "address/address.h"
#include "address/domains.h"
#include "base/mem.h"
#include "base/str.h"
#include "queue-manager/dest.h"

#define SLOW_MAX 256 /* mailboxes that are remembered: the latest ones */
#define KEY_SIZE (ADDRESS_LOCAL_SIZE + ADDRESS_DOMAIN_SIZE + 1)

static struct {
	struct slow {
		char *key;
		time_t until; /* tick */
	} slow[SLOW_MAX];
	size_t next;
} self;

/* The domain of ADDRESS in canonical form. */
static void domain_of(const char *address, char *domain)
{
	const char *at = strrchr(address, '@');

	domain[0] = '\0';
	if (at && address_domain(at + 1, strlen(at + 1), domain) != 0)
		/* whatever it is, remote-send has to answer for it */
		str_copy(domain, ADDRESS_DOMAIN_SIZE, "invalid");
}

/* Each mailbox has its own queue, so that a slow command in one user's
 * .forward delays nobody else; its extensions share it. */
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

static void key_of(const struct qmgr *q, const char *address,
		   const char *domain, char key[KEY_SIZE])
{
	mailbox_key(q, address, key);
	strcat(key, "@");
	strcat(key, domain);
}

static struct slow *find_slow(const char *key)
{
	for (size_t i = 0; i < SLOW_MAX && self.slow[i].key; i++)
		if (str_equal(self.slow[i].key, key))
			return &self.slow[i];
	return NULL;
}

void route_slow(struct qmgr *q, const char *address)
{
	char domain[ADDRESS_DOMAIN_SIZE], key[KEY_SIZE];
	struct slow *s;

	domain_of(address, domain);
	key_of(q, address, domain, key);
	s = find_slow(key);
	if (!s) {
		s = &self.slow[self.next];
		self.next = (self.next + 1) % SLOW_MAX;
		free(s->key);
		s->key = mem_strdup(key);
	}
	s->until = q->tick + DEST_SLOW_S;
}

void route_quick(struct destination *d)
{
	struct slow *s = find_slow(strchr(d->key, ':') + 1);

	if (s)
		s->until = 0;
	d->slow_until = 0;
}

/* The tick until which the mailbox KEY is slow, or 0. */
static time_t slow_until(const struct qmgr *q, const char *key)
{
	const struct slow *s = find_slow(key);

	return s && s->until > q->tick ? s->until : 0;
}

struct destination *route(struct qmgr *q, const struct message *m,
			  const struct recipient *r)
{
	char domain[ADDRESS_DOMAIN_SIZE];
	char key[KEY_SIZE];
	const char *relay = q->settings.relayhost;
	struct destination *d;
	time_t slow;

	domain_of(r->address, domain);
	if (address_class(q->settings.domains, domain) == ADDRESS_REMOTE)
		return dest_get(q, TRANSPORT_REMOTE, *relay ? relay : domain,
				*relay ? relay : domain);
	key_of(q, r->address, domain, key);
	slow = slow_until(q, key);
	/* several recipients go in one delivery, which shares the content */
	if (m->nrcpts > 1 && !slow)
		return dest_get(q, TRANSPORT_LOCAL, domain, domain);
	d = dest_get(q, TRANSPORT_LOCAL, key, domain);
	d->slow_until = slow;
	return d;
}
