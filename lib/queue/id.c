#include "queue/id.h"

#include <stddef.h>
#include <string.h>

#define TIME_DIGITS 11
#define SLOT_DIGITS 6

static const char digits[] = "0123456789BCDEFGHJKLMNPQRSTVWXYZ";

static void put(char *out, int n, uint64_t value)
{
	while (n-- > 0) {
		out[n] = digits[value & 31];
		value >>= 5;
	}
}

static bool get(const char *text, int n, uint64_t *value)
{
	*value = 0;
	for (int i = 0; i < n; i++) {
		const char *d = text[i] ? strchr(digits, text[i]) : NULL;

		if (!d)
			return false;
		*value = *value << 5 | (uint64_t)(d - digits);
	}
	return true;
}

void queue_id_make(char out[QUEUE_ID_SIZE], int64_t time_us, uint32_t slot)
{
	put(out, TIME_DIGITS, (uint64_t)time_us);
	put(out + TIME_DIGITS, SLOT_DIGITS, slot);
	out[TIME_DIGITS + SLOT_DIGITS] = '\0';
}

bool queue_id_slot(const char *id, uint32_t *slot)
{
	uint64_t ignored;

	return strlen(id) == TIME_DIGITS + SLOT_DIGITS &&
	       get(id, TIME_DIGITS, &ignored) &&
	       queue_slot_from_name(id + TIME_DIGITS, slot);
}

void queue_slot_dir(char out[QUEUE_PATH_SIZE], uint32_t slot)
{
	memcpy(out, "queue/", 6);
	put(out + 6, 2, slot / QUEUE_SLOTS_PER_DIR);
	out[8] = '\0';
}

void queue_slot_path(char out[QUEUE_PATH_SIZE], uint32_t slot)
{
	queue_slot_dir(out, slot);
	out[8] = '/';
	put(out + 9, SLOT_DIGITS, slot);
	out[9 + SLOT_DIGITS] = '\0';
}

bool queue_slot_from_name(const char *name, uint32_t *slot)
{
	uint64_t value;

	if (strlen(name) != SLOT_DIGITS || !get(name, SLOT_DIGITS, &value))
		return false;
	*slot = (uint32_t)value;
	return true;
}
