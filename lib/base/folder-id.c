#include "base/folder-id.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void folder_token_end(struct folder_token *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

bool folder_id_equal(struct folder_id a, struct folder_id b)
{
	return a.high == b.high && a.low == b.low;
}

void folder_id_text(struct folder_id id, char out[FOLDER_ID_SIZE])
{
	snprintf(out, FOLDER_ID_SIZE, "%016" PRIx64 "%016" PRIx64, id.high,
		 id.low);
}

bool folder_id_read(const char *text, struct folder_id *id)
{
	char half[17] = "";

	if (!text || strlen(text) != FOLDER_ID_SIZE - 1 ||
	    strspn(text, "0123456789abcdef") != FOLDER_ID_SIZE - 1)
		return false;
	memcpy(half, text, 16);
	id->high = strtoull(half, NULL, 16);
	id->low = strtoull(text + 16, NULL, 16);
	return true;
}
