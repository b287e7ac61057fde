/*
 * What all sessions of a program share: its settings, read once before the
 * children are forked, and its policy, which is where smtpd and submit differ.
 * Nothing in here changes while sessions run.
 */
#ifndef SMTP_SERVER_H
#define SMTP_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "address/address.h"
#include "address/domains.h"
#include "address/networks.h"
#include "config/config.h"
#include "intake/intake.h"

struct smtp_session;
struct smtp_command;

struct smtp_policy {
	const char *tls_service; /* for tls_accept */

	/* Further lines of the EHLO reply, each "250-…" CRLF; may be NULL. */
	void (*extensions)(struct smtp_session *s);

	/* Who may connect, send, and receive; and the checks of each message.
	 * The session of their questions is a struct smtp_session. */
	const struct intake_row *rows;

	/* What the queue is to do with the session's messages. */
	enum intake_kind (*kind)(const struct smtp_session *s);

	/* Commands besides the common ones, ended by a NULL word; or NULL. */
	const struct smtp_command *more;
};

struct smtp_server {
	const struct config *config;
	const struct smtp_policy *policy;
	const char *hostname;
	char origin[ADDRESS_DOMAIN_SIZE];
	const char *banner;
	const char *delimiter;
	struct address_domains *domains;
	struct address_networks *networks;
	struct address_networks *xclients; /* smtpd_authorized_xclient_hosts */
	bool tls;	/* there is a certificate */
	bool normalize; /* bare CR and LF are mended */
	bool check_sender_domain;
	bool full_tempfail; /* quota_full_tempfail */
	int64_t size_limit;
	int64_t recipient_limit;
	int64_t error_limit;
	int64_t junk_limit;
	int64_t min_rate;    /* of a message's content, bytes per second */
	int64_t stress_rate; /* … while others wait and it was asked to hurry */
	int64_t timeout_ms;
	int64_t stress_timeout_ms;
};

/* Reads the settings from C, which must outlive S. Faults in the lists of
 * domains and networks, which are only found here, are logged. */
void smtp_server_init(struct smtp_server *s, const struct config *c,
		      const struct smtp_policy *policy);

#endif
