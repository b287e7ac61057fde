/*
 * All folders of one user: a Maildir++ on disk. INBOX is the Maildir itself,
 * a folder Name/Sub is the directory ".Name.Sub" in it, with its name in
 * modified UTF-7, as Courier and Dovecot have it. posthorn-mailbox(5).
 *
 * Names here are UTF-8 with '/' between levels; a first level "INBOX" in any
 * case is INBOX.
 * A '.' within a level is kept on disk as "&AC4-". A directory whose name is
 * not what we would write for it is not listed.
 *
 * Every file is reached from the Maildir's descriptor without following
 * links. Calls give a code of base/err.h.
 */
#ifndef MAILBOX_STORE_H
#define MAILBOX_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/folder-id.h"
#include "client/quota.h"

#define STORE_NAME_MAX 200 /* bytes of a folder's name on disk */

struct store;

/* Opens the Maildir at the absolute PATH. With CREATE it is made if missing,
 * parents too (mode 0700). ERR_NOT_FOUND, ERR_DENIED, ERR_NO_SPACE, ERR_IO. */
int store_open(const char *path, bool create, struct store **s) MUST_CHECK;
void store_close(struct store **s);

/* With these commands text of attachments is made (client/decoder.h), in folders
 * that are opened from now on, and asked for as for the user ASKER, a number. D
 * must outlive S. */
struct decoders;
void store_set_decoders(struct store *s, const struct decoders *d,
			uint64_t asker);

/* Is there another Maildir, or none, at its path now? Then what is written to
 * the open one will not be found. */
bool store_is_moved(const struct store *s);

/* One row of a listing. Strings live as long as the list. */
struct store_folder {
	char *name;
	bool exists; /* false: only a parent level, or only subscribed */
	bool subscribed;
	bool has_children;
	const char *special_use; /* "\\Sent" … (RFC 6154), or NULL */
};

struct store_list {
	struct store_folder *folder;
	size_t n;
};

/* All folders and subscribed names, levels above them, sorted by name with
 * INBOX and what is below it first. */
int store_list(struct store *s, struct store_list *l);

/* The same as VISITOR may see it (acl.h), who has subscribed to SUBSCRIBED.
 * Special uses are the owner's. */
struct strlist;
int store_list_for(struct store *s, const char *visitor,
		   const struct strlist *subscribed, struct store_list *l);
void store_list_free(struct store_list *l);

/* What the row of NAME would be, but without its name: for the time of reading
 * the directory, where many folders make a list dear. */
int store_folder(struct store *s, const char *name,
		 struct store_folder *f) MUST_CHECK;

/* Could NAME be created? ERR_OK; ERR_SYNTAX (empty level, control characters,
 * not UTF-8), ERR_TOO_LONG. */
int store_check_name(const char *name);

/* ERR_OK if the folder is there, else ERR_NOT_FOUND (or as check_name). */
int store_exists(struct store *s, const char *name);

/* The folder's id, as mailbox_id. */
int store_id(struct store *s, const char *name,
	     struct folder_id *id) MUST_CHECK;

/* The folder's token, as mailbox_token, but the caller's to end. */
int store_token(struct store *s, const char *name,
		struct folder_token *t) MUST_CHECK;

/* The calls from here on leave all as it was if they fail, on a full disk, say.
 *
 * Creates a folder. SPECIAL_USE is "\\Sent" and the like, or NULL: then the
 * usual English names (Sent, Drafts, Trash, Junk, Archive) get theirs.
 * ERR_EXISTS, ERR_SYNTAX, ERR_TOO_LONG, ERR_UNSUPPORTED (unknown use). */
int store_create(struct store *s, const char *name, const char *special_use)
	MUST_CHECK;

/* Deletes a folder with its messages; its children stay. INBOX: ERR_DENIED. */
int store_delete(struct store *s, const char *name) MUST_CHECK;

/* Renames a folder and all below it. FROM of INBOX moves its messages to a
 * new folder TO and leaves INBOX empty (RFC 3501 section 6.3.5). Missing
 * levels above TO are not an error. ERR_NOT_FOUND, ERR_EXISTS, ERR_SYNTAX;
 * ERR_UNSUPPORTED: TO is below FROM. */
int store_rename(struct store *s, const char *from, const char *to) MUST_CHECK;

/* A name may be subscribed without existing (RFC 3501 section 6.3.6). */
int store_subscribe(struct store *s, const char *name, bool on) MUST_CHECK;

/* What STATUS reports (RFC 3501 section 6.3.10), at a cost that does not grow
 * with the folder; with SIZES it does, as each message is looked at. */
struct store_status {
	uint32_t messages;
	uint32_t recent;
	uint32_t unseen;
	uint32_t deleted;
	uint32_t uidnext;
	uint32_t uidvalidity;
	uint64_t highestmodseq;
	uint64_t size; /* sum of sizes as sent (RFC 8438); without SIZES the
			* files' sizes count where that is not known */
};
int store_status(struct store *s, const char *name, bool sizes,
		 struct store_status *st);

/* The sum of the sizes of the messages of NAME with \Deleted (RFC 9208 section
 * 4.2.4); each message is looked at. */
int store_deleted_size(struct store *s, const char *name,
		       uint64_t *sum) MUST_CHECK;

/* What all folders hold together, those of this moment, by others and by this
 * process, and the trees that Q has rules for: sizes as sent, or where that is
 * not known the files' sizes. Costs some ten system calls a folder, if no other
 * program was there. */
int store_usage(struct store *s, const struct quota *q,
		struct usage *u) MUST_CHECK;

/* From the first call to the second no other process of the user is between
 * them: what store_usage said is still so when messages are added. Waits 10 s:
 * ERR_BUSY. Nothing is locked but that. */
int store_quota_hold(struct store *s) MUST_CHECK;
void store_quota_release(struct store *s);

/* The folder's name between UTF-8 and modified UTF-7 (RFC 3501 section
 * 5.1.3), '/' unchanged: for the wire. From modified UTF-7, INBOX becomes
 * "INBOX" however it was spelt. False: not valid; OUT is then "". */
bool store_name_to_mutf7(const char *utf8, char *out, size_t size);
bool store_name_from_mutf7(const char *mutf7, char *out, size_t size);

/* The same from UTF-8 (RFC 6855 section 3): no control characters, also not
 * those beyond ASCII, and no separators of lines. */
bool store_name_from_utf8(const char *utf8, char *out, size_t size);

/* UTF8 in normal form C, as names from clients that know Net-Unicode are (RFC
 * 9051 section 5.1). False: it is not UTF-8, or too long. */
bool store_name_to_nfc(const char *utf8, char *out, size_t size);

#endif
