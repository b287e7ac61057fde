/* Between the files of submit. */
#ifndef SUBMIT_SUBMIT_H
#define SUBMIT_SUBMIT_H

#include "smtp/command.h"

/* AUTH (RFC 4954), PLAIN and LOGIN. */
void submit_run_auth(struct smtp_session *s, char *args);

#endif
