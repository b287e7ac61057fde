/* What the files of lib/mailbox know about a store beyond store.h. */
#ifndef MAILBOX_PRIVATE_H
#define MAILBOX_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "client/decoder.h"
#include "index/disk.h"
#include "mailbox/mailbox.h"
#include "mailbox/store.h"
#include "maildir/maildir.h"

#define DISK_NAME_SIZE 256 /* of a folder's directory, with the NUL */

/* Files in the Maildir itself, posthorn-mailbox(5). */
#define DISK_COUNTER "posthorn-uidvalidity"
#define DISK_USER_LOCK "posthorn-user-lock"
#define DISK_QUOTA_LOCK "posthorn-quota-lock"
#define DISK_USES "posthorn-special-use"
#define DISK_AUTOCREATED "posthorn-autocreated"
#define DISK_WARNED "posthorn-quota-warned"
#define DISK_SUBSCRIPTIONS MAILDIR_SUBSCRIPTIONS
#define DISK_METADATA_ACCOUNT "posthorn-metadata-account"

/* And in the directory of each folder. */
#define DISK_METADATA "posthorn-metadata"
#define DISK_ACL "posthorn-acl"

struct store {
	char *path;
	int dir;  /* the Maildir */
	int lock; /* the user's lock file, or -1 while not needed */
	int quota_lock; /* the same */
	messages_opener *opener; /* of the messages of its folders */
	const struct decoders *decoders; /* or NULL */
	uint64_t asker; /* for whom texts are made */
};

/* The directory's name for the folder NAME: "." for INBOX, else ".Name.Sub".
 * ERR_SYNTAX, ERR_TOO_LONG. */
int disk_name(const char *name, char out[DISK_NAME_SIZE]);

/* The folder's name for the directory DISK (".Name.Sub"); false if that is
 * not what disk_name would make. */
bool disk_name_read(const char *disk, char *out, size_t size);

/* Other programs also write names in UTF-8 as they are: this reads such a one,
 * if it is not what disk_name would make. */
bool disk_name_read_plain(const char *disk, char *out, size_t size);

/* As disk_name, for a folder that may be there in the Maildir DIR: if it is not
 * under that name, but under one in UTF-8, that is given. */
int disk_name_in(int dir, const char *name, char out[DISK_NAME_SIZE]);

/* The user's lock, for operations on several folders. */
int store_lock(struct store *s) MUST_CHECK;
void store_unlock(struct store *s);

/* A UIDVALIDITY that no folder of this user ever had. Takes the user's lock
 * for a moment, so the caller must not hold a folder's lock. */
int store_next_uidvalidity(struct store *s, uint32_t *validity) MUST_CHECK;

/* Replaces the small file NAME in the directory DIR by TEXT, durably. */
int store_replace_file(int dir, const char *name, const char *text,
		       size_t n) MUST_CHECK;

/* Makes cur, new, tmp and (for a folder other than INBOX) maildirfolder in
 * the directory DIR where they are missing. */
int store_make_dirs(int dir, bool inbox) MUST_CHECK;

/* Removes the directory NAME in DIR and what is in it, three levels deep. */
void store_remove_tree(int dir, const char *name);

/* Names of all folders but INBOX. */
struct strlist;
int store_names(struct store *s, struct strlist *l) MUST_CHECK;

/* The special use of the folder NAME, or NULL, into *USE. */
int store_special_use(struct store *s, const char *name,
		      const char **use) MUST_CHECK;

/* Is the folder NAME below PARENT? */
bool store_is_below(const char *name, const char *parent);

/* mailbox_open of the directory DISK of the Maildir. */
int mailbox_open_dir(struct store *s, const char *disk, bool read_only,
		     struct mailbox **m) MUST_CHECK;

/* The counts of an open folder. */
void mailbox_totals(const struct mailbox *m, struct totals *t);

#endif
