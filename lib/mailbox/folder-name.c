/*
 * Folder names: UTF-8 in memory; on the wire modified UTF-7 or UTF-8; on disk
 * modified UTF-7 with dots between levels, or what other programs made of them.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <uninorm.h>

#include "base/err.h"
#include "base/str.h"
#include "mailbox/mutf7.h"
#include "mailbox/private.h"

#define INBOX "INBOX"

bool store_name_to_mutf7(const char *utf8, char *out, size_t size)
{
	if (size == 0)
		return false;
	out[0] = '\0';
	return str_is_utf8(utf8, strlen(utf8)) &&
	       mutf7_encode(utf8, out, size, false);
}

/* Is the first level INBOX, however it is spelt? */
static bool begins_with_inbox(const char *name)
{
	size_t n = strlen(INBOX);

	return str_starts_ci(name, INBOX) &&
	       (name[n] == '\0' || name[n] == '/');
}

bool store_name_from_mutf7(const char *mutf7, char *out, size_t size)
{
	char again[4096];

	/* Only the one right spelling: else one folder would have two names. */
	if (!mutf7_decode(mutf7, out, size, false))
		return false;
	if (!mutf7_encode(out, again, sizeof(again), false) ||
	    strcmp(again, mutf7) != 0) {
		out[0] = '\0';
		return false;
	}
	if (begins_with_inbox(out))
		memcpy(out, INBOX, strlen(INBOX));
	return true;
}

/* Is a character that ends lines, or controls something, at P? */
static bool is_control(const char *p)
{
	const unsigned char *c = (const unsigned char *)p;

	return c[0] < 0x20 || c[0] == 0x7f || (c[0] == 0xc2 && c[1] < 0xa0) ||
	       (c[0] == 0xe2 && c[1] == 0x80 && (c[2] | 1) == 0xa9);
}

bool store_name_from_utf8(const char *utf8, char *out, size_t size)
{
	size_t i, n = strlen(utf8);

	if (size == 0)
		return false;
	out[0] = '\0';
	if (n >= size || !str_is_utf8(utf8, n))
		return false;
	for (i = 0; i < n; i++)
		if (is_control(utf8 + i))
			return false;
	memcpy(out, utf8, n + 1);
	if (begins_with_inbox(out))
		memcpy(out, INBOX, strlen(INBOX));
	return true;
}

bool store_name_to_nfc(const char *utf8, char *out, size_t size)
{
	size_t n = strlen(utf8), made = size;
	uint8_t *nfc;

	if (!str_is_utf8(utf8, n))
		return false;
	nfc = u8_normalize(UNINORM_NFC, (const uint8_t *)utf8, n,
			   (uint8_t *)out, &made);
	if (nfc != (uint8_t *)out) {
		free(nfc); /* NULL, or more than SIZE */
		return n == 0 && size > 0 && !(*out = '\0');
	}
	if (made >= size)
		return false;
	out[made] = '\0';
	return true;
}

int store_check_name(const char *name)
{
	char disk[DISK_NAME_SIZE];

	return disk_name(name, disk);
}

int disk_name(const char *name, char out[DISK_NAME_SIZE])
{
	size_t n = strlen(name);
	const char *p;

	if (str_equal_ci(name, INBOX)) {
		strcpy(out, ".");
		return ERR_OK;
	}
	if (n == 0 || !str_is_utf8(name, n) || name[0] == '/' ||
	    name[n - 1] == '/' || strstr(name, "//"))
		return ERR_SYNTAX;
	for (p = name; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return ERR_SYNTAX;
	out[0] = '.';
	if (!mutf7_encode(name, out + 1, STORE_NAME_MAX, true))
		return ERR_TOO_LONG;
	if (begins_with_inbox(name))
		memcpy(out + 1, INBOX, strlen(INBOX));
	return ERR_OK;
}

/* The other spelling of NAME that other programs have: UTF-8 as it is. False:
 * there is none, or it is the same. */
static bool plain_name(const char *name, char out[DISK_NAME_SIZE])
{
	size_t n = strlen(name);

	if (begins_with_inbox(name) || strchr(name, '.') ||
	    n + 2 > DISK_NAME_SIZE)
		return false;
	out[0] = '.';
	memcpy(out + 1, name, n + 1);
	for (char *p = out + 1; *p; p++)
		if (*p == '/')
			*p = '.';
	return strchr(name, '&') || !str_is_ascii(name);
}

static bool is_dir(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(st.st_mode);
}

int disk_name_in(int dir, const char *name, char out[DISK_NAME_SIZE])
{
	char plain[DISK_NAME_SIZE];
	int code = disk_name(name, out);

	if ((code && code != ERR_TOO_LONG) || !plain_name(name, plain) ||
	    (!code && is_dir(dir, out)) || !is_dir(dir, plain))
		return code;
	memcpy(out, plain, sizeof(plain));
	return ERR_OK;
}

bool disk_name_read(const char *disk, char *out, size_t size)
{
	char again[DISK_NAME_SIZE];

	return disk[0] == '.' && mutf7_decode(disk + 1, out, size, true) &&
	       disk_name(out, again) == ERR_OK && strcmp(again, disk) == 0;
}

bool disk_name_read_plain(const char *disk, char *out, size_t size)
{
	char again[DISK_NAME_SIZE];
	int code;

	if (disk[0] != '.' || !str_copy(out, size, disk + 1))
		return false;
	for (char *p = out; *p; p++)
		if (*p == '.')
			*p = '/';
	code = disk_name(out, again);
	return (!code || code == ERR_TOO_LONG) && plain_name(out, again) &&
	       strcmp(again, disk) == 0;
}
