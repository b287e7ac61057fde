/*
 * Answers of the DNS, as they come from the network. The first byte of an
 * input chooses the type that is asked for.
 *
 * link: resolver/wire.c
 */
#include "fuzz.h"

#include <string.h>

#include "base/str.h"
#include "resolver/wire.h"

#define HEADER "\x12\x34\x81\x80\0\1\0\3\0\0\0\0"
#define QUESTION "\1x\4test\0\0\1\0\1"
#define TTL "\0\1\0\0\x0e\x10"

static const char *const types[] = { "A",  "NS",  "CNAME", "PTR",
				     "MX", "TXT", "AAAA",  "TLSA" };

#define SEED(letter, text)                                         \
	{                                                          \
		letter HEADER QUESTION text,                       \
			sizeof(letter HEADER QUESTION text) - 1    \
	}

/* Names point to the question (\300\14), or into each other. */
static const struct {
	const char *data;
	size_t n;
} seeds[] = {
	SEED("\0", "\300\14\0\1" TTL "\0\4\300\0\2\1"
		   "\300\14\0\5" TTL "\0\4\1y\300\14"
		   "\1y\300\14\0\1" TTL "\0\4\300\0\2\2"),
	SEED("\4", "\300\14\0\17" TTL "\0\7\0\5\2mx\300\14"
		   "\300\14\0\17" TTL "\0\3\0\12\0"
		   "\300\14\0\56" TTL "\0\2ab"),
	SEED("\5", "\300\14\0\20" TTL "\0\10\2ab\4cd\0e"
		   "\300\14\0\20" TTL "\0\1\0"
		   "\1.\300\14\0\20" TTL "\0\2\1\\"),
	SEED("\6", "\300\14\0\34" TTL "\0\20\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\1"),
	SEED("\7", "\300\14\0\64" TTL "\0\7\3\1\1\1\2\3\4"),
};

bool fuzz_seed(unsigned i, struct buf *b)
{
	if (i >= sizeof(seeds) / sizeof(*seeds))
		return false;
	buf_put(b, seeds[i].data, seeds[i].n);
	return true;
}

/* A name can be shown, and stands in no way for two. */
static void check_name(const char *name)
{
	FUZZ_CHECK(strlen(name) < WIRE_NAME_SIZE);
	for (; *name; name++)
		FUZZ_CHECK(*name > ' ' && *name <= '~');
}

void fuzz_one(const char *data, size_t n)
{
	const unsigned char *bytes = (const unsigned char *)data;
	const char *type = types[n ? bytes[0] % 8 : 0];
	struct wire_answer w = { 0 };

	if (n == 0)
		return;
	if (wire_read(bytes + 1, n - 1, "x.test", wire_type(type), &w)) {
		FUZZ_CHECK(w.record.n <= WIRE_RECORDS_MAX);
		check_name(w.canonical);
		for (size_t i = 0; i < w.record.n; i++)
			if (str_equal(type, "CNAME") ||
			    str_equal(type, "NS") || str_equal(type, "PTR"))
				check_name(w.record.item[i]);
	}
	strlist_free(&w.record);
}
