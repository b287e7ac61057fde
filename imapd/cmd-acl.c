/*
 * SETACL, DELETEACL, GETACL, LISTRIGHTS and MYRIGHTS (RFC 4314). The owner's
 * rights are not in the list, and cannot be changed, so nobody can be locked out
 * of a folder of their own.
 */
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "imapd/commands.h"
#include "imapd/enabled.h"
#include "imapd/rights.h"
#include "imaptext/imaptext.h"

#define NOBODY "NO [CANNOT] There is no such user."

static void put_text(struct session *s, struct buf *out, const char *text)
{
	if (enabled(s, ENABLED_NAMES_UTF8))
		imap_put_utf8(out, text, strlen(text));
	else
		imap_put_string(out, text, strlen(text));
}

void acl_put_myrights(struct session *s, const char *name, unsigned rights,
		      struct buf *out)
{
	buf_puts(out, "* MYRIGHTS ");
	session_put_name(s, out, name);
	buf_putc(out, ' ');
	acl_put(out, rights);
	buf_puts(out, rights ? "\r\n" : "\"\"\r\n");
}

/* The folder, which exists. */
static bool read_folder(struct session *s, char *name)
{
	int code;

	if (!session_name(s, &s->c.args[0], name))
		return false;
	code = store_exists(s->store, name);
	if (code != ERR_OK)
		session_fail(s, code);
	return code == ERR_OK;
}

void cmd_myrights(struct session *s)
{
	char name[FOLDER_NAME_SIZE];
	unsigned rights;
	int code;

	if (!read_folder(s, name))
		return;
	code = rights_find(s, name, &rights);
	if (code != ERR_OK) {
		session_fail(s, code);
		return;
	}
	buf_reset(&s->out);
	acl_put_myrights(s, name, rights, &s->out);
	stream_put(s->c.io, s->out.data, s->out.len);
	session_reply(s, "OK Myrights completed.");
}

static void put_pair(struct session *s, const char *identifier, unsigned rights)
{
	buf_putc(&s->out, ' ');
	put_text(s, &s->out, identifier);
	buf_putc(&s->out, ' ');
	acl_put(&s->out, rights);
}

void cmd_getacl(struct session *s)
{
	char name[FOLDER_NAME_SIZE];
	struct metadata acl = { 0 };
	unsigned rights;
	int code;

	if (!read_folder(s, name))
		return;
	code = acl_read(s->store, name, &acl);
	if (code != ERR_OK) {
		session_fail(s, code);
		return;
	}
	buf_reset(&s->out);
	buf_puts(&s->out, "* ACL ");
	session_put_name(s, &s->out, name);
	put_pair(s, s->user, ACL_ALL);
	for (size_t i = 0; i < acl.n; i++)
		if (acl_parse(acl.entry[i].value, &rights))
			put_pair(s, acl.entry[i].name, rights);
	buf_puts(&s->out, "\r\n");
	metadata_free(&acl);
	stream_put(s->c.io, s->out.data, s->out.len);
	session_reply(s, "OK Getacl completed.");
}

/* A list entry as accountd knows it; *WHY says that the client named nobody.
 * The sign stays. Gives a code. */
static int find_identifier(struct session *s, const char *text, char *out)
{
	const bool minus = *text == '-';
	char name[ACCOUNT_USER_SIZE];
	int code = share_add(&s->share, text + minus, name);

	if (code == ERR_OK)
		snprintf(out, ACL_IDENTIFIER_SIZE, "%s%s", minus ? "-" : "",
			 name);
	return code;
}

static bool is_owner(const struct session *s, const char *identifier)
{
	return str_equal(identifier + (*identifier == '-'), s->user);
}

/* Nobody has to look at these folders for IDENTIFIER, if this was the last. */
static void forget(struct session *s, const char *identifier)
{
	struct metadata all = { 0 };

	if (*identifier != '-' && acl_identifiers(s->store, &all) == ERR_OK &&
	    !metadata_find(&all, identifier))
		share_remove(&s->share, identifier);
	metadata_free(&all);
}

void acl_forget(struct session *s, const struct metadata *acl)
{
	for (size_t i = 0; i < acl->n; i++)
		forget(s, acl->entry[i].name);
}

/* Is IDENTIFIER in the folder's list as it is written? Its user may be gone. */
static bool is_listed(struct session *s, const char *name,
		      const char *identifier)
{
	struct metadata acl = { 0 };
	bool found = acl_read(s->store, name, &acl) == ERR_OK &&
		     metadata_find(&acl, identifier);

	metadata_free(&acl);
	return found;
}

/* Takes rights away. Who is not in the list has none that could be taken. */
static int take(struct session *s, const char *name, const char *text, char how,
		unsigned rights)
{
	char identifier[ACL_IDENTIFIER_SIZE];
	int code = ERR_OK;

	if (is_listed(s, name, text))
		str_copy(identifier, sizeof(identifier), text);
	else
		code = find_identifier(s, text, identifier);
	if (code != ERR_OK)
		return code == ERR_NOT_FOUND ? ERR_OK : code;
	if (is_owner(s, identifier))
		return ERR_UNSUPPORTED;
	code = acl_change(s->store, name, identifier, how, rights);
	if (code == ERR_OK)
		forget(s, identifier);
	return code;
}

/* First accountd is told, then the list is changed: in between nothing is
 * granted. */
static int grant(struct session *s, const char *name, const char *text,
		 char how, unsigned rights)
{
	char identifier[ACL_IDENTIFIER_SIZE];
	int code = find_identifier(s, text, identifier);

	if (code != ERR_OK)
		return code == ERR_NOT_FOUND ? ERR_SYNTAX : code;
	if (is_owner(s, identifier))
		return ERR_UNSUPPORTED;
	return acl_change(s->store, name, identifier, how, rights);
}

static void change(struct session *s, const char *name, char how,
		   unsigned rights, const char *done)
{
	const char *identifier = s->c.args[1].s;
	bool grants = how != '-' && rights;
	int code = ERR_UNSUPPORTED;

	/* the name would be two levels (RFC 2342 section 5) */
	if (!strchr(s->user, '/'))
		code = grants ? grant(s, name, identifier, how, rights)
			      : take(s, name, identifier, how, rights);
	if (code == ERR_SYNTAX)
		session_reply(s, NOBODY);
	else if (code == ERR_UNSUPPORTED)
		session_reply(s, "NO [CANNOT] The owner has all rights, "
				 "always.");
	else if (code != ERR_OK)
		session_fail(s, code);
	else
		session_reply(s, "OK %s completed.", done);
}

/* "[+-]letters" (RFC 4314 section 3.1) */
static bool read_rights(struct session *s, const struct arg *a, char *how,
			unsigned *rights)
{
	const char *text = arg_astring(a);

	if (!text)
		return conn_bad(&s->c, "Rights are missing.");
	*how = *text == '+' || *text == '-' ? *text++ : '=';
	return acl_parse(text, rights) ||
	       conn_bad(&s->c, "Not among the rights " ACL_LETTERS "cd.");
}

static bool read_identifier(struct session *s)
{
	const char *text = arg_astring(&s->c.args[1]);

	return (text && acl_is_identifier(text)) ||
	       conn_bad(&s->c, "Not an identifier.");
}

void cmd_setacl(struct session *s)
{
	char name[FOLDER_NAME_SIZE], how = '=';
	unsigned rights = 0;

	if (read_identifier(s) &&
	    read_rights(s, &s->c.args[2], &how, &rights) &&
	    read_folder(s, name))
		change(s, name, how, rights, "Setacl");
}

void cmd_deleteacl(struct session *s)
{
	char name[FOLDER_NAME_SIZE];

	if (read_identifier(s) && read_folder(s, name))
		change(s, name, '=', 0, "Deleteacl");
}

/* None are tied together, and all are the owner's already. */
static void put_possible(struct session *s, bool owner)
{
	struct buf all;

	buf_init(&all, 64);
	acl_put(&all, ACL_ALL);
	if (owner)
		buf_printf(&s->out, " %s", all.data);
	else
		buf_puts(&s->out, " \"\"");
	for (size_t i = 0; !owner && i < all.len; i++)
		buf_printf(&s->out, " %c", all.data[i]);
	buf_free(&all);
}

void cmd_listrights(struct session *s)
{
	char name[FOLDER_NAME_SIZE];

	if (!read_identifier(s) || !read_folder(s, name))
		return;
	buf_reset(&s->out);
	buf_puts(&s->out, "* LISTRIGHTS ");
	session_put_name(s, &s->out, name);
	buf_putc(&s->out, ' ');
	put_text(s, &s->out, s->c.args[1].s);
	put_possible(s, is_owner(s, s->c.args[1].s));
	buf_puts(&s->out, "\r\n");
	stream_put(s->c.io, s->out.data, s->out.len);
	session_reply(s, "OK Listrights completed.");
}
