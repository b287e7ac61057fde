#include "imapd/url.h"

#include <string.h>

#include "base/str.h"

static int hex_value(char c)
{
	if (str_isdigit((unsigned char)c))
		return c - '0';
	c = (char)str_tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undoes percent signs of TEXT, N into OUT, which has room for it. */
static bool decode(const char *text, size_t n, char *out)
{
	size_t i;

	for (i = 0; i < n; i++) {
		char c = text[i];

		if (c == '%') {
			int high = i + 2 < n ? hex_value(text[i + 1]) : -1;
			int low = high >= 0 ? hex_value(text[i + 2]) : -1;

			if (low < 0)
				return false;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if ((unsigned char)c < ' ' || c == 0x7f)
			return false;
		*out++ = c;
	}
	*out = '\0';
	return true;
}

/* ";NAME=value" at *P, perhaps behind a slash: *VALUE and *N get the value, up
 * to the next ';', or to a slash before one. */
static bool take(const char **p, const char *name, const char **value,
		 size_t *n)
{
	const char *at = *p + (**p == '/'), *end;

	if (*at != ';' || !str_starts_ci(at + 1, name) ||
	    at[1 + strlen(name)] != '=')
		return false;
	*value = at + strlen(name) + 2;
	end = strchr(*value, ';');
	if (!end)
		end = *value + strlen(*value);
	*p = end;
	if (end > *value && end[-1] == '/')
		*p = --end;
	*n = (size_t)(end - *value);
	return true;
}

static bool take_number(const char **p, const char *name, uint32_t *number)
{
	const char *value;
	int64_t found;
	size_t n;

	if (!take(p, name, &value, &n) ||
	    !str_span_to_int(value, n, 1, UINT32_MAX, &found))
		return false;
	*number = (uint32_t)found;
	return true;
}

/* "from" or "from.length" */
static bool parse_partial(const char *value, size_t n, struct url *u)
{
	const char *dot = memchr(value, '.', n);
	size_t first = dot ? (size_t)(dot - value) : n;
	int64_t from, length = UINT32_MAX;

	if (!str_span_to_int(value, first, 0, UINT32_MAX, &from) ||
	    (dot &&
	     !str_span_to_int(dot + 1, n - first - 1, 1, UINT32_MAX, &length)))
		return false;
	u->partial = true;
	u->from = (uint32_t)from;
	u->length = (uint32_t)length;
	return true;
}

/* The name, up to the first parameter. */
static bool take_mailbox(const char **p, struct url *u)
{
	const char *end;

	*p += **p == '/';
	if (**p == '/')
		return false; /* a server follows */
	end = strchr(*p, ';');
	if (!end)
		return false;
	if (end > *p && end[-1] == '/')
		end--;
	if (memchr(*p, ':', (size_t)(end - *p)) ||
	    !decode(*p, (size_t)(end - *p), u->mailbox))
		return false;
	*p = end;
	return true;
}

bool url_parse(const char *text, struct url *u)
{
	const char *p = text, *value;
	size_t n;

	memset(u, 0, sizeof(*u));
	if (strlen(text) >= URL_MAX || !take_mailbox(&p, u))
		return false;
	if (take(&p, "UIDVALIDITY", &value, &n)) {
		int64_t validity;

		if (!str_span_to_int(value, n, 1, UINT32_MAX, &validity))
			return false;
		u->uidvalidity = (uint32_t)validity;
	}
	if (!take_number(&p, "UID", &u->uid))
		return false;
	if (take(&p, "SECTION", &value, &n) &&
	    (n == 0 || !decode(value, n, u->section)))
		return false;
	if (take(&p, "PARTIAL", &value, &n) && !parse_partial(value, n, u))
		return false;
	return *p == '\0' || strcmp(p, "/") == 0;
}
