/*
 * What the sub-commands of posthorn(8) share. Each is a function in a file
 * named after the sub-command, and gives an exit code from <sysexits.h>.
 */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include <stdbool.h>

#include "base/buf.h"
#include "config/config.h"
#include "ipc/ipc.h"
#include "qmgr/admin.h"

struct admin {
	const char *config_path;
	struct config *config; /* NULL if the command loads none */
	bool faulty; /* it, so that run_directory may be another */
	bool json;
	bool help; /* asked for, not an error */
	int argc;  /* the words after the sub-command */
	char **argv;
};

int admin_start(const struct admin *a);
int admin_stop(const struct admin *a);
int admin_reload(const struct admin *a);
int admin_status(const struct admin *a);
int admin_check(const struct admin *a);
int admin_config(const struct admin *a);
int admin_mailbox(const struct admin *a);
int admin_map(const struct admin *a);
int admin_queue(const struct admin *a);
int admin_user(const struct admin *a);
int admin_user_quota(const struct admin *a);
int admin_user_host(const struct admin *a);

/* Asks master VERB. EX_OK with its answer in M; EX_UNAVAILABLE, without a
 * message, if it does not run; otherwise the error was printed. */
int admin_ask_master(const struct admin *a, const char *verb, struct ipc_in *m);

/* Prints that master does not run, and where it was expected; gives
 * EX_UNAVAILABLE. */
int admin_not_running(const struct admin *a);

/* Prints counts of the queue as a JSON object, without a line end. */
void admin_print_stats_json(const struct queue_stats *s);

/* Prints on standard error what posthorn check would say about A's
 * configuration and, if there are faults, that this is DONE anyway. */
void admin_warn(const struct admin *a, const char *done);

/* Prints "posthorn: …" on standard error and gives STATUS. Bytes that are not
 * text are escaped. */
int admin_fail(int status, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The usage of the sub-command: TEXT on standard output and EX_OK if help was
 * asked for, else on standard error and EX_USAGE. */
int admin_usage(const struct admin *a, const char *text);

/* The absolute path of a socket in the public folder; free() it. */
char *admin_socket(const struct admin *a, const char *name);

/* S as a JSON string, quotes included. */
void admin_json_string(struct buf *out, const char *s);

#endif
