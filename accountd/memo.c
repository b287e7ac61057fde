#include "accountd/memo.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>

#include "base/map.h"
#include "base/mem.h"
#include "log/log.h"

#define ENTRIES 4096 /* about one per user */
#define KEEP_MS 3600000
#define MAC_BYTES 32

struct entry {
	unsigned char mac[MAC_BYTES];
	int64_t until_ms; /* 0: free */
};

static struct {
	unsigned char key[32];
	struct entry table[ENTRIES];
} self;

void memo_begin(void)
{
	if (getrandom(self.key, sizeof(self.key), 0) != sizeof(self.key))
		log_die(EX_OSERR, "no randomness: %m");
}

/* Hashes the three with their NULs as separators. */
static bool compute(const char *user, const char *hash, const char *password,
		    unsigned char *mac)
{
	const char *part[] = { user, hash, password };
	unsigned char text[4096];
	size_t n = 0;
	bool good = true;

	for (int i = 0; i < 3; i++) {
		size_t len = strlen(part[i]) + 1;

		if (len > sizeof(text) - n) {
			good = false;
			break;
		}
		memcpy(text + n, part[i], len);
		n += len;
	}
	good = good && HMAC(EVP_sha256(), self.key, sizeof(self.key), text, n,
			    mac, NULL);
	mem_wipe(text, sizeof(text));
	return good;
}

static struct entry *place_of(const char *user)
{
	return &self.table[map_hash(user, strlen(user)) % ENTRIES];
}

bool memo_has(const char *user, const char *hash, const char *password,
	      int64_t now_ms)
{
	const struct entry *e = place_of(user);
	unsigned char mac[MAC_BYTES];

	return now_ms < e->until_ms && compute(user, hash, password, mac) &&
	       !mem_differ(e->mac, mac, MAC_BYTES);
}

void memo_add(const char *user, const char *hash, const char *password,
	      int64_t now_ms)
{
	struct entry *e = place_of(user);

	e->until_ms =
		compute(user, hash, password, e->mac) ? now_ms + KEEP_MS : 0;
}
