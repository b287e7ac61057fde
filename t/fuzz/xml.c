/*
 * What commands make of strangers' attachments, as XML.
 * link: decoder/xml.c
 */
#include "fuzz.h"

#include <string.h>

#include "decoder/xml.h"

FUZZ_SEEDS("<?xml version=\"1.0\"?><w:p><w:r><w:t>wo</w:t></w:r></w:p>",
	   "a<!-- b -->c", "&#65;&#x1f600;&amp;&lt;&#xd800;&;", "<a", "<", "&",
	   "<!--", "<text:s/>&nbsp;")

void fuzz_one(const char *data, size_t n)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	buf_put(&b, data, n);
	xml_strip(&b);
	FUZZ_CHECK(b.len <= n && b.data[b.len] == '\0');
	/* a '<' that is left was written as a name */
	FUZZ_CHECK(memchr(data, '&', n) || !memchr(b.data, '<', b.len));
	buf_free(&b);
}
