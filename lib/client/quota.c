#include "client/quota.h"

bool quota_exists(const struct quota *q)
{
	return q->bytes > 0 || q->messages > 0;
}

/* LIMIT and PERCENT more; no limit is the greatest. */
static uint64_t most(int64_t limit, int percent)
{
	uint64_t n = (uint64_t)limit, p = (uint64_t)percent;

	return limit > 0 ? n + n / 100 * p + n % 100 * p / 100 : INT64_MAX;
}

bool quota_allows(const struct quota *q, uint64_t bytes, uint64_t messages,
		  int percent)
{
	return bytes <= most(q->bytes, percent) &&
	       messages <= most(q->messages, percent);
}

int64_t quota_room(const struct quota *q, uint64_t bytes, uint64_t messages,
		   int percent)
{
	uint64_t limit = most(q->bytes, percent);

	if (messages >= most(q->messages, percent) || bytes >= limit)
		return 0;
	return q->bytes > 0 ? (int64_t)(limit - bytes) : INT64_MAX;
}

void quota_put(struct ipc_out *m, const struct quota *q)
{
	if (q->bytes > 0)
		ipc_put_int(m, "quota", q->bytes);
	if (q->messages > 0)
		ipc_put_int(m, "quota-messages", q->messages);
}

static bool get(const struct ipc_in *m, const char *name, int64_t *value)
{
	*value = 0;
	return !ipc_get(m, name) || ipc_int(m, name, 0, INT64_MAX / 4, value);
}

bool quota_get(const struct ipc_in *m, struct quota *q)
{
	return get(m, "quota", &q->bytes) &&
	       get(m, "quota-messages", &q->messages);
}
