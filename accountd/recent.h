/*
 * Who logged in lately, for the parameter pop3_login_delay. Only who gave the
 * right password is noted, so strangers neither fill the table nor lock anybody
 * out. A restart forgets all.
 */
#ifndef ACCOUNTD_RECENT_H
#define ACCOUNTD_RECENT_H

#include <stdint.h>

/* DELAY_MS must pass between two logins of a user; 0: none. */
void recent_begin(int64_t delay_ms);

/* How many milliseconds USER has to wait at NOW_MS; 0: none. */
int64_t recent_wait(const char *user, int64_t now_ms);

/* USER logs in at NOW_MS. */
void recent_note(const char *user, int64_t now_ms);

#endif
