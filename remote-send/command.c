/*
 * MAIL and RCPT as they are sent, with the parameters that the server offers:
 * SIZE, BODY, SMTPUTF8, and those of delivery status notifications, each
 * encoded anew from its decoded value. Before that, the check whether the
 * server can take this message at all: if not, it fails here with our own
 * code, and is not tried.
 */
#include "remote-send/command.h"

#include <string.h>

#include "address/address.h"
#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "smtp/dsn-param.h"

#define PARAM_MAX 8192 /* bytes of ENVID, of ORCPT, however encoded */

static bool is_ascii(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] >= 0x80)
			return false;
	return true;
}

/* "NAME=VALUE" of a parameter whose value was encoded, if it could be. */
static void put_param(struct stream *s, const char *name, struct buf *value,
		      bool good)
{
	if (good && !value->over) {
		stream_puts(s, name);
		stream_put(s, value->data, value->len);
	}
	buf_free(value);
}

static void put_envid(struct stream *s, const char *envid)
{
	struct buf value;

	buf_init(&value, PARAM_MAX);
	put_param(s, " ENVID=", &value, smtp_envid_encode(&value, envid));
}

/* The size of the message as sent, without doubled dots (RFC 1870 section 5
 * wants no more). */
static int64_t message_size(const struct delivery *d)
{
	int64_t content = d->convert ? d->seven.size : d->job->length;

	return content + (int64_t)strlen(d->job->prologue);
}

/* Can the envelope's ADDRESS be put in a command? Only as the text of an
 * address, in OUT: anything more could forge a command. "" is the null
 * sender. */
static bool path_of(const char *address, char out[ADDRESS_TEXT_SIZE])
{
	struct address a = { .local = "" };

	if (*address && address_parse(address, strlen(address), &a))
		return false;
	address_text(&a, out);
	return true;
}

static void put_path(struct stream *s, const char *command, const char *address)
{
	char path[ADDRESS_TEXT_SIZE];

	/* command_check has already refused what is not an address */
	if (path_of(address, path))
		stream_printf(s, "%s<%s>", command, path);
}

void command_mail(struct session *s, const struct delivery *d)
{
	const struct job *j = d->job;

	put_path(s->stream, "MAIL FROM:", j->sender);
	if (s->features & FEATURE_SIZE)
		stream_printf(s->stream, " SIZE=%lld",
			      (long long)message_size(d));
	if ((s->features & FEATURE_8BITMIME) && strcmp(j->body, "7BIT") != 0)
		stream_puts(s->stream, " BODY=8BITMIME");
	if ((s->features & FEATURE_SMTPUTF8) && d->utf8_wish)
		stream_puts(s->stream, " SMTPUTF8");
	if ((s->features & FEATURE_DSN) && *j->ret)
		stream_printf(s->stream, " RET=%s", j->ret);
	if ((s->features & FEATURE_DSN) && *j->envid)
		put_envid(s->stream, j->envid);
	stream_puts(s->stream, "\r\n");
}

static void put_notify(struct stream *s, unsigned notify)
{
	static const struct {
		unsigned bit;
		const char *word;
	} words[] = {
		{ NOTIFY_NEVER, "NEVER" },
		{ NOTIFY_SUCCESS, "SUCCESS" },
		{ NOTIFY_FAILURE, "FAILURE" },
		{ NOTIFY_DELAY, "DELAY" },
	};
	const char *before = " NOTIFY=";

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!(notify & words[i].bit))
			continue;
		stream_puts(s, before);
		stream_puts(s, words[i].word);
		before = ",";
	}
}

/* The original recipient: as given by the client, or the address before alias
 * expansion (RFC 3461 section 5.2.3). */
static void put_orcpt(struct session *s, const struct delivery *d,
		      const struct job_recipient *r)
{
	bool raw = (s->features & FEATURE_SMTPUTF8) && d->utf8_wish, good;
	struct buf plain, value;

	buf_init(&plain, PARAM_MAX);
	buf_init(&value, PARAM_MAX);
	if (*r->orcpt)
		buf_puts(&plain, r->orcpt);
	else if (*r->original && strcmp(r->original, r->address) != 0)
		buf_printf(&plain, "%s;%s",
			   is_ascii(r->original, strlen(r->original)) ? "rfc822"
								      : "utf-8",
			   r->original);
	good = smtp_orcpt_encode(&value, plain.data, raw);
	put_param(s->stream, " ORCPT=", &value, good);
	buf_free(&plain);
}

void command_rcpt(struct session *s, const struct delivery *d, size_t i)
{
	const struct job_recipient *r = &d->job->recipient[i];

	put_path(s->stream, "RCPT TO:", r->address);
	if (s->features & FEATURE_DSN) {
		put_notify(s->stream, r->notify);
		put_orcpt(s, d, r);
	}
	stream_puts(s->stream, "\r\n");
}

/* Is there a byte beyond ASCII in the header, which ends with an empty line?
 * If the file cannot be read, sending it will fail. */
static bool header_is_utf8(const struct job *j)
{
	char block[4096];
	bool line = true;

	for (off_t at = 0; at < j->length && at < 2 * QUEUE_HEADER_MAX;) {
		off_t left = j->length - at;
		size_t n = left < (off_t)sizeof(block) ? (size_t)left
						       : sizeof(block);

		if (file_pread(j->fd, block, n, j->offset + at))
			return false;
		for (size_t i = 0; i < n; i++) {
			if ((unsigned char)block[i] >= 0x80)
				return true;
			if (block[i] == '\n' && line)
				return false;
			if (block[i] != '\r')
				line = block[i] == '\n';
		}
		at += (off_t)n;
	}
	return false;
}

void command_note_utf8(struct delivery *d)
{
	const struct job *j = d->job;

	d->utf8 = !is_ascii(j->sender, strlen(j->sender)) ||
		  (j->smtputf8 && header_is_utf8(j));
	d->utf8_wish = d->utf8 || j->smtputf8;
	for (size_t i = 0; i < j->nrecipients && !d->utf8_wish; i++)
		d->utf8_wish = !is_ascii(j->recipient[i].address,
					 strlen(j->recipient[i].address));
}

static void check_recipients(const struct session *s, struct delivery *d)
{
	char path[ADDRESS_TEXT_SIZE];
	bool sender = path_of(d->job->sender, path);
	struct fault f;

	for (size_t i = 0; i < d->job->nrecipients; i++) {
		const char *address = d->job->recipient[i].address;
		bool utf8 = d->utf8 || !is_ascii(address, strlen(address));

		if (d->outcome[i].decided)
			continue;
		if (!*address || !path_of(address, path) || !sender) {
			fault_set(&f, "5.1.3", "malformed address");
			outcome_fail(d, i, &f);
		} else if (utf8 && !(s->features & FEATURE_SMTPUTF8)) {
			fault_set(&f, "5.6.7",
				  "SMTPUTF8 is required, but was not offered "
				  "by host %.*s",
				  (int)(strcspn(s->relay, "]") + 1), s->relay);
			str_copy(f.relay, sizeof(f.relay), s->relay);
			outcome_fail(d, i, &f);
		}
	}
}

/* Has the content converted for a server that only takes ASCII. False, and F,
 * if that is impossible. */
static bool prepare_content(const struct session *s, struct delivery *d,
			    struct fault *f)
{
	d->convert = false;
	if ((s->features & FEATURE_8BITMIME) || !d->set->convert)
		return true;
	if (d->seven.state == SEVEN_BIT_UNKNOWN)
		seven_bit_look(&d->seven, d->arena, d->job);
	d->convert = d->seven.state == SEVEN_BIT_CONVERTED;
	if (d->seven.state == SEVEN_BIT_UNREADABLE) {
		fault_set(f, "4.3.0", "cannot read the queue file");
	} else if (d->seven.state == SEVEN_BIT_IMPOSSIBLE) {
		fault_set(f, "5.6.3",
			  "8BITMIME is required, but was not offered by host "
			  "%.*s, and the message cannot be converted",
			  (int)(strcspn(s->relay, "]") + 1), s->relay);
		str_copy(f->relay, sizeof(f->relay), s->relay);
	}
	return d->convert || d->seven.state == SEVEN_BIT_CLEAN;
}

void command_check(const struct session *s, struct delivery *d)
{
	int64_t size;
	struct fault f;

	check_recipients(s, d);
	if (!prepare_content(s, d, &f)) {
		outcome_fail_all(d, &f);
		return;
	}
	size = message_size(d);
	if (s->size_limit == 0 || size <= s->size_limit)
		return;
	fault_set(&f, "5.3.4",
		  "message size %lld exceeds size limit %lld of server %.*s",
		  (long long)size, (long long)s->size_limit,
		  (int)(strcspn(s->relay, "]") + 1), s->relay);
	str_copy(f.relay, sizeof(f.relay), s->relay);
	outcome_fail_all(d, &f);
}
