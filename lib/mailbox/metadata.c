/* Entries in memory, and their names. */
#include "mailbox/metadata.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

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
