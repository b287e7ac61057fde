/*
 * The log: one line per event. Each line goes out in one write. Callers need
 * not care about text from outside: every line is escaped as a whole (control
 * characters, bytes that are not UTF-8), and bounded.
 *
 * Targets: "syslog" (facility mail), "stderr", or the path of a file, which
 * gets lines in syslog's format and is opened for appending. Delivery events
 * have Postfix's format, so that tools made for its logs read ours:
 *     ID: to=<…>, relay=…, delay=…, dsn=2.0.0, status=sent (…)
 */
#ifndef LOG_LOG_H
#define LOG_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define LOG_LINE_MAX 4096 /* bytes of a line, as it is given */

/* Opens TARGET for lines of PROGRAM ("posthorn/smtpd[pid]: "). False, with
 * errno, if a file cannot be opened: lines then go to standard error. Before
 * the call lines go to standard error. Call it before chroot. */
bool log_open(const char *program, const char *target);

/* Programs that gave up their rights cannot reopen the log: master does it for
 * them, and their children have none (log/relay.h). From now on lines go to TARGET, as in log_open; if that is a file it
 * is open at FD, which belongs to the log from now on, else FD is -1. */
void log_replace(const char *target, int fd);

/* After the file was renamed: lines go to the file now at the path, which is
 * created if missing. A failure is logged, and nothing changes. */
void log_reopen(void);

/* The descriptor of the file that lines go to; -1 if it is not a file. */
int log_fd(void);

/* Why no more lines fit into the file that they go to, an errno (a full disk, or
 * one that may only be read), or 0. Logging itself never fails: nobody waits
 * for it. */
int log_trouble(void);

/* For a process that closes all its descriptors: the one to keep, since lines
 * go there, or -1. A connection to syslog is closed here; the next line makes
 * it again. */
int log_keep_fd(void);

/* What log/relay.h is made of; nobody else calls these. Can lines go over a
 * socket, or do they go to syslog? */
bool log_can_relay(void);

/* From now on lines go as packets over SOCK, which becomes standard error, and
 * this process has the log's file no more. */
void log_to_relay(int sock);

/* If lines go over such a socket: FD, which belongs to the log from now on, goes
 * there, too. */
bool log_pass(int fd);

/* Logs TEXT[N], a line of the process PID; gives the bytes of it in the log. */
size_t log_relayed(pid_t pid, const char *text, size_t n);

/* Would a line be taken now, without waiting? */
bool log_takes(void);

/* Are debugging lines wanted (parameter `debug_log`)? */
void log_set_debug(bool on);

/* Info: everyday events. Warn: needs attention, though mail goes on. Error:
 * keeps mail from going on. Debug: helps to find faults, if enabled. %m is the
 * text of errno, which is unchanged afterwards. */
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Logs each line of TEXT, a list of faults, as a separate event: "OF: line",
 * or the line alone if OF is NULL. */
void log_warn_lines(const char *of, const char *text);
void log_error_lines(const char *of, const char *text);

/* The text of log_die also goes to FD, without a line end; -1: no longer. */
void log_last_words(int fd);

/* Logs "fatal: …" and ends the process with the sysexits code STATUS. */
void log_die(int status, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), noreturn));

#endif
