#include "remote-send/tls-policy-fetch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "client/dns.h"
#include "client/tls.h"
#include "io/connect.h"
#include "io/stream.h"
#include "remote-send/tls-policy-http.h"

#define DNS_MS 15000
#define CONNECT_MS 10000
#define FETCH_MS 30000 /* connection, handshake and answer together */
#define ADDRESSES_MAX 4
#define HOST_SIZE 270
#define PATH "/.well-known/mta-sts.txt"

static void failed(struct sts_finding *f, const char *what, const char *why)
{
	f->result = STS_FAILED;
	snprintf(f->why, sizeof(f->why), "%s: %s", what, why);
}

/* The id of the one valid record (RFC 8461 section 3.1). False, and the
 * result set, if there is not exactly one. */
static bool find_id(struct arena *a, const char *domain, struct sts_finding *f)
{
	const struct dns_answer *d;
	const char *record = NULL;
	char name[HOST_SIZE];
	int n = 0;

	snprintf(name, sizeof(name), "_mta-sts.%s", domain);
	d = dns_query(a, name, "TXT", DNS_MS);
	f->result = STS_NONE;
	if (d->status == DNS_TEMP)
		failed(f, name, d->why);
	for (size_t i = 0; i < d->n; i++)
		if (sts_is_record(d->record[i].text)) {
			record = d->record[i].text;
			n++;
		}
	return n == 1 && sts_record_id(record, f->id);
}

static int connect_host(struct arena *a, const struct sts_settings *set,
			const char *host, int64_t until)
{
	static const char *const types[] = { "A", "AAAA" };
	const bool wanted[] = { set->ipv4, set->ipv6 };

	errno = EHOSTUNREACH;
	for (int t = 0; t < 2; t++) {
		const struct dns_answer *d;

		if (!wanted[t] || clock_ms() >= until)
			continue;
		d = dns_query(a, host, types[t], DNS_MS);
		for (size_t i = 0; i < d->n && i < ADDRESSES_MAX; i++) {
			int64_t left = until - clock_ms();
			int fd;

			if (left <= 0)
				break;
			fd = connect_to(d->record[i].text, set->port,
					left < CONNECT_MS ? left : CONNECT_MS,
					-1);
			if (fd >= 0)
				return fd;
		}
	}
	return -1;
}

/* A connection over verified TLS, or NULL. */
static struct stream *open_host(struct arena *a, const struct sts_settings *set,
				const char *host, struct sts_finding *f)
{
	int64_t until = clock_ms() + FETCH_MS, left;
	const char *const name[] = { host };
	struct tls_request q = { .level = TLS_LEVEL_VERIFY,
				 .sni = host,
				 .names = name,
				 .nnames = 1 };
	struct tls_info info;
	struct stream *s;
	int fd = connect_host(a, set, host, until);

	if (fd < 0) {
		failed(f, host, strerror(errno));
		return NULL;
	}
	left = until - clock_ms();
	fd = tls_connect(fd, &q, &info, left > 0 ? left : 1, -1);
	if (fd < 0) {
		failed(f, host, info.why);
		return NULL;
	}
	s = stream_new(fd, 16384);
	stream_set_timeout(s, FETCH_MS);
	stream_set_deadline(s, until);
	return s;
}

static void fetch(struct arena *a, const struct sts_settings *set,
		  const char *domain, struct sts_finding *f)
{
	char host[HOST_SIZE];
	struct stream *s;
	struct buf body;
	const char *why;

	snprintf(host, sizeof(host), "mta-sts.%s", domain);
	s = open_host(a, set, host, f);
	if (!s)
		return;
	buf_init(&body, STS_POLICY_MAX);
	why = http_get(s, host, PATH, &body);
	if (!why && !sts_policy_parse(body.data, body.len, &f->policy))
		why = "malformed policy";
	if (why)
		failed(f, host, why);
	else
		f->result = STS_NEW;
	buf_free(&body);
	stream_free(&s);
}

void sts_find(const struct sts_settings *set, const char *domain,
	      const char *known, struct sts_finding *f)
{
	struct arena *a = arena_new();

	*f = (struct sts_finding){ .result = STS_NONE };
	if (find_id(a, domain, f)) {
		if (strcmp(f->id, known) == 0)
			f->result = STS_SAME;
		else
			fetch(a, set, domain, f);
	}
	arena_free(&a);
}
