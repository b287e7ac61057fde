#include "smtp/server.h"

#include <string.h>

#include "log/log.h"

static void read_lists(struct smtp_server *s, const struct config *c)
{
	s->domains = address_domains_new(c, NULL);
	s->networks = address_networks_of(c, "mynetworks");
	s->xclients = address_networks_of(c, "smtpd_authorized_xclient_hosts");
}

void smtp_server_init(struct smtp_server *s, const struct config *c,
		      const struct smtp_policy *policy)
{
	const char *origin = config_string(c, "myorigin");

	*s = (struct smtp_server){ .config = c, .policy = policy };
	s->hostname = config_string(c, "myhostname");
	if (address_domain(origin, strlen(origin), s->origin))
		log_warn("myorigin: %s is not a domain name", origin);
	s->banner = config_string(c, "smtpd_banner");
	s->delimiter = config_string(c, "recipient_delimiter");
	s->tls = *config_string(c, "smtpd_tls_cert_file") != '\0';
	s->normalize = strcmp(config_string(c, "smtpd_forbid_bare_newline"),
			      "normalize") == 0;
	s->full_tempfail = config_bool(c, "quota_full_tempfail");
	s->check_sender_domain = config_bool(c, "reject_unknown_sender_domain");
	s->size_limit = config_bytes(c, "message_size_limit");
	s->recipient_limit = config_int(c, "smtpd_recipient_limit");
	s->error_limit = config_int(c, "smtpd_hard_error_limit");
	s->junk_limit = config_int(c, "smtpd_junk_command_limit");
	s->min_rate = config_int(c, "smtpd_min_data_rate");
	s->stress_rate = config_int(c, "smtpd_stress_data_rate");
	s->timeout_ms = config_seconds(c, "smtpd_timeout") * 1000;
	s->stress_timeout_ms = config_seconds(c, "smtpd_stress_timeout") * 1000;
	read_lists(s, c);
}
