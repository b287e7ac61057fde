/*
 * IMAP URLs (RFC 5092) that lead to a message, or a part of one, of the user
 * who is logged in: "/Drafts;UIDVALIDITY=5/;UID=20/;SECTION=1.2;PARTIAL=0.9".
 * Those that name a server are refused: it would have to be proved ours.
 */
#ifndef IMAPD_URL_H
#define IMAPD_URL_H

#include <stdbool.h>
#include <stdint.h>

#define URL_MAX 4096

struct url {
	char mailbox[URL_MAX]; /* in UTF-8; "": the selected one */
	uint32_t uidvalidity;  /* 0: any */
	uint32_t uid;
	char section[URL_MAX]; /* as between "[" and "]"; "": all of it */
	bool partial;
	uint32_t from;
	uint32_t length;
};

/* False: not such a URL. */
bool url_parse(const char *text, struct url *u);

#endif
