#include "smtpd/gate-count.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"

#define NAME_SIZE (INET6_ADDRSTRLEN + sizeof("/48"))

/* A client, or a network of clients, which is in no further network. */
struct gate_client {
	unsigned connections;
	unsigned processes;
	struct gate_client *network;
	char name[NAME_SIZE];
};

#define KNOWN_MAX 10000 /* of one generation */

/* Known clients are kept in two generations: when the younger one is full the
 * older one is forgotten. */
static struct {
	struct map *clients;
	struct map *known;
	struct map *known_before;
} self;

static void name_four(const void *address, char *client, char *network)
{
	unsigned char a[4];

	memcpy(a, address, sizeof(a));
	inet_ntop(AF_INET, a, client, NAME_SIZE);
	snprintf(network, NAME_SIZE, "%d.%d.%d.0/24", a[0], a[1], a[2]);
}

static void name_six(struct in6_addr a, char *client, char *network)
{
	char text[INET6_ADDRSTRLEN];

	memset(a.s6_addr + 8, 0, 8);
	inet_ntop(AF_INET6, &a, client, NAME_SIZE);
	memset(a.s6_addr + 6, 0, 2);
	snprintf(network, NAME_SIZE, "%s/48",
		 inet_ntop(AF_INET6, &a, text, sizeof(text)));
}

static void name_both(const struct sockaddr_storage *ss, char *client,
		      char *network)
{
	const struct sockaddr_in *four = (const void *)ss;
	const struct in6_addr *six =
		&((const struct sockaddr_in6 *)(const void *)ss)->sin6_addr;

	str_copy(client, NAME_SIZE, "local");
	str_copy(network, NAME_SIZE, "local network");
	if (ss->ss_family == AF_INET)
		name_four(&four->sin_addr, client, network);
	else if (ss->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(six))
		name_four(six->s6_addr + 12, client, network);
	else if (ss->ss_family == AF_INET6)
		name_six(*six, client, network);
}

static struct gate_client *enter(const char *name)
{
	struct gate_client *c = map_get(self.clients, name);

	if (!c) {
		c = mem_alloc(sizeof(*c));
		str_copy(c->name, sizeof(c->name), name);
		map_put(self.clients, name, c);
	}
	c->connections++;
	return c;
}

struct gate_client *gate_count_add(const struct sockaddr_storage *ss)
{
	char client[NAME_SIZE], network[NAME_SIZE];
	struct gate_client *c;

	if (!self.clients)
		self.clients = map_new();
	name_both(ss, client, network);
	c = enter(client);
	if (c->network)
		c->network->connections++;
	else
		c->network = enter(network);
	return c;
}

static void leave(struct gate_client *c)
{
	if (--c->connections > 0)
		return;
	map_remove(self.clients, c->name);
	free(c);
}

void gate_count_remove(struct gate_client *c)
{
	leave(c->network);
	leave(c);
}

void gate_count_process(struct gate_client *c, bool more)
{
	c->processes += more ? 1 : -1U;
	c->network->processes += more ? 1 : -1U;
}

unsigned gate_count_processes(const struct gate_client *c)
{
	return c->processes;
}

unsigned gate_count_network(const struct gate_client *c)
{
	return c->network->processes;
}

bool gate_count_may(const struct gate_client *c, unsigned n)
{
	return c->processes < n && c->network->processes < 2 * n;
}

unsigned gate_count(const struct gate_client *c)
{
	return c->connections;
}

bool gate_is_known(const struct gate_client *c)
{
	return (self.known && map_get(self.known, c->name)) ||
	       (self.known_before && map_get(self.known_before, c->name));
}

void gate_know(const struct gate_client *c)
{
	static char yes[] = "yes";

	if (self.known && map_get(self.known, c->name))
		return;
	if (!self.known || map_count(self.known) == KNOWN_MAX) {
		if (self.known_before)
			map_free(&self.known_before);
		self.known_before = self.known;
		self.known = map_new();
	}
	map_put(self.known, c->name, yes);
}
