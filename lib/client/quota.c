#include "client/quota.h"

bool quota_exists(const struct quota *q)
{
	return q->bytes > 0 || q->messages > 0;
}

static bool allows(int64_t limit, uint64_t value, int percent)
{
	uint64_t most = (uint64_t)limit;

	return limit <= 0 ||
	       value <= most + most / 100 * (uint64_t)percent +
				most % 100 * (uint64_t)percent / 100;
}

bool quota_allows(const struct quota *q, uint64_t bytes, uint64_t messages,
		  int percent)
{
	return allows(q->bytes, bytes, percent) &&
	       allows(q->messages, messages, percent);
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
