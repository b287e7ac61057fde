#include "table/text.h"

#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "table/table.h"

void text_begin(struct text_lines *l, const char *text, size_t n)
{
	*l = (struct text_lines){ .at = text, .end = text + n, .next = 1 };
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

char *text_next(struct text_lines *l)
{
	bool begun = false;

	buf_reset(&l->buf);
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
		begun = true;
		buf_put(&l->buf, line, n);
	}
	return begun ? l->buf.data : NULL;
}

bool text_read(const char *path, struct buf *b, struct buf *faults)
{
	int err;

	buf_init(b, TEXT_FILE_MAX);
	err = file_read(path, b);
	if (err)
		buf_printf(faults, "%s\n", err_why(err));
	else if (memchr(b->data, '\0', b->len)) {
		buf_printf(faults, "%s: holds a NUL: not a text file\n", path);
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

bool text_pair(char *line, char **key, char **value)
{
	char *end;

	line = str_trim(line);
	end = key_end(line);
	if (end == line || *end == '\0')
		return false;
	*end = '\0';
	*key = line;
	*value = str_trim(end + 1);
	return **value != '\0';
}
