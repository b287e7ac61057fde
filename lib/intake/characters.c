#include "intake/characters.h"

#include <string.h>

static bool is_in(const struct characters *set, unsigned char c)
{
	return memchr(set->c, c, set->n) != NULL;
}

static void add(struct characters *set, unsigned char c)
{
	if (c != '\r' && c != '\n' && !is_in(set, c))
		set->c[set->n++] = c;
}

static unsigned char read_octal(const char **p)
{
	unsigned c = 0;

	for (int i = 0; i < 3 && **p >= '0' && **p <= '7'; i++)
		c = c * 8 + (unsigned)(*(*p)++ - '0');
	return (unsigned char)c;
}

/* What follows a backslash at *P. */
static unsigned char read_escape(const char **p)
{
	static const char names[] = "abfnrtv", meant[] = "\a\b\f\n\r\t\v";
	const char *name;

	if (**p >= '0' && **p <= '7')
		return read_octal(p);
	name = strchr(names, **p);
	(*p)++;
	return (unsigned char)(name ? meant[name - names] : (*p)[-1]);
}

void characters_read(struct characters *set, const char *text)
{
	set->n = 0;
	while (*text) {
		unsigned char c = (unsigned char)*text++;

		add(set, c == '\\' && *text ? read_escape(&text) : c);
	}
}

bool characters_occur(const struct characters *set, const char *data, size_t n)
{
	for (size_t i = 0; i < set->n; i++)
		if (memchr(data, set->c[i], n))
			return true;
	return false;
}

size_t characters_strip(const struct characters *set, char *data, size_t n)
{
	size_t left = 0;

	for (size_t i = 0; i < n; i++)
		if (!is_in(set, (unsigned char)data[i]))
			data[left++] = data[i];
	return left;
}
