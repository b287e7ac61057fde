#include "base/crc32c.h"

#include <stdbool.h>
#include <string.h>

#define POLYNOMIAL 0x82f63b78u /* reflected */

static struct {
	uint32_t table[256];
	bool ready;
	bool hardware;
} self;

static void prepare(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t v = i;

		for (int bit = 0; bit < 8; bit++)
			v = v & 1 ? v >> 1 ^ POLYNOMIAL : v >> 1;
		self.table[i] = v;
	}
#if defined(__x86_64__)
	self.hardware = __builtin_cpu_supports("sse4.2");
#endif
	self.ready = true;
}

static uint32_t by_table(uint32_t crc, const unsigned char *p, size_t n)
{
	while (n-- > 0)
		crc = crc >> 8 ^ self.table[(crc ^ *p++) & 0xff];
	return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t by_hardware(
	uint32_t crc, const unsigned char *p, size_t n)
{
	uint64_t wide = crc, word;

	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&word, p, 8);
		wide = __builtin_ia32_crc32di(wide, word);
	}
	return by_table((uint32_t)wide, p, n);
}
#else
#define by_hardware by_table
#endif

uint32_t crc32c(uint32_t crc, const void *data, size_t n)
{
	if (!self.ready)
		prepare();
	crc = ~crc;
	crc = self.hardware ? by_hardware(crc, data, n)
			    : by_table(crc, data, n);
	return ~crc;
}

/* A linear map of checksums: what each bit becomes. */
struct map {
	uint32_t of[32];
};

static uint32_t map_apply(const struct map *m, uint32_t v)
{
	uint32_t sum = 0;

	for (int i = 0; v; i++, v >>= 1)
		if (v & 1)
			sum ^= m->of[i];
	return sum;
}

static struct map map_twice(const struct map *m)
{
	struct map twice;

	for (int i = 0; i < 32; i++)
		twice.of[i] = map_apply(m, m->of[i]);
	return twice;
}

uint32_t crc32c_shift(uint32_t crc, uint64_t n)
{
	struct map zero = { { POLYNOMIAL } }; /* one bit of zero */

	for (int i = 1; i < 32; i++)
		zero.of[i] = UINT32_C(1) << (i - 1);
	for (int i = 0; i < 3; i++)
		zero = map_twice(&zero);
	for (; n > 0; n >>= 1) {
		if (n & 1)
			crc = map_apply(&zero, crc);
		zero = map_twice(&zero);
	}
	return crc;
}
