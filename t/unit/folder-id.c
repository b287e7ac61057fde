/* The text of a folder's id goes from program to program. */
#include "base/folder-id.h"

#include "t/unit/tap.h"

int main(void)
{
	const struct folder_id id = { UINT64_MAX - 1, 0x1f };
	char text[FOLDER_ID_SIZE];
	struct folder_id back;

	folder_id_text(id, text);
	is(text, "fffffffffffffffe000000000000001f", "both halves in full");
	ok(folder_id_read(text, &back) && folder_id_equal(id, back),
	   "comes back as it was");
	text[31] = 'g';
	ok(!folder_id_read(text, &back), "a letter beyond f is none");
	text[31] = '\0';
	ok(!folder_id_read(text, &back), "one digit less is none");
	ok(!folder_id_read(NULL, &back), "no text is none");
	return done();
}
