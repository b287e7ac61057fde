/*
 * Access lists (RFC 4314): what others may do in a user's folders. Each
 * folder's is in a small file in its directory (posthorn-mailbox(5)), so it
 * follows the folder when it is renamed and ends with it. A new folder gets
 * that of the nearest level above it.
 *
 * The owner, who is not in the list, may do everything, always. Others may do
 * what the entries of their name and of ACL_ANYONE grant together, without what
 * the entries of these names with '-' before them take away.
 */
#ifndef MAILBOX_ACL_H
#define MAILBOX_ACL_H

#include <stdbool.h>

#include "base/buf.h"
#include "mailbox/metadata.h"
#include "mailbox/store.h"

enum acl_right {
	ACL_LOOKUP = 1 << 0, /* "l" … */
	ACL_READ = 1 << 1,
	ACL_SEEN = 1 << 2,
	ACL_WRITE = 1 << 3,
	ACL_INSERT = 1 << 4,
	ACL_POST = 1 << 5,
	ACL_CREATE = 1 << 6,
	ACL_DELETE_FOLDER = 1 << 7,
	ACL_DELETE = 1 << 8,
	ACL_EXPUNGE = 1 << 9,
	ACL_ADMIN = 1 << 10
};
#define ACL_LETTERS "lrswipkxtea" /* by bit */
#define ACL_ALL ((1u << 11) - 1)

/* With none of these a folder must look as if it did not exist. */
#define ACL_KNOWS                                                              \
	(ACL_LOOKUP | ACL_READ | ACL_INSERT | ACL_CREATE | ACL_DELETE_FOLDER | \
	 ACL_ADMIN)

#define ACL_ANYONE "anyone"
#define ACL_IDENTIFIER_SIZE 322 /* a login name with '-', and the NUL */
#define ACL_ENTRIES_MAX 100

/* Letters as rights; "c" is "kx", "d" is "te" (RFC 4314 section 2.1.1). False:
 * there are others. */
bool acl_parse(const char *letters, unsigned *rights);

/* Appends the letters, with "c" and "d" where any of theirs is there. */
void acl_put(struct buf *out, unsigned rights);

/* Can TEXT be an identifier? */
bool acl_is_identifier(const char *text);

/* The list of FOLDER of S: names are identifiers, values letters. A damaged
 * file is put aside, with a line in the log, and grants nothing. ERR_NOT_FOUND:
 * no such folder; ERR_DENIED, ERR_IO … */
int acl_read(struct store *s, const char *folder,
	     struct metadata *acl) MUST_CHECK;

/* What USER, who is not the owner, may do. */
int acl_rights_in(struct store *s, const char *folder, const char *user,
		  unsigned *rights) MUST_CHECK;

/* HOW is '=', '+' or '-': what becomes of the RIGHTS of IDENTIFIER; 0: it has
 * no entry any more. Durable. ERR_LIMIT: too many entries. */
int acl_change(struct store *s, const char *folder, const char *identifier,
	       char how, unsigned rights) MUST_CHECK;

/* All identifiers of all folders that grant something, as entries of M without
 * values: who has to be told of this user's folders. */
int acl_identifiers(struct store *s, struct metadata *m) MUST_CHECK;

/* The existing folder that is nearest above NAME, into PARENT, which has room
 * for NAME. False: there is none. */
bool acl_parent(struct store *s, const char *name, char *parent);

/* The rest is for lib/mailbox.
 *
 * The folder in DIR, not yet named NAME, gets the list of its parent. */
int acl_inherit(struct store *s, const char *name, int dir) MUST_CHECK;

/* Can the folder's file, in DIR, be read? One that is not there can. */
int acl_check(int dir) MUST_CHECK;

#endif
