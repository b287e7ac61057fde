#include "index/high-water.h"

#include <stddef.h>

#include "base/crc32c.h"
#include "base/file.h"

#define UID_STEP 1024u
#define MODSEQ_STEP (UINT64_C(1) << 20)

bool high_water_is_due(const struct totals *last, const struct totals *next)
{
	return next->uidnext / UID_STEP != last->uidnext / UID_STEP ||
	       next->modseq / MODSEQ_STEP != last->modseq / MODSEQ_STEP;
}

int high_water_raise(int lock, uint32_t uidvalidity, const struct totals *t)
{
	struct high_water h = {
		.magic = HIGH_WATER_MAGIC,
		.uidvalidity = uidvalidity,
		.uid = t->uidnext > UINT32_MAX - 2 * UID_STEP
			       ? UINT32_MAX
			       : t->uidnext + 2 * UID_STEP,
		.modseq = t->modseq + 2 * MODSEQ_STEP,
	};
	int code;

	h.crc = crc32c(0, &h, offsetof(struct high_water, crc));
	code = file_pwrite(lock, &h, sizeof(h), 0);
	if (!code && file_sync_data(lock) < 0)
		code = err_sys("sync", DISK_LOCK);
	return code;
}

int high_water_read(int lock, struct high_water *h)
{
	int code = file_pread(lock, h, sizeof(*h), 0);

	if (code)
		return code == ERR_EOF ? ERR_NOT_FOUND : code;
	return h->magic == HIGH_WATER_MAGIC && h->uidvalidity > 0 &&
			       h->uid > 0 &&
			       h->crc == crc32c(0, h,
						offsetof(struct high_water,
							 crc))
		       ? ERR_OK
		       : ERR_NOT_FOUND;
}
