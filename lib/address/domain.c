/* Domain names and address literals in canonical form. */
#include "address/address.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

#define LABEL_MAX 63

/* Is the label P, N one that mail uses: letters, digits, hyphens inside, and
 * the underscore, which is not allowed but used? */
static bool label_ok(const char *p, size_t n)
{
	if (n == 0 || n > LABEL_MAX || p[0] == '-' || p[n - 1] == '-')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!str_isalnum(p[i]) && p[i] != '-' && p[i] != '_')
			return false;
	return true;
}

static bool name_ok(const char *name)
{
	for (;;) {
		size_t n = strcspn(name, ".");

		if (!label_ok(name, n))
			return false;
		if (!name[n])
			return true;
		name += n + 1;
	}
}

/* "[192.0.2.1]" and "[IPv6:…]" (RFC 5321 section 4.1.3). */
static int literal(const char *text, char *out)
{
	char inner[INET6_ADDRSTRLEN + 8], plain[INET6_ADDRSTRLEN];
	unsigned char bytes[16];
	size_t n = strlen(text);
	bool six;

	if (n < 2 || text[n - 1] != ']' || n - 2 >= sizeof(inner))
		return ERR_SYNTAX;
	memcpy(inner, text + 1, n - 2);
	inner[n - 2] = '\0';
	six = str_starts_ci(inner, "IPv6:");
	if (inet_pton(six ? AF_INET6 : AF_INET, inner + (six ? 5 : 0), bytes) !=
		    1 ||
	    !inet_ntop(six ? AF_INET6 : AF_INET, bytes, plain, sizeof(plain)))
		return ERR_SYNTAX;
	snprintf(out, ADDRESS_DOMAIN_SIZE, "[%s%s]", six ? "IPv6:" : "", plain);
	return ERR_OK;
}

/* Converts U-labels in NAME to A-labels (RFC 5890, with the mapping of UTS 46
 * since people and programs write capitals). */
static int to_ascii(char *name)
{
	char *ascii = NULL;
	bool fits;

	if (idn2_to_ascii_8z(name, &ascii,
			     IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT) != IDN2_OK)
		return ERR_SYNTAX;
	fits = str_copy(name, ADDRESS_DOMAIN_SIZE, ascii);
	idn2_free(ascii);
	return fits ? ERR_OK : ERR_TOO_LONG;
}

int address_domain(const char *text, size_t n, char *out)
{
	char name[4 * ADDRESS_DOMAIN_SIZE];
	int err;

	*out = '\0';
	if (n == 0 || memchr(text, '\0', n))
		return ERR_SYNTAX;
	if (n >= ADDRESS_DOMAIN_SIZE)
		return ERR_TOO_LONG;
	memcpy(name, text, n);
	name[n] = '\0';
	if (name[0] == '[')
		return literal(name, out);
	if (n > 1 && name[n - 1] == '.')
		name[n - 1] = '\0';
	if (!str_is_ascii(name)) {
		if (!str_is_utf8(name, strlen(name)))
			return ERR_SYNTAX;
		err = to_ascii(name);
		if (err)
			return err;
	}
	if (!name_ok(name))
		return ERR_SYNTAX;
	str_copy(out, ADDRESS_DOMAIN_SIZE, str_lower(name));
	return ERR_OK;
}
