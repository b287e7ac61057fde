#include "maildir/name.h"

#include <string.h>

#include "base/str.h"
#include "messages/flags.h"
#include "messages/messages.h"

static const char capitals[] = "DFPRST";

static uint32_t letters_of(const char *s)
{
	uint32_t letters = 0;

	for (; *s; s++) {
		const char *capital = strchr(capitals, *s);

		if (*s >= 'a' && *s <= 'z')
			letters |= 1u << (*s - 'a');
		else if (capital)
			letters |= (uint32_t)LETTER_D << (capital - capitals);
	}
	return letters;
}

/* The value of ",K=" within the base, or -1. */
static int64_t value_of(const char *text, size_t n, char key)
{
	size_t i;

	for (i = 0; i + 3 < n; i++) {
		size_t from = i + 3, to = from;
		int64_t value;

		if (text[i] != ',' || text[i + 1] != key || text[i + 2] != '=')
			continue;
		while (to < n && str_isdigit(text[to]))
			to++;
		if (str_span_to_int(text + from, to - from, 0, UINT32_MAX,
				    &value))
			return value;
		return -1;
	}
	return -1;
}

/* The UIDVALIDITY in the second word of a name of ours, or 0. */
static uint32_t validity_of(const char *text, size_t n)
{
	const char *word = memchr(text, '.', n);
	const char *v, *end;
	int64_t value;

	if (!word || word[1] != 'M')
		return 0;
	n -= (size_t)(word + 1 - text);
	end = memchr(word + 1, '.', n);
	v = end ? memchr(word + 1, 'V', (size_t)(end - word - 1)) : NULL;
	if (!v || strncmp(end, ".posthorn,", 10) != 0 ||
	    !str_span_to_int(v + 1, (size_t)(end - v - 1), 1, UINT32_MAX,
			     &value))
		return 0;
	return (uint32_t)value;
}

bool name_parse(const char *text, struct listing_file *n)
{
	const char *info = strstr(text, ":2,");
	size_t nbase = info ? (size_t)(info - text) : strlen(text);
	int64_t uid;

	if (text[0] == '.' || nbase == 0 || nbase > NAME_BASE_MAX)
		return false;
	n->nbase = (uint8_t)nbase;
	n->letters = info ? letters_of(info + 3) : 0;
	n->size = value_of(text, nbase, 'S');
	n->wire = value_of(text, nbase, 'W');
	n->validity = validity_of(text, nbase);
	uid = n->validity ? value_of(text, nbase, 'U') : -1;
	n->uid = uid > 0 && uid < UINT32_MAX ? (uint32_t)uid : 0;
	return true;
}

void name_file(char out[MAILDIR_NAME_SIZE], const char *base, size_t nbase,
	       unsigned dir, uint32_t letters)
{
	char *p = out;
	unsigned i;

	memcpy(p, base, nbase);
	p += nbase;
	if (dir == DIR_CUR) {
		memcpy(p, ":2,", 3);
		p += 3;
		for (i = 0; i < 6; i++)
			if (letters & (uint32_t)LETTER_D << i)
				*p++ = capitals[i];
		for (i = 0; i < 26; i++)
			if (letters & 1u << i)
				*p++ = (char)('a' + i);
	}
	*p = '\0';
}
