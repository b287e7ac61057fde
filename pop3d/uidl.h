/*
 * The ids of UIDL: parameter pop3_uidl_format. The variables are Dovecot's, so
 * that clients of a server before this one know their messages again.
 */
#ifndef POP3D_UIDL_H
#define POP3D_UIDL_H

#include <stddef.h>
#include <stdint.h>

#define UIDL_SIZE 71 /* RFC 1939 section 7: 70 bytes, and a NUL */
#define UIDL_DEFAULT "%08Xu%08Xv"

struct uidl_message {
	uint32_t uid;
	uint32_t uidvalidity;
	const char *base; /* its file's name before ":2,"; NULL: not known */
	size_t nbase;
};

/* What is wrong with FORMAT, or NULL. */
const char *uidl_fault(const char *format);

/* The id of M in FORMAT, which has no fault. One that RFC 1939 does not allow,
 * because of a file's name, is replaced by that in UIDL_DEFAULT. */
void uidl_make(const char *format, const struct uidl_message *m,
	       char id[UIDL_SIZE]);

#endif
