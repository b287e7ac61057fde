/* Between the files of submit. */
#ifndef SMTPD_SUBMIT_H
#define SMTPD_SUBMIT_H

#include "smtp/command.h"

/* AUTH (RFC 4954), PLAIN and LOGIN. */
void submit_run_auth(struct smtp_session *s, char *args);

#endif
