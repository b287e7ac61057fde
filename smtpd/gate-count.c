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

static struct {
	struct map *clients;
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
