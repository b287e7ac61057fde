#include "table/text.h"

#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "table/aliases.h"
#include "table/table.h"

/* What a program that shows text leaves out, or shows as a blank. */
static const char *const invisible[] = {
	"\xc2\xa0",     /* no-break space */
	"\xc2\xad",     /* soft hyphen */
	"\xe2\x80\x8b", /* zero width space */
	"\xe2\x80\x8c", /* zero width non-joiner */
	"\xe2\x80\x8d", /* zero width joiner */
	"\xe2\x80\xaf", /* narrow no-break space */
	"\xe3\x80\x80", /* ideographic space */
	"\xef\xbb\xbf", /* byte order mark */
};

void text_fault(const struct text_reading *r, unsigned line, const char *why)
{
	buf_printf(r->faults, "%s:%u: %s\n", r->path, line, why);
}

void text_unclear(const struct text_reading *r, unsigned line, const char *why)
{
	text_fault(r, line, why);
	if (r->doubt->len == 0)
		buf_printf(r->doubt, "%s:%u: %s", r->path, line, why);
}

const char *text_after_mark(const char *text, size_t n)
{
	return n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? text + 3 : text;
}

void text_begin(struct text_lines *l, const char *text, size_t n)
{
	*l = (struct text_lines){ .at = text_after_mark(text, n),
				  .end = text + n,
				  .next = 1 };
	buf_init(&l->buf, TEXT_FILE_MAX);
}

void text_end(struct text_lines *l)
{
	buf_free(&l->buf);
}

/* One physical line without its line end; L moves past it. */
static const char *physical(struct text_lines *l, size_t *n)
{
	const char *start = l->at;
	const char *lf = memchr(start, '\n', (size_t)(l->end - start));
	const char *stop = lf ? lf : l->end;

	l->at = lf ? lf + 1 : l->end;
	l->next++;
	if (stop > start && stop[-1] == '\r')
		stop--;
	*n = (size_t)(stop - start);
	return start;
}

static bool is_void(const char *s, size_t n)
{
	while (n > 0 && str_isspace(*s)) {
		s++;
		n--;
	}
	return n == 0 || *s == '#';
}

static bool has_control(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (((unsigned char)s[i] < ' ' && s[i] != '\t') || s[i] == 0x7f)
			return true;
	return false;
}

char *text_next(struct text_lines *l)
{
	bool begun = false;

	buf_reset(&l->buf);
	l->fault = NULL;
	while (l->at < l->end) {
		const char *before = l->at, *line;
		size_t n;

		line = physical(l, &n);
		if (is_void(line, n))
			continue;
		if (begun && !str_isspace(line[0])) {
			l->at = before;
			l->next--;
			break;
		}
		if (!begun)
			l->line = l->next - 1;
		if (!begun && str_isspace(line[0]))
			l->fault = "begins with white space, as if it "
				   "continued a line before it, and there is "
				   "none: remove the white space";
		else if (has_control(line, n))
			l->fault = "holds a control character, or a line end "
				   "that is neither LF nor CRLF";
		begun = true;
		buf_put(&l->buf, line, n);
	}
	return begun ? l->buf.data : NULL;
}

bool text_read(const struct text_reading *r, struct buf *b)
{
	int err;

	buf_init(b, TEXT_FILE_MAX);
	err = file_read(r->path, b);
	if (err)
		buf_printf(r->faults, "%s\n", err_why(err));
	else if (memchr(b->data, '\0', b->len)) {
		buf_printf(r->faults,
			   "%s: holds a NUL: not a text in ASCII or UTF-8\n",
			   r->path);
		err = ERR_SYNTAX;
	}
	if (err)
		buf_free(b);
	return !err;
}

const char *text_value_fault(const char *value)
{
	return strlen(value) > TABLE_VALUE_MAX
		       ? "the value is longer than 1 MiB: mail to it waits"
		       : NULL;
}

const char *text_targets_fault(const struct text_reading *r, struct arena *a,
			       const char *value)
{
	struct alias_target *target;
	const char *why = NULL;
	size_t n;

	if (r->targets) /* what is wrong is in WHY */
		err_ignore(aliases_targets(a, value, &target, &n, &why));
	return why;
}

/* Where the key ends: at the first white space outside quotes. */
static char *key_end(char *p)
{
	bool quoted = false;

	for (; *p && (quoted || !str_isspace(*p)); p++) {
		if (*p == '\\' && p[1])
			p++;
		else if (*p == '"')
			quoted = !quoted;
	}
	return p;
}

const char *text_key_fault(const char *key)
{
	size_t n = strlen(key);

	if (n > 0 && strchr(":,;=", key[n - 1]))
		return "the key ends with a punctuation mark: expected: key "
		       "value, with only white space between";
	for (size_t i = 0; i < sizeof(invisible) / sizeof(*invisible); i++)
		if (strstr(key, invisible[i]))
			return "the key holds a character that is not visible, "
			       "such as a no-break space: type it anew";
	return NULL;
}

const char *text_pair(char *line, char **key, char **value)
{
	char *end;

	line = str_trim(line);
	end = key_end(line);
	if (end == line || *end == '\0')
		return "expected: key value, with white space between";
	*end = '\0';
	*key = line;
	*value = str_trim(end + 1);
	return text_key_fault(line);
}
