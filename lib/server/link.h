/*
 * A service's end of the socket that connects it with master. Master asks
 * there whether the service is alive (`ping`, `pong`), lets a new instance
 * begin (`go`), and hands over what cannot be opened again: the log (`log`)
 * and an accepted configuration (`reload`). The service reports there that a
 * process of its own hung (`hung`) or that it cannot go on (`give-up`). See
 * posthorn-protocol(7).
 */
#ifndef SERVER_LINK_H
#define SERVER_LINK_H

#include <stdbool.h>

struct link {
	int fd;	       /* -1: master gave none, or it is gone */
	int config_fd; /* of the last `reload`, until it is taken; or -1 */
};

enum link_word {
	LINK_QUIET,    /* nothing more to read */
	LINK_ANSWERED, /* a ping, or the log: it is dealt with */
	LINK_GO,
	LINK_RELOAD, /* config_fd is new */
	LINK_ENDED   /* the other end is gone; fd is closed */
};

/* Takes one packet if one is there. Never waits. */
enum link_word link_read(struct link *l);

/* Waits until master says that this instance may begin. False: it is not
 * wanted, and must exit. True at once without a link. */
bool link_wait_for_go(struct link *l);

/* For a child of the service: only the parent uses the link. */
void link_close(struct link *l);

/* To master: a process of the service hung, and is being killed. */
void link_hung(const struct link *l);

/* To master: the service cannot go on, and all its processes are to be killed.
 * WHY is for people. */
void link_give_up(const struct link *l, const char *why);

/* To master: WHY the service is about to end by itself. */
void link_last_words(const struct link *l, const char *why);

/* Master's end. Each of these is a packet that is sent without waiting. */

/* Is it alive? False: the peer takes nothing, or is gone; so for the next. */
bool link_ping(int sock);

/* It may begin. */
bool link_go(int sock);

/* Lines go to TARGET from now on; if that is a file it is open at LOG_FD, else
 * that is -1. */
bool link_log(int sock, const char *target, int log_fd);

/* Another configuration was accepted, CONFIG_FD. */
bool link_reload(int sock, int config_fd);

struct link_heard {
	bool alive;    /* there was a pong */
	int hung;      /* how many processes of the service hung */
	bool gives_up; /* for the reason in: */
	char why[400]; /* why it gives up, or ends; or empty */
};

/* Takes what has come in on SOCK. Lines of a stack are logged as those of
 * NAME. False: the peer has closed. */
bool link_hear(int sock, const char *name, struct link_heard *heard);

#endif
