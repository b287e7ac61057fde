/*
 * The resolver's place in tests: dns_query answers from a small zone, and
 * names in it can be made to fail. Include it in one file of a test only; it
 * defines the function, so that the real client is not linked.
 */
#ifndef T_UNIT_FAKE_DNS_H
#define T_UNIT_FAKE_DNS_H

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "client/dns.h"

#define FAKE_RECORDS 4000

static struct {
	struct {
		char *name, *type, *text;
	} record[FAKE_RECORDS];
	size_t n;
	int questions;
} fake;

static inline void fake_clear(void)
{
	while (fake.n > 0) {
		fake.n--;
		free(fake.record[fake.n].name);
		free(fake.record[fake.n].type);
		free(fake.record[fake.n].text);
	}
	fake.questions = 0;
}

/* TYPE "TIMEOUT" makes questions for NAME fail, but for records added before;
 * TEXT "TIMEOUT" those of that type. A CNAME is followed. TYPE "EMPTY": the name exists. */
static inline void fake_add(const char *name, const char *type,
			    const char *text)
{
	if (fake.n == FAKE_RECORDS)
		abort();
	fake.record[fake.n].name = str_lower(mem_strdup(name));
	fake.record[fake.n].type = mem_strdup(type);
	fake.record[fake.n++].text = mem_strdup(text);
}

static inline bool fake_take(struct arena *a, struct dns_answer *d, size_t i,
			     const char *type)
{
	const char *text = fake.record[i].text;
	struct dns_record *r = &d->record[d->n];

	if ((str_equal(fake.record[i].type, "TIMEOUT") && d->n == 0) ||
	    (str_equal(text, "TIMEOUT") &&
	     str_equal(fake.record[i].type, type))) {
		d->status = DNS_TEMP;
		return false;
	}
	if (d->status == DNS_NO_NAME)
		d->status = DNS_NO_DATA;
	if (!str_equal(fake.record[i].type, type))
		return true;
	if (str_equal(type, "MX")) {
		r->preference = (unsigned)atoi(text);
		text = strchr(text, ' ') + 1;
	}
	r->text = arena_strdup(a, text);
	d->status = DNS_FOUND;
	d->n++;
	return true;
}

struct dns_answer *dns_query(struct arena *a, const char *name,
			     const char *type, int64_t ms)
{
	struct dns_answer *d = arena_alloc(a, sizeof(*d));

	(void)ms;
	fake.questions++;
	d->status = DNS_NO_NAME;
	d->canonical = arena_strdup(a, name);
	d->why = "";
	d->record = arena_alloc(a, FAKE_RECORDS * sizeof(*d->record));
	for (size_t i = 0; i < fake.n; i++) {
		if (!str_equal(fake.record[i].name, name))
			continue;
		if (str_equal(fake.record[i].type, "CNAME") &&
		    !str_equal(type, "CNAME"))
			return dns_query(a, fake.record[i].text, type, ms);
		if (!fake_take(a, d, i, type))
			return d;
	}
	return d;
}

void dns_query_all(struct arena *a, struct dns_question *q, size_t n,
		   bool (*give_up)(void *context), void *context)
{
	(void)give_up;
	(void)context;
	for (size_t i = 0; i < n; i++)
		q[i].answer = dns_query(a, q[i].name, q[i].type, q[i].ms);
}

#endif
