/* Lists of strings, of base/str.h. */
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void strlist_add(struct strlist *l, const char *s)
{
	strlist_add_span(l, s, strlen(s));
}

void strlist_add_span(struct strlist *l, const char *s, size_t n)
{
	/* grown at each power of two */
	if ((l->n & (l->n + 1)) == 0)
		l->item = mem_resize(l->item, 2 * (l->n + 1) + 1,
				     sizeof(*l->item));
	l->item[l->n++] = mem_strndup(s, n);
}

/* The length of the word at P: braces protect white space and commas, as in
 * "inline:{ a=b, c=d }". Unpaired braces protect nothing. */
static size_t word_length(const char *p, const char *separators)
{
	size_t n, depth = 0;

	for (n = 0; p[n]; n++) {
		if (p[n] == '{')
			depth++;
		else if (p[n] == '}' && depth > 0)
			depth--;
		else if (depth == 0 && strchr(separators, p[n]))
			return n;
	}
	return depth == 0 ? n : strcspn(p, separators);
}

void strlist_split(struct strlist *l, const char *text)
{
	static const char separators[] = ", \t\r\n";

	for (;;) {
		size_t n;

		text += strspn(text, separators);
		n = word_length(text, separators);
		if (n == 0)
			return;
		strlist_add_span(l, text, n);
		text += n;
	}
}

bool strlist_has_ci(const struct strlist *l, const char *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_equal_ci(l->item[i], s))
			return true;
	return false;
}

void strlist_free(struct strlist *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->item[i]);
	free(l->item);
	*l = (struct strlist){ 0 };
}
