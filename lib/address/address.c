#include "address/address.h"

#include <string.h>

#include "base/err.h"

/* Is the byte allowed in a local part without quotes: atext, the dot, and
 * anything beyond ASCII (RFC 6531 section 3.3)? */
static bool plain_byte(unsigned char c)
{
	return str_isalnum(c) || c >= 0x80 ||
	       (c && strchr(".!#$%&'*+-/=?^_`{|}~", c));
}

static bool put_local(struct address *a, size_t *n, char c)
{
	if (*n >= ADDRESS_LOCAL_SIZE - 1)
		return false;
	a->local[(*n)++] = c;
	a->local[*n] = '\0';
	return true;
}

/* A quoted string at P (RFC 5321 section 4.1.2): the byte after it, or NULL,
 * with *ERR. */
static const char *quoted_local(const char *p, const char *end,
				struct address *a, size_t *n, int *err)
{
	for (p++; p < end && *p != '"'; p++) {
		if (*p == '\\' && ++p == end)
			break;
		if ((unsigned char)*p < 0x20 || *p == 0x7f) {
			*err = ERR_SYNTAX;
			return NULL;
		}
		if (!put_local(a, n, *p)) {
			*err = ERR_TOO_LONG;
			return NULL;
		}
	}
	if (p < end)
		return p + 1;
	*err = ERR_SYNTAX;
	return NULL;
}

/* The local part at P: atoms and quoted strings with dots between, as the
 * obsolete grammar has it (RFC 5322 section 4.4). The byte after it, or
 * NULL. */
static const char *scan_local(const char *p, const char *end, struct address *a,
			      int *err)
{
	size_t n = 0;

	a->local[0] = '\0';
	while (p < end && *p != '@') {
		if (*p == '"') {
			p = quoted_local(p, end, a, &n, err);
			if (!p)
				return NULL;
			continue;
		}
		if (!plain_byte((unsigned char)*p))
			break;
		if (!put_local(a, &n, *p++)) {
			*err = ERR_TOO_LONG;
			return NULL;
		}
	}
	return p;
}

static int check_local(struct address *a)
{
	size_t n = strlen(a->local);

	a->utf8 = false;
	for (size_t i = 0; i < n; i++)
		a->utf8 |= (unsigned char)a->local[i] >= 0x80;
	return a->utf8 && !str_is_utf8(a->local, n) ? ERR_SYNTAX : ERR_OK;
}

int address_parse(const char *text, size_t n, struct address *a)
{
	const char *end = text + n, *p;
	int err = ERR_SYNTAX;

	*a = (struct address){ .local = "" };
	p = scan_local(text, end, a, &err);
	if (!p)
		return err;
	if (p == text || (p < end && *p != '@'))
		return ERR_SYNTAX;
	err = check_local(a);
	if (err)
		return err;
	if (p == end)
		return a->local[0] ? ERR_OK : ERR_SYNTAX;
	return address_domain(p + 1, (size_t)(end - p - 1), a->domain);
}

/* The byte after "@a,@b:", which is obsolete (RFC 5321 appendix C), or P if
 * there is no route. NULL if it does not end. */
static const char *skip_route(const char *p, const char *end)
{
	if (p == end || *p != '@')
		return p;
	p = memchr(p, ':', (size_t)(end - p));
	return p ? p + 1 : NULL;
}

/* The '>' that ends a path which began before P, outside quotes. */
static const char *path_end(const char *p, const char *end)
{
	bool quoted = false;

	for (; p < end; p++) {
		if (*p == '\\' && quoted)
			p++;
		else if (*p == '"')
			quoted = !quoted;
		else if (*p == '>' && !quoted)
			return p;
	}
	return NULL;
}

int address_parse_path(const char *text, size_t n, struct address *a,
		       size_t *used)
{
	const char *end = text + n, *p = text, *close = NULL;

	*a = (struct address){ .local = "" };
	*used = 0;
	if (p < end && *p == '<') {
		close = path_end(++p, end);
		if (!close)
			return ERR_SYNTAX;
		*used = (size_t)(close + 1 - text);
		if (p == close)
			return ERR_OK;
		p = skip_route(p, close);
		if (!p)
			return ERR_SYNTAX;
		return address_parse(p, (size_t)(close - p), a);
	}
	while (p < end && *p != ' ')
		p++;
	*used = (size_t)(p - text);
	return address_parse(text, *used, a);
}

char *address_text(const struct address *a, char *out)
{
	char *to = out;
	bool quote = a->local[0] == '\0' && a->domain[0] != '\0';

	for (const char *p = a->local; *p; p++)
		quote |= !plain_byte((unsigned char)*p);
	if (quote)
		*to++ = '"';
	for (const char *p = a->local; *p; p++) {
		if (*p == '"' || *p == '\\')
			*to++ = '\\';
		*to++ = *p;
	}
	if (quote)
		*to++ = '"';
	*to = '\0';
	if (a->domain[0]) {
		*to++ = '@';
		memcpy(to, a->domain, strlen(a->domain) + 1);
	}
	return out;
}

bool address_is_null(const struct address *a)
{
	return !a->local[0] && !a->domain[0];
}

bool address_equal(const char *a, const char *b)
{
	struct address x, y;

	return address_parse(a, strlen(a), &x) == ERR_OK &&
	       address_parse(b, strlen(b), &y) == ERR_OK &&
	       str_equal_ci(x.local, y.local) && str_equal(x.domain, y.domain);
}

/* Names whose dashes or signs are part of them (as in Postfix). */
static bool never_split(const char *local)
{
	return str_equal_ci(local, "mailer-daemon") ||
	       str_equal_ci(local, "double-bounce") ||
	       str_starts_ci(local, "owner-") || str_ends_ci(local, "-request");
}

bool address_split(const char *local, const char *delimiters, char *user,
		   char *extension)
{
	size_t n = local[0] && *delimiters ? strcspn(local + 1, delimiters) + 1
					   : strlen(local);

	*extension = '\0';
	if (!local[n] || never_split(local)) {
		str_copy(user, ADDRESS_LOCAL_SIZE, local);
		return false;
	}
	memcpy(user, local, n);
	user[n] = '\0';
	str_copy(extension, ADDRESS_LOCAL_SIZE, local + n + 1);
	return true;
}
