#include "imapd/thread-id.h"

#include <openssl/evp.h>
#include <stdio.h>

#include "base/err.h"
#include "mime/field.h"
#include "mime/message-id.h"

#define SHOWN 16 /* bytes of the digest */

/* The first field that holds an identifier says which message began it. */
static const char *const fields[] = { "References", "In-Reply-To",
				      "Message-ID" };
#define COUNT (sizeof(fields) / sizeof(fields[0]))

static void find_fields(const struct mailbox_facts *facts,
			struct mime_field found[COUNT])
{
	const char *pos = facts->header;
	struct mime_field f;

	while (mime_field_next(&pos, facts->header + facts->header_len, &f))
		for (size_t i = 0; i < COUNT; i++)
			if (!found[i].raw && mime_field_is(&f, fields[i]))
				found[i] = f;
}

static bool find_first(const struct mailbox_facts *facts, struct buf *id)
{
	struct mime_field found[COUNT] = { { 0 } };

	find_fields(facts, found);
	for (size_t i = 0; i < COUNT; i++) {
		const char *pos = found[i].value;

		if (found[i].raw &&
		    mime_message_id(&pos, found[i].value + found[i].nvalue, id))
			return true;
	}
	return false;
}

static int show(const struct buf *id, char out[THREAD_ID_SIZE])
{
	unsigned char digest[EVP_MAX_MD_SIZE];

	if (EVP_Digest(id->data, id->len, digest, NULL, EVP_sha256(), NULL) !=
	    1)
		return err_set(ERR_IO, "no digest");
	*out++ = 't';
	for (int i = 0; i < SHOWN; i++, out += 2)
		snprintf(out, 3, "%02x", digest[i]);
	return ERR_OK;
}

int thread_id(struct session *s, uint32_t seq, char out[THREAD_ID_SIZE])
{
	struct mailbox_facts facts;
	struct buf id;
	int code = mailbox_facts(s->box, seq, false, &facts);

	*out = '\0';
	/* what nobody can read the header of belongs to no thread */
	if (code != ERR_OK)
		return code == ERR_TOO_LONG ? ERR_OK : code;
	buf_init(&id, facts.header_len + 1);
	if (find_first(&facts, &id))
		code = show(&id, out);
	buf_free(&id);
	return code;
}
