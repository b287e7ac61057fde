/*
 * Entries in memory, their names, and the text of the file that holds them: a
 * line "posthorn-metadata 1 CRC", and for each entry a line "SIZE NAME", so
 * many bytes, and a line end. CRC is the CRC-32C of what follows it.
 */
#include "mailbox/metadata.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/mem.h"
#include "base/str.h"

static const char magic[] = "posthorn-metadata ";
static const char version[] = "1 ";
#define MAGIC (sizeof(magic) - 1)
#define VERSION (sizeof(version) - 1)
#define HEAD (MAGIC + VERSION + 9) /* the CRC in hexadecimal, a line end */

static void free_entry(struct metadata_entry *e)
{
	free(e->name);
	free(e->value);
}

void metadata_free(struct metadata *m)
{
	for (size_t i = 0; i < m->n; i++)
		free_entry(&m->entry[i]);
	free(m->entry);
	memset(m, 0, sizeof(*m));
}

/* Where NAME is, or would be. */
static size_t place_of(const struct metadata *m, const char *name)
{
	size_t i = 0;

	while (i < m->n && strcmp(m->entry[i].name, name) < 0)
		i++;
	return i;
}

const struct metadata_entry *metadata_find(const struct metadata *m,
					   const char *name)
{
	size_t i = place_of(m, name);

	return i < m->n && str_equal(m->entry[i].name, name) ? &m->entry[i]
							     : NULL;
}

void metadata_set(struct metadata *m, const char *name, const char *value,
		  size_t n)
{
	size_t i = place_of(m, name);
	struct metadata_entry e = {
		.name = mem_strdup(name),
		.value = value ? mem_alloc(n + 1) : NULL,
		.n = value ? n : 0,
	};

	if (value && n > 0)
		memcpy(e.value, value, n);
	if (i < m->n && str_equal(m->entry[i].name, name)) {
		free_entry(&m->entry[i]);
	} else {
		m->entry = mem_resize(m->entry, m->n + 1, sizeof(e));
		memmove(&m->entry[i + 1], &m->entry[i],
			(m->n++ - i) * sizeof(e));
	}
	m->entry[i] = e;
}

void metadata_remove(struct metadata *m, const char *name)
{
	size_t i = place_of(m, name);

	if (i == m->n || !str_equal(m->entry[i].name, name))
		return;
	free_entry(&m->entry[i]);
	memmove(&m->entry[i], &m->entry[i + 1],
		(--m->n - i) * sizeof(*m->entry));
}

/* RFC 5464 section 3.2; a control character is none that a client would want
 * to have in a name, though that text only excludes some. */
static bool is_name_byte(unsigned char c)
{
	return c >= ' ' && c < 0x7f && c != '*' && c != '%';
}

/* How many levels of NAME there are, 0 if one is empty. */
static size_t count_levels(const char *name)
{
	size_t n = 0;

	for (; *name == '/'; n++) {
		size_t len = strcspn(name + 1, "/");

		if (len == 0)
			return 0;
		name += 1 + len;
	}
	return *name ? 0 : n;
}

static bool has_level(const char *name, const char *top)
{
	size_t n = strlen(top);

	return strncmp(name, top, n) == 0 && (!name[n] || name[n] == '/');
}

int metadata_name(const char *text, char name[METADATA_NAME_SIZE])
{
	if (!str_copy(name, METADATA_NAME_SIZE, text))
		return ERR_SYNTAX;
	for (const char *p = str_lower(name); *p; p++)
		if (!is_name_byte((unsigned char)*p))
			return ERR_SYNTAX;
	return count_levels(name) > 0 && (has_level(name, "/private") ||
					  has_level(name, "/shared"))
		       ? ERR_OK
		       : ERR_SYNTAX;
}

bool metadata_is_entry(const char *name)
{
	bool vendor = has_level(name, "/private/vendor") ||
		      has_level(name, "/shared/vendor");

	return count_levels(name) >= (vendor ? 4 : 2);
}

void metadata_print(const struct metadata *m, struct buf *out)
{
	char head[HEAD + 1];
	size_t at = out->len + HEAD;

	buf_printf(out, "%s%s%08x\n", magic, version, 0u);
	for (size_t i = 0; i < m->n; i++) {
		const struct metadata_entry *e = &m->entry[i];

		buf_printf(out, "%zu %s\n", e->n, e->name);
		buf_put(out, e->value, e->n);
		buf_putc(out, '\n');
	}
	if (out->over)
		return;
	snprintf(head, sizeof(head), "%s%s%08" PRIx32 "\n", magic, version,
		 crc32c(0, out->data + at, out->len - at));
	memcpy(out->data + at - HEAD, head, HEAD);
}

static int damaged(const char *what)
{
	return err_set(ERR_CORRUPT, "%s", what);
}

static int check_head(const char *text, size_t n)
{
	char crc[10];

	if (n < HEAD || memcmp(text, magic, MAGIC) != 0)
		return damaged("it is no file of annotations");
	if (memcmp(text + MAGIC, version, VERSION) != 0)
		return damaged("it is of another version");
	snprintf(crc, sizeof(crc), "%08" PRIx32 "\n",
		 crc32c(0, text + HEAD, n - HEAD));
	return memcmp(text + HEAD - 9, crc, 9) == 0
		       ? ERR_OK
		       : damaged("its checksum is wrong");
}

/* Takes one entry from the N bytes at TEXT. The bytes that it took, or 0 if it
 * is none. */
static size_t parse_entry(const char *text, size_t n, struct metadata *m)
{
	const char *lf = memchr(text, '\n', n), *space;
	char name[METADATA_NAME_SIZE], *line;
	size_t rest, took = 0;
	int64_t size;

	if (!lf)
		return 0;
	rest = (size_t)(text + n - lf) - 1;
	space = memchr(text, ' ', (size_t)(lf - text));
	if (!space ||
	    !str_span_to_int(text, (size_t)(space - text), 0,
			     METADATA_TOTAL_MAX, &size) ||
	    (size_t)size >= rest || lf[1 + size] != '\n')
		return 0;
	line = mem_strndup(space + 1, (size_t)(lf - space) - 1);
	if (metadata_name(line, name) == ERR_OK && metadata_is_entry(name)) {
		metadata_set(m, name, lf + 1, (size_t)size);
		took = (size_t)(lf - text) + 1 + (size_t)size + 1;
	}
	free(line);
	return took;
}

int metadata_parse(const char *text, size_t n, struct metadata *m)
{
	int code = check_head(text, n);
	size_t at = HEAD, took;

	for (; !code && at < n; at += took) {
		took = m->n < METADATA_ENTRIES_MAX
			       ? parse_entry(text + at, n - at, m)
			       : 0;
		if (took == 0)
			code = damaged("it has what is no entry");
	}
	if (code)
		metadata_free(m);
	return code;
}
