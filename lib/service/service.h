/*
 * How every long-running program of the suite begins. main() reads:
 *
 *     service_start(&s, argc, argv, "smtpd");	options, configuration, log,
 *						listening sockets, as root
 *     … read keys and tables that need root or the whole file system …
 *     service_confine(&s, SANDBOX_…);		user, chroot, seccomp
 *     return service_prefork(&s, …) or an event loop of its own.
 *
 * Master gives a program in its environment: POSTHORN_SEALED (a descriptor:
 * the accepted configuration, config_seal), POSTHORN_LISTEN
 * ("name:fd name:fd …"), POSTHORN_USER ("uid:gid" or empty), POSTHORN_CHROOT
 * (folder or empty), POSTHORN_PEERS ("uid uid …"), POSTHORN_READY (a
 * descriptor: service_ready writes a line there), POSTHORN_AGAIN ("yes" if a
 * former instance still serves), POSTHORN_MASTER (a socket: server/link.h).
 * A program that is started by hand reads the configuration from its file.
 *
 * Reload: master starts a second instance with the same sockets. Once it and
 * all others are ready they are let go (service_ready returns), and the first
 * gets SIGTERM: it stops accepting, finishes its connections and exits. If one
 * does not become ready, none is let go. The services marked `in place` in
 * master's table (qmgr, mailbox-feed) get the new configuration instead.
 */
#ifndef SERVICE_SERVICE_H
#define SERVICE_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "config/config.h"
#include "server/link.h"
#include "server/prefork.h"
#include "server/sandbox.h"

#define SERVICE_LISTENERS_MAX 64
#define SERVICE_PEERS_MAX 16

struct service {
	const char *name;
	const char *config_path;
	struct config *config;
	struct prefork_listener listener[SERVICE_LISTENERS_MAX];
	size_t nlisteners;
	uid_t uid; /* the user to become; our own if master gave none */
	gid_t gid;
	const char *chroot; /* or NULL */
	unsigned peer[SERVICE_PEERS_MAX];
	size_t npeers;
	int ready_fd; /* or -1 */
	struct link link; /* with master */
	bool again; /* a former instance serves until we are ready: one that
		     * cannot do better than that exits */
};

/* Parses `-c FILE`, `--help`, `--version`; takes the configuration (ends with
 * EX_CONFIG and all faults on standard error and in the log), opens the log,
 * collects sockets, ignores SIGPIPE, sets the umask to 077, points ipc at the
 * private folder. A program started by hand without sockets ends with a
 * message that says to use `posthorn start`. */
void service_start(struct service *s, int argc, char **argv, const char *name);

/* No service outlives master, or the next master would find its ports in use:
 * the end of master sends us SIGINT, as when it stops the suite, so sessions
 * get only a short grace time. A change of user undoes this, so a program that
 * changes it without service_confine calls this afterwards. */
void service_follow_master(void);

/* chroot, user, limits, seccomp with RIGHTS; ipc then looks in the chroot.
 * Nothing from outside may be read before this. */
void service_confine(struct service *s, unsigned rights);

/* The listener called NAME, or NULL. */
const struct prefork_listener *service_listener(const struct service *s,
						const char *name);

/* Tells master that we can serve, and waits until it says that we may: nothing
 * is accepted before. Ends the process if we are not wanted because a reload
 * was refused. Idempotent. */
void service_ready(struct service *s);

/* The configuration that came over S's link, for a program that reloads in
 * place. The caller owns it, and its debug_log is in force. NULL if it cannot
 * be used, which is logged. */
struct config *service_fresh_config(struct service *s);

/* service_watchdog_timeout, for server/watch.h. */
int64_t service_patience_ms(const struct config *c);

/* For client_max in struct prefork: how many of MAX connections one client may
 * have, by smtpd_client_connection_count_limit, and never more than a quarter
 * of them; 0: no limit. The second one is that quarter, for a socket that
 * always has a limit. */
int service_client_max(const struct config *c, int max);
int service_client_quarter(int max);

/* Runs P over all listeners of S (fills listeners and peers, calls
 * service_ready), see server/prefork.h. */
int service_prefork(struct service *s, struct prefork *p);

#endif
