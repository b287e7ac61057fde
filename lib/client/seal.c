#include "client/seal.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/mem.h"
#include "log/log.h"

bool seal_make(const struct seal *key, const char *purpose, const void *data,
	       size_t n, struct seal *out)
{
	struct buf text;
	bool good;

	memset(out, 0, sizeof(*out));
	buf_init(&text, 2 * IPC_PACKET_MAX);
	buf_put(&text, purpose, strlen(purpose) + 1);
	buf_put(&text, data, n);
	good = !text.over && HMAC(EVP_sha256(), key->byte, SEAL_SIZE,
				  (const unsigned char *)text.data, text.len,
				  out->byte, NULL);
	buf_free(&text);
	if (!good)
		log_error("cannot make a seal");
	return good;
}

bool seal_is_of(const struct seal *s, const struct seal *key,
		const char *purpose, const void *data, size_t n)
{
	struct seal right;

	return seal_make(key, purpose, data, n, &right) &&
	       !mem_differ(s->byte, right.byte, SEAL_SIZE);
}

bool seal_cookie(int fd, uint64_t *cookie)
{
	socklen_t len = sizeof(*cookie);

	*cookie = 0;
	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, cookie, &len) == 0 &&
	       *cookie != 0;
}

void seal_put(struct ipc_out *m, const char *name, const struct seal *s)
{
	ipc_put_base64(m, name, s->byte, SEAL_SIZE);
}

bool seal_get(const struct ipc_in *m, const char *name, struct seal *s)
{
	struct buf b;
	bool good;

	buf_init(&b, SEAL_SIZE + 2);
	good = ipc_base64(m, name, &b) && !b.over && b.len == SEAL_SIZE;
	if (good)
		memcpy(s->byte, b.data, SEAL_SIZE);
	buf_free(&b);
	return good;
}

void seal_preload(void)
{
	const struct seal key = { { 0 } };
	struct seal ignored;

	if (!seal_make(&key, "", "", 0, &ignored))
		log_warn("seals will not work");
}
