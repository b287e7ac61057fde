/*
 * The real qmgr between a receiver and deliverers of the test's own, in a
 * folder of its own. Local mail (local.test) and all other each have a
 * deliverer, which writes down every recipient of every job in `record`, one
 * line each, and does what the recipient's name says: ok…, defer…, away…
 * (deferred for want of a part of our own), fail…,
 * down… (the destination cannot be reached), list (expanded to two that are
 * ok and to itself), loopN (expanded to the next N), die… (the deliverer ends
 * without an answer).
 *
 * A test that uses it names t/lib/bed.c behind "link:".
 */
#ifndef T_LIB_BED_H
#define T_LIB_BED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "qmgr/admin.h"
#include "qmgr/receive.h"

extern struct bed {
	char dir[256];
	char *program;
	char *public; /* the socket for administrators */
	char *log;    /* qmgr's, a file */
	char *record; /* "ID from=<…> to=<…> dest=… CONTENT...SIZE" */
	const char *preload; /* a library that qmgr is to load, or NULL */
	int qmgr_sock, public_sock;
	int link; /* master's end of the one with qmgr */
	pid_t qmgr, deliverer[2];
} bed;

/* Makes the folder, starts all, and gives a receiver when qmgr serves. NULL,
 * with the line that prove(1) wants for a test that is skipped, if qmgr is not
 * built. */
struct queue_receiver *bed_begin(void);

/* Ends R and all else; removes the folder, unless KEEP is in the
 * environment. */
void bed_end(struct queue_receiver *r);

/* qmgr dies, by SIG, and comes back on the same sockets. */
void bed_end_qmgr(int sig);
void bed_start_qmgr(void);

/* As master does it, with what is in the file now. */
bool bed_reload_qmgr(void);

/* Sends a message of about SIZE bytes whose subject is MARK to the recipients
 * in TO, separated by blanks, each with NOTIFY. */
int bed_post_from(struct queue_receiver *r, const char *sender,
		  const char *mark, const char *to, size_t size,
		  unsigned notify);
/* The same, small, from sender@remote.test. */
int bed_post(struct queue_receiver *r, const char *mark, const char *to);

/* Writes a message to TO into FD, the file of slot NUMBER, which had none
 * before: it is as good as promised. */
bool bed_write(int fd, uint32_t number, const char *to);

/* Messages in the queue; -1 while qmgr cannot say. */
int64_t bed_in_queue(void);

/* How often TEXT is in the file PATH. */
int bed_occurs(const char *path, const char *text);

/* The content of the file PATH, to be freed. */
char *bed_slurp(const char *path);

void bed_forget_record(void);

/* Waits until GOOD(ARG), for a minute at most: false then. */
bool bed_wait(bool (*good)(const void *), const void *arg);

/* To be waited for. */
bool bed_is_empty(const void *none);	/* the queue is */
bool bed_is_recorded(const void *text); /* within a line of the record */
bool bed_tried_twice(const void *text); /* is in two of them */
bool bed_is_logged(const void *text);
bool bed_has_messages(const void *n); /* an int64_t: so many in the queue */

#endif
