/*
 * A reader is a position in a message and only goes forward; malformed data
 * ends it, and every function then gives false. Names may be compressed: a
 * pointer must lead to an earlier place than its own, so that each jump
 * shortens the rest and loops are impossible. Records of other types and
 * classes are skipped. The output is text as client/dns.h wants it: no byte of
 * a name or a TXT record can look like something else.
 */
#include "resolver/wire.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/encode.h"
#include "base/mem.h"

#define HEADER_SIZE 12
#define TYPE_CNAME 5
#define CNAMES_MAX 16

/* A message and the place up to which it is read. */
struct message {
	const unsigned char *data;
	size_t n;
	size_t at;
};

struct record {
	char owner[WIRE_NAME_SIZE];
	unsigned type;
	uint32_t ttl;
	struct message rdata; /* the whole message up to the data's end */
};

static bool take_u8(struct message *m, unsigned *v)
{
	if (m->at >= m->n)
		return false;
	*v = m->data[m->at++];
	return true;
}

static bool take_u16(struct message *m, unsigned *v)
{
	if (m->n - m->at < 2)
		return false;
	*v = (unsigned)m->data[m->at] << 8 | m->data[m->at + 1];
	m->at += 2;
	return true;
}

static bool take_u32(struct message *m, uint32_t *v)
{
	unsigned high, low;

	if (!take_u16(m, &high) || !take_u16(m, &low))
		return false;
	*v = (uint32_t)high << 16 | low;
	return true;
}

/* One label as text: what is not visible, a dot and a backslash
 * become \DDD (RFC 1035 section 5.1). */
static size_t put_label(char *out, const unsigned char *label, size_t n)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		int c = str_tolower(label[i]);

		if (c > 0x20 && c < 0x7f && c != '.' && c != '\\')
			out[len++] = (char)c;
		else
			len += (size_t)sprintf(out + len, "\\%03d", c);
	}
	return len;
}

/* Follows the pointer whose first byte was HIGH, only backwards, so that it
 * terminates. */
static bool jump(struct message *m, unsigned high)
{
	size_t here = m->at - 1;
	unsigned low;

	if ((high & 0xc0) != 0xc0 || !take_u8(m, &low))
		return false;
	m->at = (size_t)(high & 0x3f) << 8 | low;
	return m->at < here;
}

/* Adds the label of N octets at WALK to the LEN bytes in OUT. */
static bool add_label(struct message *walk, unsigned n, char *out, size_t *len)
{
	if (walk->n - walk->at < n)
		return false;
	if (*len > 0)
		out[(*len)++] = '.';
	*len += put_label(out + *len, walk->data + walk->at, n);
	walk->at += n;
	return true;
}

/* A name, perhaps compressed (RFC 1035 section 4.1.4), "." for the root. */
static bool take_name(struct message *m, char *out)
{
	struct message walk = *m;
	size_t len = 0, octets = 1, end = 0;
	unsigned n;

	for (;;) {
		if (!take_u8(&walk, &n))
			return false;
		if (n == 0)
			break;
		if (n > 63) {
			if (!end)
				end = walk.at + 1;
			if (!jump(&walk, n))
				return false;
			continue;
		}
		octets += n + 1;
		if (octets > 255 || !add_label(&walk, n, out, &len))
			return false;
	}
	m->at = end ? end : walk.at;
	if (len == 0)
		out[len++] = '.';
	out[len] = '\0';
	return true;
}

static bool take_record(struct message *m, struct record *r)
{
	unsigned class, length;

	if (!take_name(m, r->owner) || !take_u16(m, &r->type) ||
	    !take_u16(m, &class) || !take_u32(m, &r->ttl) ||
	    !take_u16(m, &length) || m->n - m->at < length)
		return false;
	r->rdata = (struct message){ m->data, m->at + length, m->at };
	m->at += length;
	return true;
}

/* Types: each writes its data as text, and gives whether it was valid. */

static bool text_address(struct message *m, struct buf *out, int family,
			 size_t size)
{
	char text[INET6_ADDRSTRLEN];

	if (m->n - m->at != size)
		return false;
	inet_ntop(family, m->data + m->at, text, sizeof(text));
	buf_puts(out, text);
	return true;
}

static bool text_a(struct message *m, struct buf *out)
{
	return text_address(m, out, AF_INET, 4);
}

static bool text_aaaa(struct message *m, struct buf *out)
{
	return text_address(m, out, AF_INET6, 16);
}

static bool text_name(struct message *m, struct buf *out)
{
	char name[WIRE_NAME_SIZE];

	if (!take_name(m, name) || m->at != m->n)
		return false;
	buf_puts(out, name);
	return true;
}

static bool text_mx(struct message *m, struct buf *out)
{
	unsigned preference;

	if (!take_u16(m, &preference))
		return false;
	buf_printf(out, "%u ", preference);
	return text_name(m, out);
}

static bool text_txt(struct message *m, struct buf *out)
{
	unsigned n;

	while (m->at < m->n) {
		if (!take_u8(m, &n) || m->n - m->at < n)
			return false;
		for (; n > 0; n--, m->at++)
			buf_putc(out,
				 m->data[m->at] ? (char)m->data[m->at] : '?');
	}
	return true;
}

/* RFC 6698 section 2.1. */
static bool text_tlsa(struct message *m, struct buf *out)
{
	unsigned usage, selector, matching;

	if (!take_u8(m, &usage) || !take_u8(m, &selector) ||
	    !take_u8(m, &matching))
		return false;
	buf_printf(out, "%u %u %u ", usage, selector, matching);
	encode_hex(out, m->data + m->at, m->n - m->at);
	return true;
}

static const struct {
	const char *name;
	unsigned number;
	bool (*text)(struct message *m, struct buf *out);
} types[] = {
	{ "A", 1, text_a },	   { "NS", 2, text_name },
	{ "CNAME", 5, text_name }, { "PTR", 12, text_name },
	{ "MX", 15, text_mx },	   { "TXT", 16, text_txt },
	{ "AAAA", 28, text_aaaa }, { "TLSA", 52, text_tlsa },
};

#define TYPES (sizeof(types) / sizeof(types[0]))

unsigned wire_type(const char *name)
{
	for (size_t i = 0; i < TYPES; i++)
		if (strcmp(types[i].name, name) == 0)
			return types[i].number;
	return 0;
}

bool wire_name(const char *name, char *out, size_t size)
{
	size_t len = strlen(name), label = 0, n = 0;

	if (len > 1 && name[len - 1] == '.')
		len--;
	if (len == 0 || len > 253)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)name[i];

		label = c == '.' ? 0 : label + 1;
		if (c < ' ' || c >= 0x7f || c == '\\' || label > 63 ||
		    n + 5 > size ||
		    (c == '.' && (i == 0 || name[i - 1] == '.') && len > 1))
			return false;
		if (c == ' ')
			n += (size_t)sprintf(out + n, "\\%03d", c);
		else
			out[n++] = (char)str_tolower(c);
	}
	out[n] = '\0';
	return len == 1 || name[len - 1] != '.';
}

static bool put_record(struct record *r, struct strlist *list)
{
	struct buf text;
	bool good = false;

	buf_init(&text, 65536 * 2);
	for (size_t i = 0; i < TYPES; i++)
		if (types[i].number == r->type)
			good = types[i].text(&r->rdata, &text);
	if (good && !text.over)
		strlist_add_span(list, text.data, text.len);
	buf_free(&text);
	return good;
}

static void use_ttl(struct wire_answer *out, uint32_t ttl, bool *any)
{
	if (!*any || ttl < out->ttl)
		out->ttl = ttl;
	*any = true;
}

/* Follows one CNAME of the current name; false if there is none. */
static bool follow(const struct record *r, size_t n, struct wire_answer *out,
		   bool *any)
{
	for (size_t i = 0; i < n; i++) {
		struct message rdata = r[i].rdata;

		if (r[i].type != TYPE_CNAME ||
		    strcmp(r[i].owner, out->canonical) != 0)
			continue;
		use_ttl(out, r[i].ttl, any);
		return take_name(&rdata, out->canonical);
	}
	return false;
}

static bool collect(struct record *r, size_t n, unsigned type,
		    struct wire_answer *out)
{
	bool any = false;

	for (int i = 0; type != TYPE_CNAME && i < CNAMES_MAX; i++)
		if (!follow(r, n, out, &any))
			break;
	for (size_t i = 0; i < n && !out->too_many; i++) {
		if (r[i].type != type ||
		    strcmp(r[i].owner, out->canonical) != 0)
			continue;
		if (out->record.n == WIRE_RECORDS_MAX) {
			out->too_many = true;
			break;
		}
		use_ttl(out, r[i].ttl, &any);
		if (!put_record(&r[i], &out->record))
			return false;
	}
	return true;
}

/* Header and question; leaves M at the answers, *COUNT of them. */
static bool take_header(struct message *m, int *rcode, unsigned *count)
{
	unsigned flags, questions, skip;
	char name[WIRE_NAME_SIZE];

	if (m->n < HEADER_SIZE || !take_u16(m, &skip) || !take_u16(m, &flags) ||
	    !take_u16(m, &questions) || !take_u16(m, count) || questions > 1)
		return false;
	*rcode = (int)(flags & 15);
	m->at = HEADER_SIZE;
	return questions == 0 ||
	       (take_name(m, name) && take_u16(m, &skip) && take_u16(m, &skip));
}

bool wire_read(const unsigned char *data, size_t n, const char *name,
	       unsigned type, struct wire_answer *out)
{
	struct message m = { data, n, 0 };
	struct record *record;
	unsigned count;
	size_t have = 0, room;
	bool good = true;

	*out = (struct wire_answer){ .rcode = -1 };
	if (!str_copy(out->canonical, sizeof(out->canonical), name) ||
	    !take_header(&m, &out->rcode, &count))
		return false;
	/* there are signatures between the records: RRSIG is type 46 */
	out->too_many = count > 2 * WIRE_RECORDS_MAX;
	room = out->too_many ? 0 : count;
	record = mem_array(room + 1, sizeof(*record));
	while (good && have < room)
		good = take_record(&m, &record[have++]);
	good = good && collect(record, have, type, out);
	free(record);
	return good;
}
