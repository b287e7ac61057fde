/* The commands of the dialogue, one row each: between the files of the
 * session, and for programs that add rows. */
#ifndef SMTP_COMMAND_H
#define SMTP_COMMAND_H

#include "smtp/session.h"

enum {
	SMTP_LAST = 1 << 0, /* nothing may be pipelined after it */
	SMTP_JUNK = 1 << 1, /* does no work: many of them are abuse */
	SMTP_ONLY_LMTP = 1 << 2,
	SMTP_NOT_LMTP = 1 << 3
};

struct smtp_command {
	const char *word;
	unsigned states; /* in which it may come */
	unsigned flags;
	const char *misplaced; /* the reply in other states after EHLO */

	/* ARGS is what follows the word, without white space at its ends.
	 * Sends one or more replies. */
	void (*run)(struct smtp_session *s, char *args);
};

/* The rows that S knows: the common ones, then its policy's. NULL at the
 * end. */
const struct smtp_command *smtp_command_at(const struct smtp_session *s,
					   size_t index);

/* For "with" in Received and for the log: "ESMTPS" … (RFC 3848). */
const char *smtp_protocol(const struct smtp_session *s);

/* Logs how the session went. */
void smtp_log_end(const struct smtp_session *s);

/* What separates the words of a command: a space; from careless clients also a
 * TAB. */
static inline bool smtp_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The entry for the recipient of the current RCPT. */
struct envelope_recipient *smtp_next_recipient(struct smtp_session *s);

/* Parses the parameters after the path of MAIL, of RCPT; false, with the
 * reply, if one is wrong. ARGS is modified. */
bool smtp_take_mail_params(struct smtp_session *s, char *args,
			   struct answer *r);
bool smtp_take_rcpt_params(struct smtp_session *s, char *args,
			   struct answer *r);

/* Reads the content after 354, and replies what became of it. */
void smtp_receive_content(struct smtp_session *s);

/* Handlers, in the files named after them. */
void smtp_run_helo(struct smtp_session *s, char *args);
void smtp_run_ehlo(struct smtp_session *s, char *args);
void smtp_run_starttls(struct smtp_session *s, char *args);
void smtp_run_mail(struct smtp_session *s, char *args);
void smtp_run_rcpt(struct smtp_session *s, char *args);
void smtp_run_xclient(struct smtp_session *s, char *args);
void smtp_run_data(struct smtp_session *s, char *args);

#endif
