#include "smtpd/gate-count.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"

struct gate_client {
	unsigned connections;
	char name[INET6_ADDRSTRLEN];
};

#define KNOWN_MAX 10000 /* of one generation */

/* Those that are known are kept in two generations: when the younger one is
 * full the older one is forgotten. */
static struct {
	struct map *clients;
	struct map *known;
	struct map *known_before;
} self;

static void name_client(const struct sockaddr_storage *ss, char *name)
{
	const struct sockaddr_in *four = (const void *)ss;
	struct in6_addr six;

	str_copy(name, INET6_ADDRSTRLEN, "local");
	if (ss->ss_family == AF_INET)
		inet_ntop(AF_INET, &four->sin_addr, name, INET6_ADDRSTRLEN);
	if (ss->ss_family != AF_INET6)
		return;
	six = ((const struct sockaddr_in6 *)(const void *)ss)->sin6_addr;
	if (IN6_IS_ADDR_V4MAPPED(&six)) {
		inet_ntop(AF_INET, six.s6_addr + 12, name, INET6_ADDRSTRLEN);
		return;
	}
	memset(six.s6_addr + 8, 0, 8);
	inet_ntop(AF_INET6, &six, name, INET6_ADDRSTRLEN);
}

struct gate_client *gate_count_add(const struct sockaddr_storage *ss)
{
	char name[INET6_ADDRSTRLEN];
	struct gate_client *c;

	if (!self.clients)
		self.clients = map_new();
	name_client(ss, name);
	c = map_get(self.clients, name);
	if (!c) {
		c = mem_alloc(sizeof(*c));
		str_copy(c->name, sizeof(c->name), name);
		map_put(self.clients, name, c);
	}
	c->connections++;
	return c;
}

void gate_count_remove(struct gate_client *c)
{
	if (--c->connections > 0)
		return;
	map_remove(self.clients, c->name);
	free(c);
}

unsigned gate_count(const struct gate_client *c)
{
	return c->connections;
}

const char *gate_count_name(const struct gate_client *c)
{
	return c->name;
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
