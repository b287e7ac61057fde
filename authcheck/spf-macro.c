#include "authcheck/spf-macro.h"

#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"

#define NAME_BYTES 253
#define EXPANDED_MAX 65536
#define LABELS_MAX 256

struct macro {
	char letter;
	int64_t keep; /* rightmost labels; 0: all */
	bool reverse;
	char delimiters[16];
};

bool spf_macro_uses_p(const char *spec)
{
	return strcasestr(spec, "%{p") != NULL;
}

static const char *value_of(const struct spf_values *v, char letter)
{
	switch (letter) {
	case 's':
		return v->s;
	case 'l':
		return v->l;
	case 'o':
		return v->o;
	case 'd':
		return v->d;
	case 'i':
		return v->i;
	case 'p':
		return v->p ? v->p : "unknown";
	case 'v':
		return v->v;
	default:
		return v->h;
	}
}

/* Parses "{d2r.-}" after the percent sign; gives its length. */
static size_t read_macro(const char *p, struct macro *m)
{
	const char *start = p++;
	size_t n;

	*m = (struct macro){ .letter = *p++ };
	n = strspn(p, "0123456789");
	if (n && !str_span_to_int(p, n, 0, LABELS_MAX, &m->keep))
		m->keep = LABELS_MAX;
	p += n;
	m->reverse = *p == 'r' || *p == 'R';
	p += m->reverse;
	n = strcspn(p, "}");
	str_copy(m->delimiters, sizeof(m->delimiters), ".");
	if (n > 0 && n < sizeof(m->delimiters)) {
		memcpy(m->delimiters, p, n);
		m->delimiters[n] = '\0';
	}
	return (size_t)(p + n + 1 - start);
}

/* Appends S, N, URL-escaped (section 7.3: unreserved characters stay). */
static void put_escaped(struct buf *b, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (str_isalnum((unsigned char)s[i]) || strchr("-._~", s[i]))
			buf_putc(b, s[i]);
		else
			buf_printf(b, "%%%02X", (unsigned char)s[i]);
	}
}

static void put_macro(struct buf *b, const struct macro *m, const char *value)
{
	bool escape = m->letter >= 'A' && m->letter <= 'Z';
	const char *label[LABELS_MAX];
	size_t size[LABELS_MAX], n = 0, first;

	while (n < LABELS_MAX) {
		label[n] = value;
		size[n] = strcspn(value, m->delimiters);
		value += size[n++];
		if (!*value++)
			break;
	}
	first = m->keep && (size_t)m->keep < n ? n - (size_t)m->keep : 0;
	for (size_t i = first; i < n; i++) {
		size_t k = m->reverse ? n - 1 - i : i;

		if (i > first)
			buf_putc(b, '.');
		if (escape)
			put_escaped(b, label[k], size[k]);
		else
			buf_put(b, label[k], size[k]);
	}
}

/* At the percent sign P: appends what it stands for, gives its length. */
static size_t put_percent(struct buf *b, const char *p,
			  const struct spf_values *v)
{
	struct macro m;
	size_t n;

	switch (p[1]) {
	case '%':
		buf_putc(b, '%');
		return 2;
	case '_':
		buf_putc(b, ' ');
		return 2;
	case '-':
		buf_puts(b, "%20");
		return 2;
	}
	n = read_macro(p + 1, &m);
	put_macro(b, &m,
		  value_of(v, (char)str_tolower((unsigned char)m.letter)));
	return n + 1;
}

/* Drops labels from the left until the name fits (section 7.3). */
static const char *shorten(const char *name)
{
	while (strlen(name) > NAME_BYTES) {
		const char *dot = strchr(name, '.');

		if (!dot)
			return "";
		name = dot + 1;
	}
	return name;
}

char *spf_macro_expand(struct arena *a, const char *spec,
		       const struct spf_values *v)
{
	struct buf b;
	char *name;

	buf_init(&b, EXPANDED_MAX);
	while (*spec) {
		size_t n = strcspn(spec, "%");

		buf_put(&b, spec, n);
		spec += n;
		if (*spec)
			spec += put_percent(&b, spec, v);
	}
	if (b.over)
		buf_reset(&b);
	if (b.len > 0 && b.data[b.len - 1] == '.')
		buf_truncate(&b, b.len - 1);
	name = arena_strdup(a, shorten(b.data));
	buf_free(&b);
	return name;
}
