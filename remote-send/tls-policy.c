/*
 * The program tls-policy: stores the MTA-STS policies (RFC 8461) of domains, and
 * has them fetched. One event loop answers and owns the file of policies;
 * fetchers, which are processes, do what may take long: DNS, HTTPS.
 *
 * A caller waits until the domain was looked up, unless that was a few minutes
 * ago; all that wait for a domain wait for the same fetcher. A policy that has not expired holds, whatever
 * a fetch finds, until there is a new one: otherwise who can disturb fetches
 * could turn TLS off. Domains that were asked for lately are remembered, with
 * when they were looked up, so that one without a policy is not asked for each
 * message; that memory is bounded, and may be lost.
 */
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "ipc/ipc.h"
#include "log/log.h"
#include "remote-send/tls-policy-cache.h"
#include "remote-send/tls-policy-pool.h"
#include "service/loop.h"
#include "service/service.h"

#define RECHECK_MS 300000 /* a domain is looked up again after this */
#define REFRESH_S 86400	  /* a policy is fetched again after this */
#define DOMAINS_MAX 50000 /* looked up recently */
#define PEERS_MAX 1000

/* One caller's connection: one question at a time. */
struct peer {
	LIST_ENTRY(peer) next; /* of those that wait for the same domain */
	struct event *readable;
	int fd;
	bool waiting;
};

/* A domain that was asked for recently. */
struct domain {
	char *name;
	int64_t checked_ms; /* when it was looked up */
	bool looking;
	LIST_HEAD(, peer) waiting;
};

static struct {
	struct service service;
	struct event_base *base;
	struct sts_settings set;
	struct cache *cache;
	struct pool *pool;
	struct map *domains;
	struct ipc_in in;
	struct ipc_out out;
	int npeers;
} self;

static void peer_close(struct peer *p)
{
	if (p->waiting)
		LIST_REMOVE(p, next);
	event_free(p->readable);
	/* a fetcher that was forked meanwhile has a copy of the descriptor */
	shutdown(p->fd, SHUT_RDWR);
	close(p->fd);
	free(p);
	self.npeers--;
}

/* Answers with what is stored for NAME, which may be nothing. */
static void answer(struct peer *p, const char *name)
{
	static const char *const modes[] = { "none", "testing", "enforce" };
	const struct cached_policy *e = cache_get(self.cache, name, clock_wall());

	ipc_begin(&self.out, "answer");
	ipc_put(&self.out, "mode", modes[e ? e->policy.mode : POLICY_NONE]);
	for (size_t i = 0; e && i < e->policy.mx.n; i++)
		ipc_put(&self.out, "mx", e->policy.mx.item[i]);
	p->waiting = false;
	if (ipc_send(p->fd, &self.out, 0))
		peer_close(p);
}

static void log_finding(const char *name, const struct sts_finding *f,
			bool kept)
{
	static const char *const modes[] = { "none", "testing", "enforce" };

	if (f->result == STS_NEW)
		log_info("MTA-STS policy of %s: id=%s mode=%s max_age=%lld",
			 name, f->id, modes[f->policy.mode],
			 (long long)f->policy.max_age);
	else if (f->result == STS_FAILED)
		log_warn("MTA-STS policy of %s: %s%s", name, f->why,
			 kept ? "; the former one holds" : "");
}

/* RFC 8461 section 3.3: whatever happens now, a policy that has not expired
 * holds until there is a new one. */
static void on_finding(void *context, const struct sts_finding *f)
{
	struct domain *d = context;
	time_t now = clock_wall();
	struct peer *p;

	log_finding(d->name, f, cache_get(self.cache, d->name, now) != NULL);
	if (f->result == STS_NEW)
		cache_put(self.cache, d->name, f->id, &f->policy, now);
	d->looking = false;
	d->checked_ms = clock_ms();
	while ((p = LIST_FIRST(&d->waiting))) {
		LIST_REMOVE(p, next);
		answer(p, d->name);
	}
}

/* Forgets one domain that nobody waits for. Its policy stays. */
static void forget_some_domain(void)
{
	size_t pos = 0;
	const char *name;
	void *value;

	while ((name = map_next(self.domains, &pos, &value))) {
		struct domain *d = value;

		if (d->looking)
			continue;
		map_remove(self.domains, name);
		free(d->name);
		free(d);
		return;
	}
}

static struct domain *domain_get(const char *name)
{
	struct domain *d = map_get(self.domains, name);

	if (d)
		return d;
	if (map_count(self.domains) >= DOMAINS_MAX)
		forget_some_domain();
	d = mem_alloc(sizeof(*d));
	d->name = mem_strdup(name);
	d->checked_ms = -RECHECK_MS;
	LIST_INIT(&d->waiting);
	map_put(self.domains, name, d);
	return d;
}

/* The id that need not be fetched again, or "". */
static const char *known_id(const char *name)
{
	time_t now = clock_wall();
	const struct cached_policy *e = cache_get(self.cache, name, now);

	return e && now - e->fetched < REFRESH_S ? e->id : "";
}

static void ask(struct peer *p, const char *name)
{
	struct domain *d = domain_get(name);

	if (!d->looking && clock_ms() - d->checked_ms < RECHECK_MS) {
		answer(p, name);
		return;
	}
	LIST_INSERT_HEAD(&d->waiting, p, next);
	p->waiting = true;
	if (d->looking)
		return;
	d->looking = true;
	pool_add(self.pool, name, known_id(name), d);
}

/* A domain in ASCII form; others have no policy that could be looked up. */
static bool is_domain(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n > 240 || s[0] == '.')
		return false;
	for (; *s; s++)
		if (!str_isalnum((unsigned char)*s) && !strchr("-_.", *s))
			return false;
	return true;
}

static void take_question(struct peer *p)
{
	char name[256];

	if (!str_copy(name, sizeof(name), ipc_text(&self.in, "domain")) ||
	    !is_domain(str_lower(name))) {
		peer_close(p);
		return;
	}
	ask(p, name);
}

static void on_readable(int fd, short what, void *arg)
{
	struct peer *p = arg;
	int err = ipc_recv(fd, &self.in, 0);

	(void)what;
	if (err == ERR_BUSY)
		return;
	if (err || p->waiting || !ipc_is(&self.in, "policy"))
		peer_close(p);
	else
		take_question(p);
}

static void add_peer(int fd, void *context)
{
	struct peer *p;

	(void)context;
	if (self.npeers >= PEERS_MAX) {
		log_warn("%d programs are connected: further ones are refused",
			 PEERS_MAX);
		close(fd);
		return;
	}
	p = mem_alloc(sizeof(*p));
	p->fd = fd;
	p->readable =
		event_new(self.base, fd, EV_READ | EV_PERSIST, on_readable, p);
	event_add(p->readable, NULL);
	self.npeers++;
}

/* The callers ask the successor again: their connections can be closed at
 * once. */
static void stop(void *context)
{
	(void)context;
	event_base_loopbreak(self.base);
}

/* At a reload the former instance has the file until it ends: two must never
 * write to it. The lock belongs to this process, not to its fetchers. */
static void wait_for_former(const char *dir)
{
	char *path = mem_printf("%s/tls-policy.lock", dir);
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 || fcntl(fd, F_SETLKW, &whole) < 0)
		log_error("cannot lock %s: %m", path);
	free(path);
}

static void open_cache(const struct config *c)
{
	char *path = mem_printf("%s/tls-policies",
				config_string(c, "data_directory"));

	self.cache = cache_open(path);
	free(path);
}

static void read_settings(const struct config *c)
{
	const char *protocols = config_string(c, "inet_protocols");

	self.set = (struct sts_settings){
		.port = (int)config_int(c, "tls_policy_https_port"),
		.ipv4 = strcmp(protocols, "ipv6") != 0,
		.ipv6 = strcmp(protocols, "ipv4") != 0,
	};
}

static void prepare_loop(void)
{
	self.base = loop_new(&self.service);
	self.domains = map_new();
	self.pool = pool_new(self.base, &self.set, &self.service, on_finding);
	loop_signals(self.base, stop, NULL, NULL);
	loop_serve(self.base, &self.service, "tls-policy", add_peer, NULL);
}

int main(int argc, char **argv)
{
	service_start(&self.service, argc, argv, "tls-policy");
	read_settings(self.service.config);
	service_confine(&self.service,
			SANDBOX_OPEN | SANDBOX_INET | SANDBOX_FORK);
	service_ready(&self.service);
	wait_for_former(config_string(self.service.config, "data_directory"));
	open_cache(self.service.config);
	sandbox_enter(SANDBOX_INET | SANDBOX_FORK);
	prepare_loop();
	event_base_dispatch(self.base);
	pool_end(self.pool);
	cache_close(&self.cache);
	return EX_OK;
}
