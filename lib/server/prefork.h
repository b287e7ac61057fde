/*
 * A parent and its children: each child waits on the listening sockets,
 * accepts one connection, serves it from top to bottom, and comes back. The
 * parent never touches a connection. It keeps some children idle ahead of
 * need, up to a maximum, replaces those that end, and lets surplus ones go.
 *
 * A child that returns false from serve has taken on a user's rights (or
 * wants to end): it exits and is replaced.
 *
 * Ending: on SIGTERM the parent retires: no new connections, open ones are
 * finished, however long that takes (a newer instance is already serving). On
 * SIGINT it stops: children are asked to end, and killed after a grace time.
 * SIGQUIT ends at once. If the parent dies, idle children notice and end.
 *
 * A child that gives no sign of life (base/heartbeat.h) for patience_ms is
 * killed and replaced, and master is told. Its client has to try again.
 */
#ifndef SERVER_PREFORK_H
#define SERVER_PREFORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct link;
struct sockaddr_storage;

#define PREFORK_POOR_MS 30000

struct prefork_listener {
	const char *name; /* as in the service table, e.g. "smtp" */
	int fd;
	bool ipc; /* a packet socket of ours: peers' uids are checked … */
	bool open_to_all; /* … unless it is in the public folder */
};

struct prefork {
	const struct prefork_listener *listener;
	size_t nlisteners;
	int spare;	/* idle children kept ahead of need, at least 1 */
	int max;	/* most children, or connections served at once */
	int client_max; /* … for one IP address (IPv6: one /64), or one user
			 * other than root on a socket that is open to all, so
			 * that no client keeps all others out; or for one
			 * logged-in user, see prefork_claim; 0: no limit */
	int pair_max;	/* … for one logged-in user from one address */
	const char *refusal; /* sent to a client beyond that; or NULL */
	size_t nrefusal;     /* bytes of it, if it is not a string */
	bool (*is_proxy)(void *context, int fd); /* does its client speak for
						  * others? It is not counted;
						  * see prefork_claim_client */
	bool sheds; /* while all are busy, silent strangers make room for
		     * others (server/shed.h) */
	int uses;    /* connections until a child is renewed, 0: no limit */
	int grace_s; /* time to finish after SIGINT */
	const unsigned *peer_uids; /* which users may use ipc listeners */
	size_t npeers;
	struct link *link; /* with master, which the parent answers; or NULL */
	int64_t patience_ms; /* a child that gives no sign of life for so long
			      * is killed (server/watch.h); 0: none is */
	const char *poor; /* what this instance lacks, such as a file that it
			   * could not use: it retires after PREFORK_POOR_MS,
			   * so that master starts another, which may have
			   * it; or NULL. Only with a link */
	void *context;

	/* In each child once, after the fork, before the first connection;
	 * may be NULL. */
	void (*child_start)(void *context);

	/* Serves FD, which came in on LISTENER, and closes it. True: ready
	 * for the next one. */
	bool (*serve)(void *context, const struct prefork_listener *listener,
		      int fd);

	/* Work beside the connections: runs in a separate child, which is
	 * replaced when it ends, and gets SIGTERM when it is to stop; or
	 * NULL. */
	void (*aside)(void *context);
};

/* Runs until stopped. Gives the exit status of the parent. */
int prefork_run(const struct prefork *p);

/* Ends listening on the N listeners at L, for all processes that still have
 * them: master is gone, and the next one wants their ports. */
void prefork_abandon(const struct prefork_listener *l, size_t n);

/* In a child: the connection FD is that of the client at ADDRESS, for whom a
 * proxy speaks. False: it already has client_max of them, was told so, and FD is
 * closed. */
bool prefork_claim_client(int fd, const struct sockaddr_storage *address);

/* In a child: from now on the connection counts for the user NAME, whatever
 * address it comes from, and for NAME at the address CLIENT. False: NAME
 * already has client_max of them, or pair_max from there, with those that are
 * ELSEWHERE, without a process. If ELSEWHERE is NULL the connection was counted
 * before, and is not refused. (The odds that two names share a number are 1 in
 * 2^64.) */
struct prefork_elsewhere {
	unsigned user;
	unsigned pair;
};
bool prefork_claim(const char *name, const char *client,
		   const struct prefork_elsewhere *elsewhere);

/* In a child. A session with a client polls the first descriptor beside its
 * own: it becomes readable when the suite stops, and the session then ends
 * (421, BYE). A connection from another program of ours, which can be made
 * again at once, polls the second: it also becomes readable when this instance
 * retires. */
int prefork_stop_fd(void);
int prefork_retire_fd(void);

/* In a child that is about to become a user's, who must not reach what others
 * depend on: it leaves the scoreboard, on which it stays busy, and is not
 * watched. It closes all descriptors but the KEEP[N], the log's, and those of
 * prefork_stop_fd and prefork_retire_fd, and can serve nothing more that its
 * listeners bring. In a child of such a child it does the same. */
void prefork_leave(const int *keep, size_t n);

/* In a child: how many more connections could be accepted now, of *MOST in
 * all. */
int prefork_room(int *most);

/* Is prefork_stop_fd readable? */
bool prefork_stopping(void);

/* Waits for the next request on FD, a connection of another program of ours:
 * ERR_OK when there is one (or the end of it), ERR_TIMEOUT after MS (-1: no
 * limit), ERR_EOF when this instance retires and FD is quiet. */
int prefork_await(int fd, int ms);

/* Serves FD, such a connection: ANSWER gets each packet, until it is false, the
 * connection ends, nothing comes for MS, or this instance retires. Closes FD. */
struct ipc_in;
void prefork_packets(int fd, int ms,
		     bool (*answer)(void *context, struct ipc_in *in, int fd),
		     void *context);

#endif
