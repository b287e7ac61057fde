#include "t/crash/counts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

uint64_t counts_failure(struct counts *c, const char *why, uint64_t n)
{
	size_t size = strcspn(why, ":"), i = 0;

	if (size >= sizeof(c->failure[0].what))
		size = sizeof(c->failure[0].what) - 1;
	while (i < CLASSES - 1 && c->failure[i].n &&
	       (strncmp(c->failure[i].what, why, size) != 0 ||
		c->failure[i].what[size]))
		i++;
	snprintf(c->failure[i].what, sizeof(c->failure[i].what), "%.*s",
		 (int)size, why);
	c->failure[i].n += n;
	return c->failure[i].n - n;
}

void counts_add(struct counts *to, const struct counts *from)
{
	to->moments += from->moments;
	to->interrupted += from->interrupted;
	to->sequences += from->sequences;
	to->idle += from->idle;
	for (int i = 0; i < SAIDS; i++)
		to->said[i] += from->said[i];
	for (int i = 0; i < STATE_KINDS; i++) {
		to->tried[i] += from->tried[i];
		to->failed[i] += from->failed[i];
	}
	to->twice += from->twice;
	for (int i = 0; i < CLASSES && from->failure[i].n; i++)
		counts_failure(to, from->failure[i].what, from->failure[i].n);
}

uint64_t counts_failed(const struct counts *c)
{
	uint64_t n = 0;

	for (int i = 0; i < STATE_KINDS; i++)
		n += c->failed[i];
	return n;
}

uint64_t counts_print(const struct counts *c)
{
	uint64_t tried = 0, failed = 0;

	printf("# %-34s %8s %8s\n", "states after a power cut", "tried",
	       "failed");
	for (int i = 0; i < STATE_KINDS; i++) {
		printf("# %-34s %8" PRIu64 " %8" PRIu64 "\n",
		       state_kind_name[i], c->tried[i], c->failed[i]);
		tried += c->tried[i];
		failed += c->failed[i];
	}
	printf("# %-34s %8" PRIu64 " %8" PRIu64 "  at %" PRIu64 " moments\n",
	       "all", tried, failed, c->moments);
	if (c->sequences)
		printf("# %" PRIu64 " sequences, %" PRIu64
		       " that do nothing at their end\n",
		       c->sequences, c->idle);
	printf("# %" PRIu64
	       " of them bring a message twice, which is allowed\n",
	       c->twice);
	printf("# %" PRIu64 " recoveries were interrupted by a second cut\n",
	       c->interrupted);
	for (int i = 0; i < SAIDS; i++)
		printf("# recovery said %8" PRIu64 " times: %s\n", c->said[i],
		       said_text[i]);
	for (int i = 0; i < CLASSES && c->failure[i].n; i++)
		printf("# %8" PRIu64 " failed: %s\n", c->failure[i].n,
		       c->failure[i].what);
	return failed;
}
