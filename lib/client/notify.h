/*
 * Telling others that a folder changed, and hearing of it: the client of
 * imap-idle. One connection does both. It is opened while the process may
 * still reach the private socket, that is before it becomes the user.
 *
 * All is best effort: without imap-idle nobody is told, mail is not lost,
 * and whoever watches must look for itself now and then.
 *
 * Packets (posthorn-protocol(7)): `changed` dev ino, and `watch` with the
 * folder's directory attached, without it: no longer. imap-idle sends
 * `changed` for the folder watched, the first time at once when the watch has
 * begun: what came before that, the watcher finds by looking then.
 */
#ifndef CLIENT_NOTIFY_H
#define CLIENT_NOTIFY_H

#include <stdbool.h>
#include <sys/types.h>

struct notify;

/* Never NULL; connects now, and again at a later call if that failed. */
struct notify *notify_open(void);
void notify_close(struct notify **n);

/* Says that the folder DEV, INO changed. Never waits. */
void notify_changed(struct notify *n, dev_t dev, ino_t ino);

/* From now on hears of changes of the folder DIRFD (instead of the former;
 * -1: of none). False: imap-idle is away, look for yourself. */
bool notify_watch(struct notify *n, int dirfd);

/* Becomes readable when the watched folder changed, or the connection ended;
 * -1 if there is none. Ask again after each call: it may have changed. */
int notify_fd(const struct notify *n);

/* Takes all that came. False: the connection ended, and with it the watch. */
bool notify_drain(struct notify *n);

#endif
