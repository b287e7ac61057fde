#include "mime/decode.h"

#include <errno.h>
#include <iconv.h>
#include <string.h>

#include "base/str.h"

/* glibc loads a module from disk for each of these; an open descriptor
 * keeps it in the process and in its children. */
static const char *const usual[] = {
	"ISO-8859-1",	"ISO-8859-2",	"ISO-8859-3",	"ISO-8859-4",
	"ISO-8859-5",	"ISO-8859-6",	"ISO-8859-7",	"ISO-8859-8",
	"ISO-8859-9",	"ISO-8859-10",	"ISO-8859-13",	"ISO-8859-14",
	"ISO-8859-15",	"ISO-8859-16",	"WINDOWS-1250", "WINDOWS-1251",
	"WINDOWS-1252", "WINDOWS-1253", "WINDOWS-1254", "WINDOWS-1255",
	"WINDOWS-1256", "WINDOWS-1257", "WINDOWS-1258", "KOI8-R",
	"KOI8-U",	"GB2312",	"GBK",		"GB18030",
	"BIG5",		"SHIFT_JIS",	"EUC-JP",	"ISO-2022-JP",
	"EUC-KR",	"UTF-7",	"UTF-16",	"UTF-16BE",
	"UTF-16LE",	"UTF-32",	"UTF-32BE",	"UTF-32LE",
	"ISO-2022-KR",	"IBM037",	"IBM500",	"IBM1140",
};

/* Other names that clients use for some of them. */
static const struct {
	const char *alias, *name;
} aliases[] = {
	{ "UTF7", "UTF-7" },
	{ "csUTF7", "UTF-7" },
	{ "unicode-1-1-utf-7", "UTF-7" },
	{ "csUnicode11UTF7", "UTF-7" },
	{ "unicode-2-0-utf-7", "UTF-7" },
	{ "x-unicode-1-1-utf-7", "UTF-7" },
	{ "x-unicode-2-0-utf-7", "UTF-7" },
	{ "UTF16", "UTF-16" },
	{ "UTF32", "UTF-32" },
	{ "CP037", "IBM037" },
	{ "ebcdic-cp-us", "IBM037" },
	{ "CP500", "IBM500" },
	{ "CP1140", "IBM1140" },
};

#define USUAL (sizeof(usual) / sizeof(*usual))
#define NAME_MAX_BYTES 64

static struct {
	iconv_t open[USUAL];
	bool ready;
} self;

static const iconv_t none = (iconv_t)-1;

void mime_charsets_preload(void)
{
	size_t i;

	if (self.ready)
		return;
	for (i = 0; i < USUAL; i++)
		self.open[i] = iconv_open("UTF-8", usual[i]);
	self.ready = true;
}

static const char *main_name(const char *charset)
{
	for (size_t i = 0; i < sizeof(aliases) / sizeof(*aliases); i++)
		if (str_equal_ci(charset, aliases[i].alias))
			return aliases[i].name;
	return charset;
}

/* A converter for CHARSET; *OWN: the caller must close it. */
static iconv_t converter(const char *charset, bool *own)
{
	size_t i;

	*own = false;
	charset = main_name(charset);
	for (i = 0; self.ready && i < USUAL; i++)
		if (str_equal_ci(charset, usual[i])) {
			if (self.open[i] != none)
				iconv(self.open[i], NULL, NULL, NULL, NULL);
			return self.open[i];
		}
	if (strlen(charset) > NAME_MAX_BYTES || strchr(charset, '/'))
		return none;
	*own = true;
	return iconv_open("UTF-8", charset);
}

static bool is_unicode(const char *charset)
{
	return str_equal_ci(charset, "UTF-8") ||
	       str_equal_ci(charset, "US-ASCII") ||
	       str_equal_ci(charset, "UTF8");
}

/* Charsets in which every ASCII byte is that character, and the beginnings of
 * names of such. */
static const char *const with_ascii[] = { "ISO-8859-",    "WINDOWS-1250",
					  "WINDOWS-1251", "WINDOWS-1252",
					  "KOI8-R",	  "KOI8-U" };

bool mime_is_utf8(const char *charset, const char *data, size_t n)
{
	if (is_unicode(charset))
		return true;
	for (size_t i = 0; i < sizeof(with_ascii) / sizeof(*with_ascii); i++)
		if (str_starts_ci(charset, with_ascii[i]))
			return str_span_is_ascii(data, n);
	return false;
}

static void convert(struct buf *out, iconv_t cd, const char *data, size_t n)
{
	char chunk[4096], *in, *to;
	size_t room, left = n;

	memcpy(&in, &data, sizeof(in)); /* iconv(3) takes char **, and reads */
	while (left > 0) {
		to = chunk;
		room = sizeof(chunk);
		if (iconv(cd, &in, &left, &to, &room) == (size_t)-1 &&
		    errno != E2BIG) {
			*to++ = '?';
			room--;
			in++;
			left--;
		}
		buf_put(out, chunk, (size_t)(to - chunk));
	}
}

static void put_ascii(struct buf *out, const char *data, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		buf_putc(out, (unsigned char)data[i] > 0x7f ? '?' : data[i]);
}

bool mime_to_utf8(struct buf *out, const char *charset, const char *data,
		  size_t n)
{
	iconv_t cd;
	bool own;

	if (is_unicode(charset)) {
		buf_put(out, data, n);
		return true;
	}
	cd = converter(charset, &own);
	if (cd == none) {
		put_ascii(out, data, n);
		return false;
	}
	convert(out, cd, data, n);
	if (own)
		iconv_close(cd);
	return true;
}

bool mime_charset_known(const char *charset)
{
	iconv_t cd;
	bool own;

	if (is_unicode(charset))
		return true;
	cd = converter(charset, &own);
	if (cd == none)
		return false;
	if (own)
		iconv_close(cd);
	return true;
}

/* The code pages of PCs, which contain ASCII, by the first digits of their
 * numbers; IBM's others are EBCDIC. */
static bool is_pc_page(const char *number)
{
	static const char *const pages[] = { "437", "720", "737", "775",
					     "85",  "86",  "874", "93",
					     "94",  "95",  "125" };

	for (size_t i = 0; i < sizeof(pages) / sizeof(*pages); i++)
		if (str_starts(number, pages[i]))
			return true;
	return false;
}

bool mime_charset_hides(const char *charset)
{
	static const char *const parts[] = { "utf",   "ucs",  "unicode",
					     "10646", "cdic", "escape",
					     "scsu",  "bocu", "puny" };
	char name[NAME_MAX_BYTES + 1];

	if (is_unicode(charset) || mime_charset_known(charset))
		return false;
	if (!str_copy(name, sizeof(name), charset))
		return true;
	str_lower(name);
	if (str_starts(name, "utf-8") || str_starts(name, "utf8"))
		return false;
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (strstr(name, parts[i]))
			return true;
	if (str_starts(name, "ibm"))
		return !is_pc_page(name + 3 + strspn(name + 3, "-_"));
	if (str_starts(name, "cp"))
		return !is_pc_page(name + 2 + strspn(name + 2, "-_"));
	return false;
}
