/*
 * A message's id is a digest of its file. So copies, which are links to one
 * file, have the same, and nothing that is lost can change it. It is made when
 * first asked for and kept in the cache, from where copies take it over.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/err.h"
#include "base/file.h"
#include "mailbox/opened.h"

#define PIECE (64u << 10)
#define SHOWN 20 /* bytes of the digest that clients see */

void mailbox_email_id_preload(void)
{
	unsigned char digest[EVP_MAX_MD_SIZE];

	/* if that fails, so will the real one, which says so */
	err_ignore(EVP_Digest("", 0, digest, NULL, EVP_sha256(), NULL));
}

static int digest_file(int fd, uint32_t size, EVP_MD_CTX *c)
{
	char piece[PIECE];
	uint32_t at = 0;
	int code = ERR_OK;

	while (!code && at < size) {
		size_t n = size - at > PIECE ? PIECE : size - at;

		code = file_pread(fd, piece, n, (off_t)at);
		if (!code && EVP_DigestUpdate(c, piece, n) != 1)
			code = err_set(ERR_IO, "no digest");
		at += (uint32_t)n;
	}
	return code;
}

static int make(struct mailbox *m, uint32_t uid, char id[CACHE_ID_SIZE])
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	int fd = -1, code;

	if (!c || EVP_DigestInit_ex(c, EVP_sha256(), NULL) != 1)
		code = err_set(ERR_IO, "no digest");
	else
		code = mailbox_open_file(m, uid, &fd);
	if (!code)
		code = digest_file(fd, index_get(&m->x, uid)->size, c);
	if (!code && EVP_DigestFinal_ex(c, (unsigned char *)id, NULL) != 1)
		code = err_set(ERR_IO, "no digest");
	if (fd >= 0)
		close(fd);
	EVP_MD_CTX_free(c);
	return code == ERR_EOF ? ERR_IO : code;
}

/* Adds ID to the entry of the cache. */
static void keep(struct mailbox *m, uint32_t uid, const char *id)
{
	struct entry *e = index_get(&m->x, uid);
	struct buf b;

	buf_init(&b, CACHE_ENTRY_MAX);
	if (e)
		cached_entry(&m->x, e, &b);
	if (b.len > 0) {
		cache_add_id(&b, id);
		mailbox_keep_cached(m, e, &b);
	}
	buf_free(&b);
}

static void show(const char *id, char out[MAILBOX_EMAIL_ID_SIZE])
{
	int i;

	*out++ = 'm';
	for (i = 0; i < SHOWN; i++, out += 2)
		snprintf(out, 3, "%02x", (unsigned char)id[i]);
}

int mailbox_email_id(struct mailbox *m, uint32_t seq,
		     char out[MAILBOX_EMAIL_ID_SIZE])
{
	uint32_t uid = mailbox_uid(m, seq);
	struct mailbox_facts f;
	char id[CACHE_ID_SIZE];
	int code = mailbox_facts(m, seq, false, &f);

	if (code != ERR_OK && code != ERR_TOO_LONG)
		return code;
	if (code == ERR_OK && f.id) {
		show(f.id, out);
		return ERR_OK;
	}
	code = make(m, uid, id);
	if (code != ERR_OK)
		return code;
	keep(m, uid, id);
	show(id, out);
	return ERR_OK;
}
