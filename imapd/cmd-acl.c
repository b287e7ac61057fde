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
#include "mime/encode.h"

#define NOBODY "NO [CANNOT] There is no such user"
#define OWNER "NO [CANNOT] The owner has all rights, always."

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

/* A list entry as accountd knows it; the sign stays. GRANTS: its user is to find
 * these folders. Gives a code; ERR_NOT_FOUND: there is no such user. */
static int find_identifier(struct session *s, const char *text, bool grants,
			   char *out)
{
	const bool minus = *text == '-';
	char name[ACCOUNT_USER_SIZE];
	int code = grants && !minus ? share_add(&s->share, text, name)
				    : share_find(&s->share, text + minus, name);

	if (code == ERR_OK)
		snprintf(out, ACL_IDENTIFIER_SIZE, "%s%s", minus ? "-" : "",
			 name);
	return code;
}

static bool is_owner(const struct session *s, const char *identifier)
{
	return str_equal(identifier + (*identifier == '-'), s->user);
}

/* Does a list of any folder grant something to IDENTIFIER? If that cannot be
 * read, it may. */
static bool is_anywhere(struct session *s, const char *identifier)
{
	struct metadata all = { 0 };
	bool found = acl_identifiers(s->store, &all) != ERR_OK ||
		     metadata_find(&all, identifier);

	metadata_free(&all);
	return found;
}

/* Nobody has to look at these folders for IDENTIFIER, if this was the last.
 * Another session may have granted something since: so it is looked at again,
 * and grant() tells accountd a second time. */
static void forget(struct session *s, const char *identifier)
{
	char name[ACCOUNT_USER_SIZE];

	identifier += *identifier == '-';
	if (is_anywhere(s, identifier))
		return;
	share_remove(&s->share, identifier);
	if (is_anywhere(s, identifier))
		err_ignore(share_add(&s->share, identifier, name));
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

/* Takes rights away. Who is not in the list has none that could be taken:
 * *IDENTIFIER is then "". */
static int take(struct session *s, const char *name, const char *text, char how,
		unsigned rights, char *identifier)
{
	int code = ERR_OK;

	*identifier = '\0';
	if (is_listed(s, name, text))
		str_copy(identifier, ACL_IDENTIFIER_SIZE, text);
	else
		code = find_identifier(s, text, false, identifier);
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
 * granted. And once more, since another session may have taken the last right
 * away meanwhile. */
static int grant(struct session *s, const char *name, const char *text,
		 char how, unsigned rights, char *identifier)
{
	int code = find_identifier(s, text, true, identifier);

	if (code != ERR_OK)
		return code == ERR_NOT_FOUND ? ERR_SYNTAX : code;
	if (is_owner(s, identifier))
		return ERR_UNSUPPORTED;
	code = acl_change(s->store, name, identifier, how, rights);
	if (code == ERR_OK)
		code = find_identifier(s, identifier, true, identifier);
	return code;
}

/* May NAME be in the text of a reply (RFC 3501 section 9)? */
static bool is_plain(const char *name)
{
	return mime_count_8bit(name, strlen(name), 1) == 0;
}

/* Whom the client named, if not by the whole name: a bare one may be another
 * person's than the one that is meant. */
static void tell_done(struct session *s, const char *done, const char *text,
		      const char *identifier)
{
	if (!*identifier)
		session_reply(s,
			      "OK %s completed: who was named is not in the "
			      "list.",
			      done);
	else if (!str_equal(text, identifier) && is_plain(identifier))
		session_reply(s, "OK %s completed, of %s.", done, identifier);
	else
		session_reply(s, "OK %s completed.", done);
}

/* Users that have a domain are named with it. */
static void tell_nobody(struct session *s, const char *text)
{
	if (strchr(s->user, '@') && !strchr(text, '@') && is_plain(s->user))
		session_reply(s,
			      NOBODY ": name users with their domain, as "
				     "%s.",
			      s->user);
	else
		session_reply(s, NOBODY ".");
}

static void change(struct session *s, const char *name, char how,
		   unsigned rights, const char *done)
{
	const char *text = s->c.args[1].s;
	char identifier[ACL_IDENTIFIER_SIZE];
	bool grants = how != '-' && rights;
	int code = ERR_UNSUPPORTED;

	/* the name would be two levels (RFC 2342 section 5) */
	if (strchr(s->user, '/'))
		session_reply(s, "NO [CANNOT] The folders of a user with a / "
				 "in the name cannot be opened.");
	else
		code = grants ? grant(s, name, text, how, rights, identifier)
			      : take(s, name, text, how, rights, identifier);
	if (code == ERR_SYNTAX)
		tell_nobody(s, text);
	else if (code == ERR_UNSUPPORTED)
		session_reply(s, OWNER);
	else if (code != ERR_OK)
		session_fail(s, code);
	else
		tell_done(s, done, text, identifier);
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
	char name[FOLDER_NAME_SIZE], identifier[ACL_IDENTIFIER_SIZE];
	int code;

	if (!read_identifier(s) || !read_folder(s, name))
		return;
	code = find_identifier(s, s->c.args[1].s, false, identifier);
	if (code == ERR_NOT_FOUND) {
		tell_nobody(s, s->c.args[1].s);
		return;
	}
	if (code != ERR_OK) {
		session_fail(s, code);
		return;
	}
	buf_reset(&s->out);
	buf_puts(&s->out, "* LISTRIGHTS ");
	session_put_name(s, &s->out, name);
	buf_putc(&s->out, ' ');
	put_text(s, &s->out, s->c.args[1].s);
	put_possible(s, is_owner(s, identifier));
	buf_puts(&s->out, "\r\n");
	stream_put(s->c.io, s->out.data, s->out.len);
	session_reply(s, "OK Listrights completed.");
}
