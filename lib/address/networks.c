#include "address/networks.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "log/log.h"

#define FAULTS_MAX 65536

/* IPv4 addresses are kept as IPv6 (::ffff:0:0/96), so there is one rule. */
struct network {
	unsigned char ip[16];
	int bits;
	bool exception;
};

struct address_networks {
	struct network *item;
	size_t n;
};

static bool parse_ip(const char *text, unsigned char *ip, bool *four)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

	*four = inet_pton(AF_INET, text, ip + 12) == 1;
	if (*four)
		memcpy(ip, mapped, sizeof(mapped));
	return *four || inet_pton(AF_INET6, text, ip) == 1;
}

static bool host_bits_clear(const struct network *net)
{
	for (int i = net->bits; i < 128; i++)
		if (net->ip[i / 8] & (0x80 >> i % 8))
			return false;
	return true;
}

/* WORD is modified. */
static bool parse_network(char *word, struct network *net)
{
	char *slash = strchr(word, '/'), *end;
	int64_t bits;
	bool four;

	if (slash)
		*slash = '\0';
	if (*word == '[') {
		end = strchr(++word, ']');
		if (!end || end[1])
			return false;
		*end = '\0';
	}
	if (!parse_ip(word, net->ip, &four))
		return false;
	bits = four ? 32 : 128;
	if (slash && !str_to_int(slash + 1, 0, bits, &bits))
		return false;
	net->bits = (int)bits + (four ? 96 : 0);
	return host_bits_clear(net);
}

static void add(struct address_networks *l, const char *word,
		struct buf *faults)
{
	struct network net = { .exception = *word == '!' };
	char *copy = mem_strdup(word + net.exception);

	if (parse_network(copy, &net)) {
		l->item = mem_resize(l->item, l->n + 1, sizeof(*l->item));
		l->item[l->n++] = net;
	} else if (faults) {
		buf_printf(faults, "%s is not a network (address/bits)\n",
			   word);
	}
	free(copy);
}

struct address_networks *address_networks_new(const struct strlist *words,
					      struct buf *faults)
{
	struct address_networks *l = mem_alloc(sizeof(*l));

	for (size_t i = 0; i < words->n; i++)
		add(l, words->item[i], faults);
	return l;
}

struct address_networks *address_networks_of(const struct config *c,
					     const char *parameter)
{
	struct address_networks *l;
	struct buf faults;

	buf_init(&faults, FAULTS_MAX);
	l = address_networks_new(config_list(c, parameter), &faults);
	log_warn_lines(parameter, faults.data);
	buf_free(&faults);
	return l;
}

void address_networks_free(struct address_networks **l)
{
	if (*l)
		free((*l)->item);
	free(*l);
	*l = NULL;
}

static bool within(const unsigned char *ip, const struct network *net)
{
	int whole = net->bits / 8, rest = net->bits % 8;

	return memcmp(ip, net->ip, (size_t)whole) == 0 &&
	       (!rest || !((ip[whole] ^ net->ip[whole]) >> (8 - rest)));
}

bool address_networks_have(const struct address_networks *l, const char *ip)
{
	unsigned char bytes[16];
	bool four;

	if (!parse_ip(ip, bytes, &four))
		return false;
	for (size_t i = 0; i < l->n; i++)
		if (within(bytes, &l->item[i]))
			return !l->item[i].exception;
	return false;
}

void address_ip(const struct sockaddr_storage *ss, char out[INET6_ADDRSTRLEN])
{
	const struct sockaddr_in6 *six = (const void *)ss;
	const struct sockaddr_in *four = (const void *)ss;

	*out = '\0';
	if (ss->ss_family == AF_INET)
		inet_ntop(AF_INET, &four->sin_addr, out, INET6_ADDRSTRLEN);
	else if (ss->ss_family == AF_INET6 &&
		 IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
		inet_ntop(AF_INET, six->sin6_addr.s6_addr + 12, out,
			  INET6_ADDRSTRLEN);
	else if (ss->ss_family == AF_INET6)
		inet_ntop(AF_INET6, &six->sin6_addr, out, INET6_ADDRSTRLEN);
}
