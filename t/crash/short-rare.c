/* What is done on a mailbox now and then (short.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "mailbox/warned.h"
#include "t/crash/attached.h"
#include "t/crash/short-parts.h"

#define MANY 501 /* messages: one more than a portion of COPY */

/* RENAME of INBOX, which moves its messages. */
static bool do_inbox(struct session *x)
{
	uint32_t n = mailbox_count(x->m);
	uint32_t *uid = mem_array(n + 1, sizeof(*uid));
	char token[WORD], name[WORD];

	for (uint32_t i = 0; i < n; i++) {
		short_token(x->m, i + 1, token);
		uid[i] = mailbox_uid(x->m, i + 1);
		short_tell(x, "copying %s " USER, token);
		short_tell(x, "leaving " USER " INBOX %u", uid[i]);
	}
	snprintf(name, sizeof(name), "Former%u", ++x->names);
	short_must(store_rename(x->s, "INBOX", name), "rename INBOX");
	short_look(x, name);
	for (uint32_t i = 0; i < n; i++)
		short_tell(x, "gone " USER " INBOX %u", uid[i]);
	free(uid);
	strcpy(x->folder, name);
	return n > 0;
}

/* The copies of one message are told by the UIDs from FIRST on. */
static void tell_copies(struct session *x, const char *token, uint32_t validity,
			const uint32_t *uid)
{
	for (int i = 0; i < MANY; i++)
		short_tell(x, "have " USER " %s %u %u %s", x->folder, validity,
			   uid[i], token);
}

/* COPY in portions. */
static bool do_many(struct session *x)
{
	uint32_t seq[MANY], uid[MANY], validity;
	struct folder_id id;
	char token[WORD];

	if (mailbox_count(x->m) == 0 || !*x->folder)
		return false;
	short_token(x->m, 1, token);
	for (int i = 0; i < MANY; i++) {
		seq[i] = 1;
		short_tell(x, "copying %s " USER, token);
	}
	short_must(mailbox_copy(x->m, seq, MANY, x->folder, false, uid,
				&validity, &id),
		   "copy many");
	tell_copies(x, token, validity, uid);
	return true;
}

/* A message that is a document, of which a command makes text. */
static bool do_attach(struct session *x)
{
	short_append(x, "INBOX", "Content-Type: " ATTACHED_TYPE "\r\n");
	return true;
}

static bool do_id(struct session *x)
{
	uint32_t seq = mailbox_count(x->m);
	char id[MAILBOX_EMAIL_ID_SIZE];

	if (seq == 0)
		return false;
	short_must(mailbox_email_id(x->m, seq, id), "ask for an id");
	short_tell(x, "identified " USER " INBOX %u %s",
		   mailbox_uid(x->m, seq), id);
	return true;
}

/* The user is told that the mailbox is nearly full. */
static bool do_warn(struct session *x)
{
	unsigned level = 80 + ++x->names;

	short_tell(x, "warning " USER " - %u", level);
	short_must(store_note_level(x->s, level), "note a warning");
	short_tell(x, "warned " USER " - %u", level);
	return true;
}

void short_policy(struct session *x, unsigned number, unsigned id)
{
	struct sts_policy p = { .mode = POLICY_ENFORCE, .max_age = 86400 };
	char domain[WORD], text[STS_ID_SIZE];

	snprintf(domain, sizeof(domain), "d%u.test", number);
	snprintf(text, sizeof(text), "%u", id);
	strlist_add(&p.mx, "mail.example.test");
	short_tell(x, "fetching tls-policy %s %s", domain, text);
	cache_put(x->policies, domain, text, &p, clock_wall());
	short_tell(x, "fetched tls-policy %s %s", domain, text);
	strlist_free(&p.mx);
}

/* One of a domain that had none, and a newer one. */
static bool do_policy(struct session *x)
{
	short_policy(x, 1000 + ++x->names, 1);
	short_policy(x, 0, ++x->names);
	return true;
}

const struct short_word short_rare[] = {
	{ "inbox", do_inbox }, { "many", do_many }, { "attach", do_attach },
	{ "id", do_id },       { "warn", do_warn }, { "policy", do_policy },
	{ NULL, NULL },
};
