#include "client/dns.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "ipc/client.h"

#define RECORDS_MAX 100

/* One standing connection a process. A parent never asks before it forks, so
 * no two processes share one. */
static struct {
	struct ipc_client client;
	struct ipc_out question;
	struct ipc_in answer;
} self = { .client = IPC_CLIENT("resolver") };

static const struct {
	const char *word;
	enum dns_status status;
} statuses[] = {
	{ "found", DNS_FOUND },
	{ "no-data", DNS_NO_DATA },
	{ "no-name", DNS_NO_NAME },
	{ "temp", DNS_TEMP },
};

static const struct {
	const char *word;
	enum dns_security security;
} securities[] = {
	{ "insecure", DNS_INSECURE },
	{ "secure", DNS_SECURE },
	{ "bogus", DNS_BOGUS },
};

#define ROWS(a) (sizeof(a) / sizeof((a)[0]))

static struct dns_answer *no_answer(struct arena *a, const char *name,
				    const char *why)
{
	struct dns_answer *d = arena_alloc(a, sizeof(*d));

	d->status = DNS_TEMP;
	d->canonical = arena_strdup(a, name);
	d->why = why;
	return d;
}

static bool read_words(const struct ipc_in *m, struct dns_answer *d)
{
	const char *status = ipc_text(m, "status");
	const char *security = ipc_text(m, "security");
	int64_t ttl;
	size_t i, k;

	for (i = 0; i < ROWS(statuses); i++)
		if (strcmp(statuses[i].word, status) == 0)
			break;
	for (k = 0; k < ROWS(securities); k++)
		if (strcmp(securities[k].word, security) == 0)
			break;
	if (i == ROWS(statuses) || k == ROWS(securities) ||
	    !ipc_int(m, "ttl", 0, UINT32_MAX, &ttl))
		return false;
	d->status = statuses[i].status;
	d->security = securities[k].security;
	d->ttl = (uint32_t)ttl;
	return true;
}

/* "preference host" for MX, else the text itself. */
static bool read_record(struct arena *a, const char *value, bool mx,
			struct dns_record *r)
{
	const char *space;
	int64_t preference;

	if (!mx) {
		r->text = arena_strdup(a, value);
		return true;
	}
	space = strchr(value, ' ');
	if (!space || !str_span_to_int(value, (size_t)(space - value), 0, 65535,
				       &preference))
		return false;
	r->preference = (unsigned)preference;
	r->text = arena_strdup(a, space + 1);
	return true;
}

static bool read_records(struct arena *a, const struct ipc_in *m, bool mx,
			 struct dns_answer *d)
{
	size_t n = 0;

	for (size_t i = 0; i < m->nattrs; i++)
		n += strcmp(m->attr[i].name, "rr") == 0;
	if (n > RECORDS_MAX || (n > 0) != (d->status == DNS_FOUND))
		return false;
	d->record = arena_alloc(a, (n + 1) * sizeof(*d->record));
	for (size_t i = 0; i < m->nattrs; i++) {
		if (strcmp(m->attr[i].name, "rr") != 0)
			continue;
		if (!read_record(a, m->attr[i].value, mx, &d->record[d->n]))
			return false;
		d->n++;
	}
	return true;
}

static struct dns_answer *read_answer(struct arena *a, const struct ipc_in *m,
				      const char *name, const char *type)
{
	struct dns_answer *d = arena_alloc(a, sizeof(*d));

	if (!ipc_is(m, "answer") || !read_words(m, d) ||
	    !read_records(a, m, strcmp(type, "MX") == 0, d))
		return no_answer(a, name, "malformed answer of the resolver");
	d->canonical = arena_strdup(a, ipc_text(m, "canonical"));
	d->why = arena_strdup(a, ipc_text(m, "why"));
	return d;
}

struct dns_answer *dns_query(struct arena *a, const char *name,
			     const char *type, int64_t ms)
{
	struct dns_answer *d;
	int err;

	ipc_begin(&self.question, "query");
	ipc_put(&self.question, "name", name);
	ipc_put(&self.question, "type", type);
	err = ipc_client_call(&self.client, &self.question, &self.answer, ms);
	if (err)
		return no_answer(a, name,
				 err == ERR_TIMEOUT ? "no answer in time"
						    : "resolver not reached");
	d = read_answer(a, &self.answer, name, type);
	if (d->status == DNS_TEMP && d->security != DNS_BOGUS && !*d->why)
		d->why = "no reason given";
	ipc_in_reset(&self.answer);
	return d;
}

static void reverse_v6(const struct in6_addr *in, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 15; i >= 0; i--) {
		*out++ = digits[in->s6_addr[i] & 15];
		*out++ = '.';
		*out++ = digits[in->s6_addr[i] >> 4];
		*out++ = '.';
	}
	strcpy(out, "ip6.arpa");
}

bool dns_reverse_name(const char *ip, char *out, size_t size)
{
	char text[80];
	struct in_addr v4;
	struct in6_addr v6;
	const unsigned char *b = (const unsigned char *)&v4.s_addr;

	if (inet_pton(AF_INET, ip, &v4) == 1)
		snprintf(text, sizeof(text), "%u.%u.%u.%u.in-addr.arpa", b[3],
			 b[2], b[1], b[0]);
	else if (inet_pton(AF_INET6, ip, &v6) == 1)
		reverse_v6(&v6, text);
	else
		return false;
	return str_copy(out, size, text);
}
