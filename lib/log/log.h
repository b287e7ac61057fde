/*
 * The log: one event a line. Each line goes out in one write. What comes
 * from outside needs no care at the call: every line is escaped as a whole
 * (control characters, bytes that are not UTF-8), and bounded.
 *
 * Targets: "syslog" (facility mail), "stderr", or the path of a file, which
 * gets lines in syslog's shape and is opened for appending. Delivery events
 * have Postfix's shape, so that tools made for its logs read ours:
 *     ID: to=<…>, relay=…, delay=…, dsn=2.0.0, status=sent (…)
 */
#ifndef LOG_LOG_H
#define LOG_LOG_H

#include <stdbool.h>

/* Opens TARGET for lines of PROGRAM ("posthorn/smtpd[pid]: "). False, with
 * errno, if a file cannot be opened: lines then go to standard error. Before
 * the call lines go to standard error. Call it before chroot. */
bool log_open(const char *program, const char *target);

/* Programs that gave up their rights cannot open the log again: who started
 * them does. From now on lines go to TARGET, as in log_open; if that is a file
 * it is open at FD, which is the log's from now on, else FD is -1. */
void log_replace(const char *target, int fd);

/* After the file was renamed: lines go to what is at the path now, which is
 * made if need be. If that fails it is logged, and nothing changes. */
void log_reopen(void);

/* The descriptor of the file that lines go to; -1 if it is none. */
int log_fd(void);

/* Before a process closes all its descriptors: the one that lines go to, to
 * be spared, or -1 if there is none. A connection to syslog is ended here; it
 * is made again by the next line. */
int log_keep_fd(void);

/* Are debugging lines wanted (parameter `debug_log`)? */
void log_set_debug(bool on);

/* What happens every day; what somebody should see to, though mail goes on;
 * what keeps mail from going on; what helps to find a fault, where it is
 * wanted. %m is the text of errno, which is unchanged afterwards. */
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Logs each line of TEXT, a list of faults as others collect them, as an event
 * of its own: "OF: line", or the line alone if OF is NULL. */
void log_warn_lines(const char *of, const char *text);
void log_error_lines(const char *of, const char *text);

/* What log_die says goes to FD as well, without a line end; -1: no more. */
void log_last_words(int fd);

/* Logs "fatal: …" and ends the process with the sysexits code STATUS. */
void log_die(int status, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), noreturn));

#endif
