/*
 * The table of services: their names, the users they run as, their root
 * directories, the sockets on which they listen, and who may connect to them.
 */
#ifndef MASTER_SERVICES_H
#define MASTER_SERVICES_H

#include <stdbool.h>
#include <stddef.h>

/* Users that programs run as. Bits, so that they can stand for peers. */
enum user {
	USER_ROOT = 1 << 0,
	USER_NET = 1 << 1,
	USER_QUEUE = 1 << 2,
	USER_CHECK = 1 << 3,
	USER_ACCOUNT = 1 << 4,	/* root, if local_users is yes */
	USER_TLS = 1 << 5,
	USER_MAIL = 1 << 6,	/* of virtual users' sessions, never a peer */
	USER_DECODER = 1 << 7	/* likewise */
};

enum {
	FLAG_CHROOT = 1 << 0,	/* its root directory is the private folder */
	FLAG_IN_PLACE = 1 << 1,	/* reloads in place, since there must never
				 * be two of it */
	FLAG_NEEDS_TLS = 1 << 2,	/* only if there is a certificate */
	FLAG_NEEDS_DECODERS = 1 << 3	/* only if there are commands for it */
};

/* Order of starting; stopping is the reverse. */
enum stage { STAGE_HELPERS, STAGE_QUEUE, STAGE_DELIVERY, STAGE_DOORS };

#define SOCKETS_MAX 3

enum socket_kind {
	SOCKET_NONE,
	SOCKET_PRIVATE,	/* run_directory/private/NAME, packets */
	SOCKET_PUBLIC,	/* run_directory/NAME, packets, for everybody */
	SOCKET_TCP,	/* on the port in the parameter */
	SOCKET_STREAM	/* a Unix stream at the path in the parameter */
};

struct service_socket {
	const char *name;
	enum socket_kind kind;
	const char *param;
};

struct service_row {
	const char *name;
	const char *program;
	enum stage stage;
	enum user user;
	unsigned flags;
	struct service_socket socket[SOCKETS_MAX];
	unsigned peers;		/* users who may use its private sockets */
};

extern const struct service_row service_rows[];
extern const size_t service_count;

/* Is what ROW needs configured? Else it is not started, and its user need not be
 * there. */
struct config;
bool service_is_needed(const struct service_row *row, const struct config *c);

/* The parameter that names a user. */
const char *service_user_param(enum user user);

#endif
