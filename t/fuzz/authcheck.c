/*
 * A message from outside, as authcheck verifies it: From, SPF, signatures,
 * DMARC, and the field that tells of them, which nothing in the message may
 * break.
 *
 * link: authcheck/verify.c authcheck/results.c authcheck/from.c authcheck/spf.c authcheck/spf-match.c authcheck/spf-macro.c authcheck/spf-record.c authcheck/lookup.c authcheck/dkim-verify.c authcheck/dkim-signature.c authcheck/dkim-library.c authcheck/dkim-key.c authcheck/dkim-length.c authcheck/tags.c authcheck/message.c authcheck/dmarc.c authcheck/dmarc-record.c
 * libs: LIB_SPF2 LIB_DKIM LIB_DMARC LIB_PSL
 */
#include "fuzz.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "authcheck/verify.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "t/unit/fake-dns.h"

/* RFC 8463 appendix A: its signer, and its message */
#define DOMAIN "football.example.com"
#define ED25519_KEY \
	"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
#define RSA_KEY                                                               \
	"v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzW" \
	"RiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3Fu" \
	"tACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO" \
	"2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB"
#define FIELDS                                                   \
	"From: Joe SixPack <joe@football.example.com>\r\n"       \
	"To: Suzie Q <suzie@shopping.example.net>\r\n"           \
	"Subject: Is dinner ready?\r\n"                          \
	"Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"        \
	"Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"
#define BODY "\r\nHi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"

FUZZ_SEEDS("DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
	   " d=football.example.com; i=@football.example.com;\r\n"
	   " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"
	   " subject : date : message-id : from : subject : date;\r\n"
	   " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
	   " b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n"
	   " Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n" FIELDS BODY,
	   "DKIM-Signature: v=1; a=rsa-sha256; c=simple; d=football.example."
	   "com; s=test; l=5; x=1; h=from; bh=x; b=y\r\n" FIELDS BODY,
	   "From: a@x.test, b@y.test\r\nFrom: \"x;\r\n y\" <\"a b\"@z>\r\n\r\n",
	   "DKIM-Signature: a=rsa-sha1; d=\"x\r\n\ty\"; s=a=b;; b=\r\n"
	   "From: a@[192.0.2.1]\r\n\r\n", "\r\n", "no header at all")

static void begin(void)
{
	FUZZ_CHECK(dkim_prepare() && dmarc_prepare("", false) == ERR_OK);
	fake_clear();
	fake_add("brisbane._domainkey." DOMAIN, "TXT", ED25519_KEY);
	fake_add("test._domainkey." DOMAIN, "TXT", RSA_KEY);
	fake_add("_dmarc." DOMAIN, "TXT", "v=DMARC1; p=reject; pct=50");
	fake_add(DOMAIN, "TXT", "v=spf1 a -all");
}

/* One field: no line begins another, all of it can be shown. */
static void check_field(const char *p)
{
	FUZZ_CHECK(strncmp(p, "Authentication-Results: ", 24) == 0);
	for (; *p; p++) {
		if (*p == '\r') {
			FUZZ_CHECK(p[1] == '\n' && (p[2] == '\t' || !p[2]));
			p++;
		} else {
			FUZZ_CHECK((*p >= ' ' && *p <= '~') || *p == '\t');
		}
	}
}

void fuzz_one(const char *data, size_t n)
{
	static bool begun;
	struct arena *a = arena_new();
	struct lookup l = { .arena = a, .until_ms = clock_ms() + 5000 };
	struct verify_question q = { .client = "192.0.2.3",
				     .helo = n % 2 ? "x.test" : DOMAIN,
				     .sender = n % 3 ? "joe@" DOMAIN : "",
				     .authserv = "mail.test" };
	int fd = memfd_create("message", MFD_CLOEXEC);
	struct verify_answer answer;
	struct message m;
	struct buf fields;

	if (!begun)
		begin();
	begun = true;
	buf_init(&fields, 1 << 20);
	FUZZ_CHECK(fd >= 0 && file_write(fd, data, n) == ERR_OK);
	if (message_open(&m, fd, 0, (off_t)n) == ERR_OK &&
	    verify_message(&l, &m, &q, &answer, &fields) == ERR_OK)
		check_field(fields.data);
	message_close(&m);
	buf_free(&fields);
	arena_free(&a);
	close(fd);
}
