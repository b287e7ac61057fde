/*
 * Names that other programs give to the files and folders of a Maildir, and
 * clients to folders.
 */
#include "fuzz.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "maildir/name.h"
#include "mailbox/store.h"

FUZZ_SEEDS("1700000000.M1P2V3.posthorn,U=7,S=100,W=105:2,FSab",
	   "1700000000.M000001P20V0000000000000801I05E1.host,S=10:2,",
	   "1.M1V99999999999.posthorn,U=4294967295,S=-1:2,ZZ", ".hidden",
	   "1.foreign:2,RS", "a:1,x:2,D", "Archive/2026/M\xc3\xa4rz",
	   "inbox/&AOQ-/x", "&-&AC4-&2D3e8A-", "INBOX/a.b", "a//b", "~/../x", "a\xcc\x88\xe2\x84\xab")

/* A message's name, and what we make of it, lead to the same message. */
static void check_message(const char *text)
{
	struct listing_file f = { .text = 0 }, again = { .text = 0 };
	char name[MAILDIR_NAME_SIZE];

	if (!name_parse(text, &f))
		return;
	FUZZ_CHECK(f.nbase > 0 && f.nbase <= NAME_BASE_MAX);
	FUZZ_CHECK(f.size <= UINT32_MAX && f.wire <= UINT32_MAX);
	FUZZ_CHECK(!f.uid || f.validity);
	name_file(name, text, f.nbase, DIR_CUR, f.letters);
	FUZZ_CHECK(name_parse(name, &again));
	FUZZ_CHECK(again.nbase == f.nbase && again.letters == f.letters &&
		   again.uid == f.uid && again.validity == f.validity &&
		   again.size == f.size && again.wire == f.wire);
}

/* A folder's name that could be created has one form on the wire. */
static void check_folder(const char *text)
{
	char name[8 * STORE_NAME_MAX], again[8 * STORE_NAME_MAX];
	char wire[4 * sizeof(name)]; /* the longer form of whatever fits there */

	if (store_check_name(text) == ERR_OK) {
		FUZZ_CHECK(store_name_to_mutf7(text, wire, sizeof(wire)));
		FUZZ_CHECK(store_name_from_mutf7(wire, name, sizeof(name)));
		FUZZ_CHECK(store_check_name(name) == ERR_OK);
	}
	if (store_name_from_mutf7(text, name, sizeof(name))) {
		FUZZ_CHECK(store_name_to_mutf7(name, wire, sizeof(wire)));
		FUZZ_CHECK(store_name_from_mutf7(wire, again, sizeof(again)));
		FUZZ_CHECK(strcmp(name, again) == 0);
	}
	if (store_name_to_nfc(text, name, sizeof(name))) {
		FUZZ_CHECK(store_name_to_nfc(name, again, sizeof(again)));
		FUZZ_CHECK(strcmp(name, again) == 0);
	}
}

void fuzz_one(const char *data, size_t n)
{
	char *text = mem_strndup(data, n);

	check_message(text);
	check_folder(text);
	free(text);
}
