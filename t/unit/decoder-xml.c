/*
 * Text of XML, as office documents have it.
 * link: decoder/xml.c
 */
#include <string.h>

#include "decoder/xml.h"
#include "tap.h"

static const struct {
	const char *promise;
	const char *xml;
	const char *text;
} cases[] = {
	{ "nothing", "", "" },
	{ "text", "some text", "some text" },
	{ "tags that divide", "<w:p>one</w:p><w:p>two</w:p>", "one\ntwo\n" },
	{ "tags within a word",
	  "<w:p><w:r><w:t>wo</w:t></w:r><w:r><w:t xml:space='preserve'>rd</w:t>"
	  "</w:r></w:p>",
	  "word\n" },
	{ "a link", "see <text:a href=\"x\">here</text:a>.", "see here." },
	{ "a tab", "one<w:tab/>two", "one\ntwo" },
	{ "names end where names end", "a<w:rx>b", "a\nb" },
	{ "a comment", "a<!-- > <b> -->b", "a\nb" },
	{ "characters", "&lt;&amp;&gt;&quot;&apos;", "<&>\"'" },
	{ "one pass", "&amp;lt;", "&lt;" },
	{ "numbers", "&#65;&#x42;&#xe4;&#x20ac;&#x1f600;",
	  "AB\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80" },
	{ "none of these", "&#0;&#xd800;&#x110000;&#;&#x;&other;& ;&",
	  "&#0;&#xd800;&#x110000;&#;&#x;&other;& ;&" },
	{ "a tag without end", "text<w:t attribute=", "text" },
	{ "a comment without end", "a<!-- b", "a\n" },
	{ "an end alone", "a>b", "a>b" },
};

static void check(const char *promise, const char *xml, const char *text)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	buf_puts(&b, xml);
	xml_strip(&b);
	ok(b.len == strlen(text) && memcmp(b.data, text, b.len) == 0, "%s: %s",
	   promise, b.data);
	buf_free(&b);
}

static bool is_xml(const char *text)
{
	struct buf b;
	bool yes;

	buf_init(&b, 1000);
	buf_puts(&b, text);
	yes = xml_is(&b);
	buf_free(&b);
	return yes;
}

int main(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		check(cases[i].promise, cases[i].xml, cases[i].text);
	ok(is_xml("<?xml version='1.0'?><a>") && is_xml("\xef\xbb\xbf<?xml ?>"), "XML");
	ok(!is_xml("") && !is_xml("<html>") && !is_xml("text"), "what is none");
	return done();
}
