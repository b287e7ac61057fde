/*
 * The context of libunbound, made from our parameters: its options, zones and
 * servers of our own, anchors, and its messages, which go to the log. What it
 * would read by name is looked at first.
 */
#include "resolver/context.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unbound-event.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "log/log.h"

#define ANCHORS_MAX (1 << 20) /* bytes */

static const struct {
	const char *name;
	const char *value;
} options[] = {
	/* resolvers and test servers may be on loopback */
	{ "do-not-query-localhost:", "no" },   { "outgoing-range:", "256" },
	{ "num-queries-per-thread:", "1024" }, { "msg-cache-size:", "16m" },
	{ "rrset-cache-size:", "32m" },	       { "cache-max-ttl:", "86400" },
	{ "hide-identity:", "yes" },
};

static void check(int err, const char *what, const char *value)
{
	if (err)
		log_die(EX_CONFIG, "%s %s: %s", what, value, ub_strerror(err));
}

static void set(struct ub_ctx *ctx, const char *name, const char *value)
{
	check(ub_ctx_set_option(ctx, name, value), name, value);
}

/* libunbound writes messages to a FILE: they go to the log. */
static ssize_t log_complaint(void *cookie, const char *text, size_t n)
{
	size_t len = n;

	(void)cookie;
	while (len > 0 && text[len - 1] == '\n')
		len--;
	if (len > 0)
		log_debug("libunbound: %.*s", (int)len, text);
	return (ssize_t)n;
}

static void catch_complaints(struct ub_ctx *ctx)
{
	FILE *out = fopencookie(
		NULL, "w", (cookie_io_functions_t){ .write = log_complaint });

	if (!out)
		log_die(EX_OSERR, "cannot make a stream");
	setlinebuf(out);
	ub_ctx_debugout(ctx, out);
}

/* Is TEXT an address, perhaps with a port: IP or IP@port? */
static bool is_server(const char *text)
{
	char ip[INET6_ADDRSTRLEN];
	unsigned char address[16];
	const char *at = strchr(text, '@');
	int64_t port;

	if (at && !str_to_int(at + 1, 1, 65535, &port))
		return false;
	if (!at)
		at = text + strlen(text);
	if ((size_t)(at - text) >= sizeof(ip))
		return false;
	memcpy(ip, text, (size_t)(at - text));
	ip[at - text] = '\0';
	return inet_pton(AF_INET, ip, address) == 1 ||
	       inet_pton(AF_INET6, ip, address) == 1;
}

/* The server part of "zone=server" in SPEC, after which *ZONE is the zone. */
static const char *split_stub(const char *spec, char **zone)
{
	const char *equals = strchr(spec, '=');

	if (!equals || equals == spec || !is_server(equals + 1))
		log_die(EX_CONFIG,
			"resolver_stub_zones: \"%s\" is not zone=IP@port",
			spec);
	*zone = mem_strndup(spec, (size_t)(equals - spec));
	return equals + 1;
}

/* A stub zone need not be in the public DNS, so there may be no chain from the
 * root to it: it counts as signed if it has its own anchor. */
static void add_stubs(struct ub_ctx *ctx, const struct strlist *stubs)
{
	char *zone;

	for (size_t i = 0; i < stubs->n; i++) {
		const char *server = split_stub(stubs->item[i], &zone);

		check(ub_ctx_set_stub(ctx, zone, server, 0),
		      "resolver_stub_zones", stubs->item[i]);
		set(ctx, "domain-insecure:", zone);
		free(zone);
	}
}

/* The built-in zones must not hide the stubs. */
static void show_stubs(struct ub_ctx *ctx, const struct strlist *stubs)
{
	char *zone;

	for (size_t i = 0; i < stubs->n; i++) {
		split_stub(stubs->item[i], &zone);
		check(ub_ctx_zone_add(ctx, zone, "transparent"),
		      "resolver_stub_zones", zone);
		free(zone);
	}
}

static bool is_stub(const struct strlist *stubs, const char *zone)
{
	size_t n = strlen(zone);

	for (size_t i = 0; i < stubs->n; i++)
		if (strncmp(stubs->item[i], zone, n) == 0 &&
		    stubs->item[i][n] == '=')
			return true;
	return false;
}

/* Without a network, all names except those of stubs are answered locally. A
 * local zone finds the one above it only if that was added later: so the
 * parents of a stub (test. is built in) are removed and added again, the root
 * last. */
static void close_parents(struct ub_ctx *ctx, const struct strlist *stubs)
{
	char *zone;

	for (size_t i = 0; i < stubs->n; i++) {
		split_stub(stubs->item[i], &zone);
		for (const char *p = zone; (p = strchr(p, '.')) && *++p;) {
			if (is_stub(stubs, p))
				continue;
			ub_ctx_zone_remove(ctx, p);
			check(ub_ctx_zone_add(ctx, p, "static"),
			      "resolver_stub_zones", p);
		}
		free(zone);
	}
	check(ub_ctx_zone_add(ctx, ".", "static"), "resolver_offline", "yes");
}

/* By default, names of private addresses (10.in-addr.arpa and so on) do not
 * exist for libunbound (RFC 6303), but a forwarder may know them. They are not
 * signed below the root. */
static void open_private_zones(struct ub_ctx *ctx)
{
	set(ctx, "unblock-lan-zones:", "yes");
	set(ctx, "insecure-lan-zones:", "yes");
}

static void add_forwarders(struct ub_ctx *ctx, const struct strlist *servers)
{
	for (size_t i = 0; i < servers->n; i++) {
		if (!is_server(servers->item[i]))
			log_die(EX_CONFIG,
				"resolver_forwarders: \"%s\" is not IP or "
				"IP@port",
				servers->item[i]);
		check(ub_ctx_set_fwd(ctx, servers->item[i]),
		      "resolver_forwarders", servers->item[i]);
	}
	if (servers->n == 0 && access("/etc/resolv.conf", R_OK) == 0 &&
	    ub_ctx_resolvconf(ctx, NULL) != 0)
		log_warn("cannot use /etc/resolv.conf: asking the servers of "
			 "the domains themselves");
	else
		open_private_zones(ctx);
}

/* Without a network, names outside our zones do not exist, even if a CNAME in
 * a stub zone leads there: a server that refuses is asked. */
static void add_no_forwarders(struct ub_ctx *ctx, const struct strlist *stubs)
{
	char *zone;

	if (stubs->n == 0)
		return;
	check(ub_ctx_set_fwd(ctx, split_stub(stubs->item[0], &zone)),
	      "resolver_stub_zones", stubs->item[0]);
	free(zone);
}

/* libunbound would wait at a FIFO, and read a hole to its end. */
static void check_anchors(const char *path)
{
	struct buf b;
	int err;

	buf_init(&b, ANCHORS_MAX);
	err = file_read(path, &b);
	buf_free(&b);
	if (err)
		log_die(EX_CONFIG, "resolver_trust_anchor_file: %s",
			err_why(err));
}

static void add_anchors(struct ub_ctx *ctx, const char *path)
{
	if (!*path) {
		set(ctx, "module-config:", "iterator");
		return;
	}
	check_anchors(path);
	check(ub_ctx_add_ta_file(ctx, path), "resolver_trust_anchor_file",
	      path);
}

/* The first local zone completes the context, which reads the anchors now;
 * this one is built in anyway (RFC 6761 section 6.4). */
static void complete(struct ub_ctx *ctx)
{
	check(ub_ctx_zone_add(ctx, "invalid.", "static"), "resolver",
	      "settings");
}

struct ub_ctx *context_new(struct event_base *base, const struct config *c)
{
	const struct strlist *stubs = config_list(c, "resolver_stub_zones");
	const char *zone_file = config_string(c, "resolver_zone_file");
	bool offline = config_bool(c, "resolver_offline");
	struct ub_ctx *ctx = ub_ctx_create_event(base);

	if (!ctx)
		log_die(EX_OSERR, "cannot make a resolver context");
	catch_complaints(ctx);
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		set(ctx, options[i].name, options[i].value);
	if (offline)
		add_no_forwarders(ctx, stubs);
	else
		add_forwarders(ctx, config_list(c, "resolver_forwarders"));
	add_stubs(ctx, stubs);
	add_anchors(ctx, config_string(c, "resolver_trust_anchor_file"));
	complete(ctx);
	show_stubs(ctx, stubs);
	if (offline)
		close_parents(ctx, stubs);
	if (*zone_file)
		zone_file_load(ctx, zone_file);
	return ctx;
}
