#include "address/hop.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/str.h"

static bool is_address(const char *text)
{
	unsigned char bytes[16];

	return inet_pton(AF_INET, text, bytes) == 1 ||
	       inet_pton(AF_INET6, text, bytes) == 1;
}

/* A host name in ASCII: letters, digits, hyphens and underscores between
 * single dots. */
static bool is_name(const char *text)
{
	size_t label = 0;

	for (const char *p = text; *p; p++) {
		if (*p == '.' && label == 0)
			return false;
		label = *p == '.' ? 0 : label + 1;
		if (label > 63 || !(str_isalnum(*p) || strchr("-_.", *p)))
			return false;
	}
	return label > 0;
}

static bool take_name(const char *text, size_t n, char *out, size_t size)
{
	if (n == 0 || n >= size)
		return false;
	memcpy(out, text, n);
	out[n] = '\0';
	str_lower(out);
	return true;
}

/* "[…]" at TEXT; *REST is what follows. */
static bool parse_bracket(const char *text, struct hop *h, const char **rest)
{
	const char *end = strchr(text, ']');
	bool v6 = str_starts_ci(text, "[IPv6:");
	const char *from = text + (v6 ? 6 : 1);

	if (!end || end <= from ||
	    !take_name(from, (size_t)(end - from), h->name, sizeof(h->name)))
		return false;
	h->address = is_address(h->name);
	*rest = end + 1;
	return h->address || (!v6 && is_name(h->name));
}

bool hop_parse(const char *text, int default_port, struct hop *h)
{
	const char *rest = text + strcspn(text, ":");
	int64_t port = default_port;

	*h = (struct hop){ .mx = text[0] != '[' };
	if (h->mx ? !take_name(text, (size_t)(rest - text), h->name,
			       sizeof(h->name)) ||
			    !is_name(h->name)
		  : !parse_bracket(text, h, &rest))
		return false;
	if (*rest && (*rest != ':' || !str_to_int(rest + 1, 1, 65535, &port)))
		return false;
	h->port = (int)port;
	return true;
}
