/* posthorn check: the lines of login_proxy_maps, of tables that are text. */
#include <string.h>
#include <sys/stat.h>

#include "admin/check.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "table/proxy.h"
#include "table/text.h"

#define PARAM "login_proxy_maps"

struct source {
	struct findings *f;
	const char *path;
	bool secret; /* a line has a password */
};

static void check_line(struct source *s, unsigned line, const char *key,
		       const char *words)
{
	struct proxy_target t;
	const char *fault = proxy_read(words, false, &t);

	if (fault)
		check_fault(s->f, PARAM ": %s:%u: %s", s->path, line, fault);
	else if (*key == '@' && !t.nopassword)
		check_warning(s->f,
			      PARAM ": %s:%u: nobody can log in by it, since "
				    "names that are no users here have no "
				    "password here: nopassword is missing",
			      s->path, line);
	s->secret = s->secret || *t.pass;
	mem_wipe(&t, sizeof(t));
}

/* Lines that are none were complained of when the table was opened. */
static void check_text(struct source *s, const char *text, size_t n)
{
	struct text_lines l;
	char *line, *key, *words;

	text_begin(&l, text, n);
	while ((line = text_next(&l)))
		if (!l.fault && !text_pair(line, &key, &words))
			check_line(s, l.line, key, words);
	text_end(&l);
}

static void check_mode(const struct source *s)
{
	struct stat st;

	if (s->secret && stat(s->path, &st) == 0 && st.st_mode & S_IROTH)
		check_warning(s->f,
			      PARAM ": %s holds a password, and everybody may "
				    "read it",
			      s->path);
}

static void check_source(struct findings *f, const char *path)
{
	struct source s = { .f = f, .path = path };
	struct buf text;

	buf_init(&text, TEXT_FILE_MAX);
	if (file_read(path, &text) == ERR_OK && text.len > 0)
		check_text(&s, text.data, text.len);
	check_mode(&s);
	mem_wipe(text.data, text.len);
	buf_free(&text);
}

void check_proxies(struct findings *f, const struct config *c)
{
	static const char *const types[] = { "texthash:", "hash:", "btree:" };
	const struct strlist *maps = config_list(c, PARAM);

	for (size_t i = 0; i < maps->n; i++)
		for (size_t k = 0; k < sizeof(types) / sizeof(*types); k++)
			if (str_starts(maps->item[i], types[k]))
				check_source(f,
					     maps->item[i] + strlen(types[k]));
}
