/*
 * Is the journal what we wrote last? A note in the lock file says which
 * journal that was, how far it went, and when the note was written. A backup
 * restored over the folder brings back note and journal, and the times of
 * files and directories; but not the time at which the lock file last changed
 * (ctime), which nobody can set. So the journal is not the one in the note, or
 * the note is older than its file; or, if the backup is but a moment old, the
 * file has a time of writing (mtime) that was set.
 *
 * Who else changes the lock file's ctime (chown -R, touch, a move to another
 * host, hard links as a backup) causes a false alarm. That costs the folder
 * some numbers, and its clients a look at all flags, once; never its
 * UIDVALIDITY. A restore without times (cp -r) within a second of the last
 * change looks like our own write.
 */
#ifndef INDEX_NOTE_H
#define INDEX_NOTE_H

#include "base/err.h"

struct folder;
struct stat;

/* The lock was taken on the lock file, which is as in ST. If it changed since
 * the last check, F is to be checked. */
void note_locked(struct folder *f, const struct stat *st);

/* Under the lock, with the journal open. If the journal is an older one, or
 * shorter than it was, F is `regressed`: numbers go on above all that are known
 * to have been given out, from the high-water mark or the names of files. If
 * these cannot be read, none may be given out. */
int note_check(struct folder *f) MUST_CHECK;

/* After each change of the journal, under the lock. If the note cannot be
 * written, the next check gives a false `restored`. */
void note_put(struct folder *f);

#endif
