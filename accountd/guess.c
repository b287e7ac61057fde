#include "accountd/guess.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"

#define SETS 4096
#define WAYS 4
#define KEY_MAX 512
#define FREE_FAILURES 2
#define PAUSE_MS 500
#define PAUSE_MAX_MS 15000
#define WAIT_MAX_MS 30000
#define FAILURES_MAX 100
#define FORGET_MS 60000		  /* one failure */
#define KNOWN_MS (24 * 3600000LL) /* since a success */
#define KNOWN_WORTH 10		  /* failures */

struct entry {
	uint64_t key;	  /* keyed hash; 0: free */
	int64_t seen_ms;  /* since when `failures` counts down */
	int64_t free_ms;  /* when the next attempt may be checked */
	int64_t known_ms; /* last success, or 0 */
	uint64_t wrong;	  /* keyed hash of the last wrong password */
	int failures;
};

enum kind { NETWORK, USER, PAIR };

static struct {
	struct entry table[SETS][WAYS];
} self;

/* The part of an address that a provider gives to one customer. */
static void network_of(const char *client, char *out, size_t size)
{
	unsigned char a[16];

	if (inet_pton(AF_INET, client, a) == 1)
		snprintf(out, size, "%d.%d.%d", a[0], a[1], a[2]);
	else if (inet_pton(AF_INET6, client, a) == 1)
		snprintf(out, size, "%02x%02x:%02x%02x:%02x%02x:%02x", a[0],
			 a[1], a[2], a[3], a[4], a[5], a[6]);
	else
		str_copy(out, size, "unknown");
}

static uint64_t key_of(enum kind kind, const char *client, const char *user)
{
	char network[64], text[KEY_MAX];
	int n;
	uint64_t key;

	network_of(client, network, sizeof(network));
	n = snprintf(text, sizeof(text), "%d %s %s", (int)kind,
		     kind == USER ? "" : network, kind == NETWORK ? "" : user);
	if (n < 0 || (size_t)n >= sizeof(text))
		n = sizeof(text) - 1;
	key = map_hash(text, (size_t)n);
	return key ? key : 1;
}

/* Counts failures down as time passes. */
static void forgive(struct entry *e, int64_t now_ms)
{
	int64_t n = (now_ms - e->seen_ms) / FORGET_MS;

	if (n <= 0)
		return;
	e->seen_ms += n * FORGET_MS;
	e->failures = n >= e->failures ? 0 : e->failures - (int)n;
}

static struct entry *look_up(uint64_t key, int64_t now_ms)
{
	struct entry *set = self.table[key % SETS];

	for (int i = 0; i < WAYS; i++)
		if (set[i].key == key) {
			forgive(&set[i], now_ms);
			return &set[i];
		}
	return NULL;
}

/* How much is lost if E is forgotten. A network from which a user has logged in
 * is worth as much as a persistent stranger: many strangers with one failure
 * each must not lock the user out. */
static int64_t weight(const struct entry *e, int64_t now_ms)
{
	int64_t failed = e->failures * FORGET_MS - (now_ms - e->seen_ms);
	int64_t known = KNOWN_MS - (now_ms - e->known_ms);

	if (!e->key)
		return -1;
	return (failed > 0 ? failed : 0) +
	       (e->known_ms && known > 0
			? FORGET_MS * KNOWN_WORTH * known / KNOWN_MS
			: 0);
}

/* The entry of KEY; a new one replaces the least important. */
static struct entry *obtain(uint64_t key, int64_t now_ms)
{
	struct entry *set = self.table[key % SETS], *least = set;
	struct entry *e = look_up(key, now_ms);

	if (e)
		return e;
	for (int i = 1; i < WAYS; i++)
		if (weight(&set[i], now_ms) < weight(least, now_ms))
			least = &set[i];
	*least = (struct entry){ .key = key, .seen_ms = now_ms };
	return least;
}

static int64_t pause_of(const struct entry *e)
{
	int over = e->failures - FREE_FAILURES;

	if (over <= 0)
		return 0;
	return over > 5 || PAUSE_MS << (over - 1) > PAUSE_MAX_MS
		       ? PAUSE_MAX_MS
		       : PAUSE_MS << (over - 1);
}

static bool is_known(const struct entry *e, int64_t now_ms)
{
	return e && e->known_ms && now_ms - e->known_ms < KNOWN_MS;
}

/* When E lets the next attempt be checked. */
static int64_t turn_of(const struct entry *e, int64_t now_ms)
{
	return e && pause_of(e) > 0 && e->free_ms > now_ms ? e->free_ms
							   : now_ms;
}

static void take_turn(struct entry *e, int64_t at_ms)
{
	if (e)
		e->free_ms = at_ms + pause_of(e);
}

int64_t guess_wait(const char *client, const char *user, int64_t now_ms)
{
	struct entry *pair = look_up(key_of(PAIR, client, user), now_ms);
	struct entry *network = NULL, *name = NULL;
	int64_t at = turn_of(pair, now_ms), other;

	if (!is_known(pair, now_ms)) {
		network = look_up(key_of(NETWORK, client, user), now_ms);
		name = look_up(key_of(USER, client, user), now_ms);
	}
	other = turn_of(network, now_ms);
	at = other > at ? other : at;
	other = turn_of(name, now_ms);
	at = other > at ? other : at;
	if (at - now_ms > WAIT_MAX_MS)
		return GUESS_REFUSED;
	take_turn(pair, at);
	take_turn(network, at);
	take_turn(name, at);
	return at - now_ms;
}

static void count_failure(uint64_t key, int64_t now_ms)
{
	struct entry *e = obtain(key, now_ms);
	int64_t free_ms;

	if (e->failures == 0)
		e->seen_ms = now_ms;
	if (e->failures < FAILURES_MAX)
		e->failures++;
	/* others may have their turns already, and are not overtaken */
	free_ms = now_ms + pause_of(e);
	if (e->free_ms < free_ms)
		e->free_ms = free_ms;
}

void guess_failed(const char *client, const char *user, const char *password,
		  int64_t now_ms)
{
	uint64_t wrong = map_hash(password, strlen(password));
	uint64_t key = key_of(PAIR, client, user);
	struct entry *pair = obtain(key, now_ms);
	bool again = pair->wrong == wrong;

	pair->wrong = wrong;
	if (again)
		return;
	count_failure(key, now_ms);
	count_failure(key_of(NETWORK, client, user), now_ms);
	count_failure(key_of(USER, client, user), now_ms);
}

void guess_succeeded(const char *client, const char *user, int64_t now_ms)
{
	struct entry *pair = obtain(key_of(PAIR, client, user), now_ms);

	pair->known_ms = now_ms;
	pair->failures = 0;
}
