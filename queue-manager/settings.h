/*
 * The parameters of qmgr, read from the configuration at start and at
 * reload.
 */
#ifndef QUEUE_MANAGER_SETTINGS_H
#define QUEUE_MANAGER_SETTINGS_H

#include <stdint.h>

#include "address/domains.h"
#include "config/config.h"

struct settings {
	const struct config *config;
	struct address_domains *domains; /* which are ours */
	const char *myhostname;
	const char *relayhost;
	const char *notice_recipient;	/* of double bounces, or "" */
	const char *recipient_delimiter;
	int64_t minimal_backoff, maximal_backoff;
	int64_t lifetime, bounce_lifetime, delay_warning;
	int64_t minfree;
	int64_t bounce_size;
	int64_t active_limit;
	int64_t recipient_limit;
	int64_t initial_concurrency;
	int64_t concurrency[2];		/* limit, by transport */
	int64_t limit[2];		/* of deliveries that are not slow */
	int64_t processes[2];		/* … and of all, by transport */
};

/* The strings live as long as C. What S held before is freed. */
void settings_read(struct settings *s, const struct config *c);

#endif
