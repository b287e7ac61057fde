/*
 * One lasting connection to the resolver. All questions of a call are sent at
 * once, each with its place in the list as id, and the answers come in any
 * order. A question whose time is over gets its DNS_TEMP here; since its
 * answer may still come, the connection is given up after that, as after any
 * error. If the resolver was restarted meanwhile, open questions are asked
 * once more.
 */
#include "client/dns.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "ipc/client.h"

#define SLICE_MS 250 /* between two checks whether to go on waiting */
#define TRIES 2

/* One lasting connection per process. A parent never asks before it forks, so
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
	d->why = arena_strdup(a, why);
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
	if (n > DNS_RECORDS_MAX || (n > 0) != (d->status == DNS_FOUND))
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
	if (d->status == DNS_TEMP && d->security != DNS_BOGUS && !*d->why)
		d->why = "no reason given";
	return d;
}

/* Several questions at once */

struct wait {
	struct arena *arena;
	struct dns_question *question;
	size_t n;
	int64_t begun_ms;
	bool dropped; /* the answer of one may still come */
};

static void disconnect(void)
{
	if (self.client.sock >= 0)
		close(self.client.sock);
	self.client.sock = -1;
}

static int64_t left_of(const struct wait *w, const struct dns_question *q)
{
	return w->begun_ms + q->ms - clock_ms();
}

/* Gives up on the questions whose time is over, or on all. Is any open? */
static bool drop_late(struct wait *w, bool all, int64_t *left)
{
	bool open = false;

	*left = 0;
	for (size_t i = 0; i < w->n; i++) {
		struct dns_question *q = &w->question[i];
		int64_t ms = left_of(w, q);

		if (q->answer)
			continue;
		if (all || ms <= 0) {
			q->answer = no_answer(w->arena, q->name,
					      "no answer in time");
			w->dropped = true;
			continue;
		}
		open = true;
		*left = ms > *left ? ms : *left;
	}
	return open;
}

/* Sends the open ones, with their places as ids. */
static int send_open(struct wait *w, int64_t ms)
{
	int err = ERR_OK;

	if (self.client.sock < 0)
		self.client.sock = ipc_connect_within(self.client.service, ms);
	if (self.client.sock < 0)
		return err_set(ERR_TEMP, "%s",
			       err_why(err_sys("reach", "the resolver")));
	for (size_t i = 0; i < w->n && !err; i++) {
		if (w->question[i].answer)
			continue;
		ipc_begin(&self.question, "query");
		ipc_put(&self.question, "name", w->question[i].name);
		ipc_put(&self.question, "type", w->question[i].type);
		ipc_put_int(&self.question, "id", (int64_t)i);
		err = ipc_send(self.client.sock, &self.question, ms);
	}
	return err;
}

static int take_answer(struct wait *w, int64_t ms)
{
	int err = ipc_recv(self.client.sock, &self.answer, ms);
	struct dns_question *q;
	int64_t i;

	if (err)
		return err;
	if (!ipc_int(&self.answer, "id", 0, (int64_t)w->n - 1, &i))
		return err_set(ERR_SYNTAX, "malformed answer of the resolver");
	q = &w->question[i];
	if (!q->answer)
		q->answer =
			read_answer(w->arena, &self.answer, q->name, q->type);
	ipc_in_reset(&self.answer);
	return ERR_OK;
}

/* Sends the open questions and takes answers until none is open, or an error,
 * which ends the connection: what may still come on it is unknown. */
static int ask_open(struct wait *w, bool (*give_up)(void *context),
		    void *context)
{
	int64_t left;
	int err = drop_late(w, false, &left) ? send_open(w, left) : ERR_OK;

	while (!err && drop_late(w, give_up && give_up(context), &left)) {
		err = take_answer(w,
				  give_up && left > SLICE_MS ? SLICE_MS : left);
		if (err == ERR_TIMEOUT)
			err = ERR_OK;
	}
	return err;
}

void dns_query_all(struct arena *a, struct dns_question *q, size_t n,
		   bool (*give_up)(void *context), void *context)
{
	struct wait w = {
		.arena = a, .question = q, .n = n, .begun_ms = clock_ms()
	};
	int err = ERR_EOF;

	for (size_t i = 0; i < n; i++)
		q[i].answer = NULL;
	/* the resolver may have been restarted: its socket is still there */
	for (int i = 0; i < TRIES && err == ERR_EOF; i++) {
		err = ask_open(&w, give_up, context);
		if (err || w.dropped)
			disconnect();
	}
	for (size_t i = 0; i < n; i++) {
		if (q[i].answer)
			continue;
		q[i].answer = no_answer(a, q[i].name,
					err ? err_why(err)
					    : "no time left for the resolver");
		q[i].answer->away = true;
	}
}

struct dns_answer *dns_query_within(struct arena *a, const char *name,
				    const char *type,
				    const struct dns_patience *p)
{
	struct dns_question q = { .name = name, .type = type, .ms = p->ms };

	dns_query_all(a, &q, 1, p->give_up, p->context);
	return q.answer;
}

struct dns_answer *dns_query(struct arena *a, const char *name,
			     const char *type, int64_t ms)
{
	const struct dns_patience p = { .ms = ms };

	return dns_query_within(a, name, type, &p);
}

int dns_query_begin(const char *name, const char *type)
{
	ipc_begin(&self.question, "query");
	ipc_put(&self.question, "name", name);
	ipc_put(&self.question, "type", type);
	ipc_put_int(&self.question, "id", 0);
	return ipc_client_begin(self.client.service, &self.question);
}

struct dns_answer *dns_query_end(struct arena *a, int sock, const char *name,
				 const char *type)
{
	int err = ipc_recv(sock, &self.answer, 0);
	struct dns_answer *d = err ? no_answer(a, name, err_why(err))
				   : read_answer(a, &self.answer, name, type);

	ipc_in_reset(&self.answer);
	close(sock);
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
