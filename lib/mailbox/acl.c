#include "mailbox/acl.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "mailbox/entry-file.h"
#include "mailbox/private.h"

#define LETTERS (sizeof(ACL_LETTERS) - 1)

/* The rights of RFC 2086, each of them two of ours. */
static const struct {
	char letter;
	unsigned rights;
} former[] = {
	{ 'c', ACL_CREATE | ACL_DELETE_FOLDER },
	{ 'd', ACL_DELETE | ACL_EXPUNGE },
};

#define FORMER (sizeof(former) / sizeof(former[0]))

static unsigned right_of(char letter)
{
	const char *at = memchr(ACL_LETTERS, letter, LETTERS);

	if (at)
		return 1u << (at - ACL_LETTERS);
	for (size_t i = 0; i < FORMER; i++)
		if (former[i].letter == letter)
			return former[i].rights;
	return 0;
}

bool acl_parse(const char *letters, unsigned *rights)
{
	*rights = 0;
	for (; *letters; letters++) {
		unsigned right = right_of(*letters);

		if (!right)
			return false;
		*rights |= right;
	}
	return true;
}

static void put_letters(struct buf *out, unsigned rights)
{
	for (size_t i = 0; i < LETTERS; i++)
		if (rights & 1u << i)
			buf_putc(out, ACL_LETTERS[i]);
}

void acl_put(struct buf *out, unsigned rights)
{
	put_letters(out, rights);
	for (size_t i = 0; i < FORMER; i++)
		if (rights & former[i].rights)
			buf_putc(out, former[i].letter);
}

bool acl_is_identifier(const char *text)
{
	size_t n = strlen(text);

	if (n == 0 || n >= ACL_IDENTIFIER_SIZE || str_equal(text, "-"))
		return false;
	for (; *text; text++)
		if ((unsigned char)*text <= ' ' || *text == 0x7f)
			return false;
	return true;
}

static bool is_good(const struct metadata_entry *e)
{
	unsigned rights;

	return acl_is_identifier(e->name) && strlen(e->value) == e->n &&
	       acl_parse(e->value, &rights);
}

static const struct entry_kind kind = {
	.word = "posthorn-acl",
	.lost = "others may do nothing there",
	.max = ACL_ENTRIES_MAX,
	.grants = true,
	.is_good = is_good,
};

int acl_check(int dir)
{
	return entry_check(dir, DISK_ACL, &kind);
}

int acl_read(struct store *s, const char *folder, struct metadata *acl)
{
	struct entry_place p;
	int code = entry_open(&p, s, folder, DISK_ACL, &kind);

	if (code)
		return code;
	code = entry_read(&p, acl);
	close(p.dir);
	return code;
}

static unsigned rights_of(const struct metadata *acl, const char *sign,
			  const char *identifier)
{
	char name[ACL_IDENTIFIER_SIZE + 1];
	const struct metadata_entry *e;
	unsigned rights = 0;

	snprintf(name, sizeof(name), "%s%s", sign, identifier);
	e = metadata_find(acl, name);
	return e && acl_parse(e->value, &rights) ? rights : 0;
}

static unsigned rights_by(const struct metadata *acl, const char *user)
{
	return (rights_of(acl, "", user) | rights_of(acl, "", ACL_ANYONE)) &
	       ~(rights_of(acl, "-", user) | rights_of(acl, "-", ACL_ANYONE));
}

int acl_rights_in(struct store *s, const char *folder, const char *user,
		  unsigned *rights)
{
	struct metadata acl = { 0 };
	int code = acl_read(s, folder, &acl);

	*rights = code ? 0 : rights_by(&acl, user);
	metadata_free(&acl);
	return code;
}

static void set(struct metadata *acl, const char *identifier, unsigned rights)
{
	struct buf b;

	if (rights == 0) {
		metadata_remove(acl, identifier);
		return;
	}
	buf_init(&b, 64);
	put_letters(&b, rights);
	metadata_set(acl, identifier, b.data, b.len);
	buf_free(&b);
}

/* Under the user's lock. */
static int change(struct entry_place *p, const char *identifier, char how,
		  unsigned rights)
{
	struct metadata acl = { 0 };
	int code = entry_read(p, &acl);
	unsigned now = rights_of(&acl, "", identifier);

	set(&acl, identifier,
	    how == '+'	 ? now | rights
	    : how == '-' ? now & ~rights
			 : rights);
	if (!code)
		code = acl.n > ACL_ENTRIES_MAX ? ERR_LIMIT
					       : entry_write(p, &acl);
	metadata_free(&acl);
	return code;
}

int acl_change(struct store *s, const char *folder, const char *identifier,
	       char how, unsigned rights)
{
	struct entry_place p;
	int code = entry_open(&p, s, folder, DISK_ACL, &kind);

	if (code)
		return code;
	code = store_lock(s);
	if (!code) {
		p.locked = true;
		code = change(&p, identifier, how, rights);
		store_unlock(s);
	}
	close(p.dir);
	return code;
}

int acl_identifiers(struct store *s, struct metadata *m)
{
	struct store_list l = { 0 };
	int code = store_list(s, &l);

	for (size_t i = 0; !code && i < l.n; i++) {
		struct metadata acl = { 0 };

		if (!l.folder[i].exists)
			continue;
		code = acl_read(s, l.folder[i].name, &acl);
		if (code == ERR_NOT_FOUND) /* deleted since */
			code = ERR_OK;
		for (size_t e = 0; e < acl.n; e++)
			if (acl.entry[e].name[0] != '-')
				metadata_set(m, acl.entry[e].name, NULL, 0);
		metadata_free(&acl);
	}
	store_list_free(&l);
	return code;
}

bool acl_parent(struct store *s, const char *name, char *parent)
{
	char *slash;

	strcpy(parent, name);
	while ((slash = strrchr(parent, '/'))) {
		*slash = '\0';
		if (store_exists(s, parent) == ERR_OK)
			return true;
	}
	return false;
}

int acl_inherit(struct store *s, const char *name, int dir)
{
	struct entry_place to = { .s = s,
				  .folder = name,
				  .file = DISK_ACL,
				  .kind = &kind,
				  .dir = dir };
	char *parent = mem_strdup(name);
	struct metadata acl = { 0 };
	int code = ERR_OK;

	if (acl_parent(s, name, parent)) {
		code = acl_read(s, parent, &acl);
		if (!code && acl.n > 0)
			code = entry_write(&to, &acl);
	}
	metadata_free(&acl);
	free(parent);
	return code;
}
