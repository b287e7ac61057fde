/*
 * Dates: of IMAP (RFC 3501 section 9), and of message headers (RFC 5322
 * section 3.3).
 */
#ifndef IMAPD_DATE_H
#define IMAPD_DATE_H

#include <stdbool.h>
#include <stdint.h>

/* A day as days since 1970-01-01, whatever the time zone. */
typedef int32_t date_day;

/* "24-Nov-2026" */
bool date_parse(const char *text, date_day *day);

/* "24-Nov-2026 02:00:00 +0000" as seconds since 1970. */
bool date_parse_time(const char *text, int64_t *when);

/* The day that a Date field names, in the zone that it names. */
bool date_parse_header(const char *text, date_day *day);

/* The same with its time, as seconds since 1970 (RFC 5256 section 2.2): what
 * does not parse of the time is 00:00:00, of the zone UTC. False, and *WHEN
 * stays, if there is no day. */
bool date_parse_sent(const char *text, int64_t *when);

/* The day in local time. */
date_day date_of(int64_t when);

#endif
