#include "remote-send/command.h"

#include <string.h>

#include "base/encode.h"
#include "base/err.h"
#include "base/file.h"
#include "base/str.h"

/* xtext of RFC 3461 section 4. */
static void put_xtext(struct stream *s, const char *text)
{
	static const char hex[] = "0123456789ABCDEF";

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		char coded[3] = { '+', hex[c >> 4], hex[c & 15] };

		if (c < 33 || c > 126 || c == '+' || c == '=')
			stream_put(s, coded, 3);
		else
			stream_put(s, text, 1);
	}
}

/* The message as it is sent, but for doubled dots (RFC 1870 section 5 wants
 * no more). */
static int64_t message_size(const struct delivery *d)
{
	int64_t content = d->convert ? d->seven.size : d->job->length;

	return content + (int64_t)strlen(d->job->prologue);
}

void command_mail(struct session *s, const struct delivery *d)
{
	const struct job *j = d->job;

	stream_printf(s->stream, "MAIL FROM:<%s>", j->sender);
	if (s->features & FEATURE_SIZE)
		stream_printf(s->stream, " SIZE=%lld",
			      (long long)message_size(d));
	if ((s->features & FEATURE_8BITMIME) && strcmp(j->body, "7BIT") != 0)
		stream_puts(s->stream, " BODY=8BITMIME");
	if ((s->features & FEATURE_SMTPUTF8) && d->utf8_wish)
		stream_puts(s->stream, " SMTPUTF8");
	if ((s->features & FEATURE_DSN) && *j->ret)
		stream_printf(s->stream, " RET=%s", j->ret);
	if ((s->features & FEATURE_DSN) && *j->envid) {
		stream_puts(s->stream, " ENVID=");
		put_xtext(s->stream, j->envid);
	}
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

/* The original recipient: told to us, or known since an alias led on (RFC
 * 3461 section 5.2.3). */
static void put_orcpt(struct stream *s, const struct job_recipient *r)
{
	const char *semicolon = strchr(r->orcpt, ';');

	if (semicolon) {
		stream_puts(s, " ORCPT=");
		stream_put(s, r->orcpt, (size_t)(semicolon - r->orcpt) + 1);
		put_xtext(s, semicolon + 1);
	} else if (*r->original && strcmp(r->original, r->address) != 0) {
		stream_puts(s, " ORCPT=rfc822;");
		put_xtext(s, r->original);
	}
}

void command_rcpt(struct session *s, const struct delivery *d, size_t i)
{
	const struct job_recipient *r = &d->job->recipient[i];

	stream_printf(s->stream, "RCPT TO:<%s>", r->address);
	if (s->features & FEATURE_DSN) {
		put_notify(s->stream, r->notify);
		put_orcpt(s->stream, r);
	}
	stream_puts(s->stream, "\r\n");
}

static bool is_ascii(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] >= 0x80)
			return false;
	return true;
}

/* Can it stand in a command? What wrote the envelope has parsed it, but a
 * line end here would forge a command. */
static bool is_clean(const char *address)
{
	for (; *address; address++)
		if ((unsigned char)*address < 0x20 || *address == 0x7f)
			return false;
	return true;
}

/* Is there a byte beyond ASCII in the header, which ends with an empty line?
 * A file that cannot be read shows itself when it is sent. */
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
	struct fault f;

	for (size_t i = 0; i < d->job->nrecipients; i++) {
		const char *address = d->job->recipient[i].address;
		bool utf8 = d->utf8 || !is_ascii(address, strlen(address));

		if (d->outcome[i].decided)
			continue;
		if (!is_clean(address) || !is_clean(d->job->sender)) {
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

/* Has the content converted for a server that takes ASCII only. False, and F,
 * if that cannot be done. */
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
