/* cidr: networks in the form address/bits; the key is an IP address. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "table/rules.h"
#include "table/type.h"

struct network {
	int family;
	int bits;
	unsigned char address[16];
};

static bool parse_address(const char *text, struct network *n)
{
	n->family = strchr(text, ':') ? AF_INET6 : AF_INET;
	return inet_pton(n->family, text, n->address) == 1;
}

/* Are the first BITS of A and B the same? */
static bool same_prefix(const unsigned char *a, const unsigned char *b,
			int bits)
{
	int whole = bits / 8, rest = bits % 8;
	unsigned char mask = (unsigned char)(0xff00 >> rest);

	if (memcmp(a, b, (size_t)whole) != 0)
		return false;
	return rest == 0 || ((a[whole] ^ b[whole]) & mask) == 0;
}

static bool beyond_mask(const struct network *n)
{
	int size = n->family == AF_INET ? 32 : 128;

	for (int i = n->bits; i < size; i++)
		if (n->address[i / 8] & (0x80 >> (i % 8)))
			return true;
	return false;
}

/* Ends the word at TEXT; gives what follows. */
static char *cut_word(char *text)
{
	char *end = text + strcspn(text, " \t\r\n");

	if (*end)
		*end++ = '\0';
	return end;
}

static void *parse(char *text, char **rest, const char **why)
{
	struct network n = { 0 };
	int64_t bits;
	char *slash, *copy, *at;
	bool good;

	*rest = cut_word(text);
	copy = at = mem_strdup(text);
	slash = strchr(at, '/');
	if (slash)
		*slash = '\0';
	if (*at == '[' && str_ends_ci(at, "]")) {
		at[strlen(at) - 1] = '\0';
		at++;
	}
	good = parse_address(at, &n);
	bits = n.family == AF_INET ? 32 : 128;
	if (good && slash)
		good = str_to_int(slash + 1, 0, bits, &bits);
	free(copy);
	n.bits = (int)bits;
	*why = "expected: network/bits value";
	if (good && beyond_mask(&n)) {
		*why = "the address has bits beyond its mask";
		good = false;
	}
	if (!good)
		return NULL;
	return memcpy(mem_alloc(sizeof(n)), &n, sizeof(n));
}

static int match(const void *pattern, const char *key, const char *result,
		 struct buf *value)
{
	const struct network *n = pattern;
	struct network host = { 0 };

	if (!parse_address(key, &host) || host.family != n->family ||
	    !same_prefix(host.address, n->address, n->bits))
		return ERR_NOT_FOUND;
	if (value)
		buf_puts(value, result);
	return ERR_OK;
}

static const struct rules_kind kind = {
	.parse = parse,
	.match = match,
	.free = free,
};

static void *load(const struct text_reading *r)
{
	return rules_load(&kind, r);
}

const struct table_type table_cidr = {
	.name = "cidr",
	.help = "networks `address/bits value', the first that fits",
	.suffix = "",
	.flags = TABLE_FILE | TABLE_PATTERN | TABLE_EXACT,
	.load = load,
	.get = rules_get,
	.free = rules_free,
};
