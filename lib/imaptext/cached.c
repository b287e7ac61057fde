#include "imaptext/imaptext.h"

#include "base/str.h"

/* What current clients ask for: text clients, desktops, phones, sync tools and
 * webmail, including the lists of Thunderbird and mutt. For any other field
 * the message has to be read. */
static const char *const names[] = {
	"Date",		"From",		"To",
	"Subject",	"Message-ID",	"Cc",
	"Bcc",		"Reply-To",	"Sender",
	"References",	"In-Reply-To",	"Content-Type",
	"List-ID",	"List-Post",	"List-Unsubscribe",
	"X-Priority",	"Importance",	"Priority",
	"Newsgroups",	"Lines",	"X-Label",
	"X-TUID",	"MIME-Version", "Content-Transfer-Encoding",
	"Delivered-To", "X-Spam-Flag",	"Disposition-Notification-To",
	"Chat-Version", "X-Mailer",	"Content-Description",
	"User-Agent",	"Followup-To",	"Content-Disposition",
	"Return-Path",
};

bool imap_is_cached_field(const char *name, size_t n)
{
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (str_span_is(name, n, names[i]))
			return true;
	return false;
}
