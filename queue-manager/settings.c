#include "queue-manager/settings.h"

#include "qmgr/job.h"

void settings_read(struct settings *s, const struct config *c)
{
	address_domains_free(&s->domains);
	s->domains = address_domains_new(c, NULL);
	s->config = c;
	s->myhostname = config_string(c, "myhostname");
	s->relayhost = config_string(c, "relayhost");
	s->notice_recipient = config_string(c, "2bounce_notice_recipient");
	s->recipient_delimiter = config_string(c, "recipient_delimiter");
	s->minimal_backoff = config_seconds(c, "minimal_backoff_time");
	s->maximal_backoff = config_seconds(c, "maximal_backoff_time");
	s->lifetime = config_seconds(c, "maximal_queue_lifetime");
	s->bounce_lifetime = config_seconds(c, "bounce_queue_lifetime");
	s->delay_warning = config_seconds(c, "delay_warning_time");
	s->minfree = config_bytes(c, "queue_minfree");
	s->bounce_size = config_bytes(c, "bounce_size_limit");
	s->active_limit = config_int(c, "qmgr_message_active_limit");
	s->recipient_limit =
		config_int(c, "default_destination_recipient_limit");
	s->initial_concurrency =
		config_int(c, "initial_destination_concurrency");
	s->concurrency[0] =
		config_int(c, "local_destination_concurrency_limit");
	s->concurrency[1] =
		config_int(c, "default_destination_concurrency_limit");
	s->limit[0] = config_int(c, "local_process_limit");
	s->limit[1] = config_int(c, "remote_process_limit");
	for (int t = 0; t < 2; t++)
		s->processes[t] = (1 + JOB_SLOW_SHARE) * s->limit[t];
	if (s->maximal_backoff < s->minimal_backoff)
		s->maximal_backoff = s->minimal_backoff;
}
