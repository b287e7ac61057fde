/*
 * The forms of the ids of UIDL.
 * link: pop3d/uidl.c
 */
#include <string.h>

#include "pop3d/uidl.h"
#include "t/unit/tap.h"

#define NAME "1700000000.M123P45.host,S=100"
#define LONG \
	"1700000000.M123456P45_1234567890.a.very.long.host.name.example.org," \
	"S=100"

static const struct {
	const char *format;
	const char *base;
	const char *id;
} forms[] = {
	{ "%08Xu%08Xv", NAME, "0000000b65531f0a" },
	{ "%u", NAME, "11" },
	{ "%v-%u", NAME, "1699946250-11" },
	{ "%v.%u", NAME, "1699946250.11" },
	{ "%08Xv%08Xu", NAME, "65531f0a0000000b" },
	{ "%Xu", NAME, "b" },
	{ "%06u", NAME, "000011" },
	{ "%f", NAME, NAME },
	{ "%g", NAME, NAME },
	{ "a%%%u!", NAME, "a%11!" },
	{ "%f", LONG, "0000000b65531f0a" },
	{ "%g-%u", NULL, "0000000b65531f0a" },
	{ "%f", "with a space", "0000000b65531f0a" },
	{ "%f", "gr\xc3\xbc\xc3\x9f", "0000000b65531f0a" },
	{ "%f", "", "0000000b65531f0a" },
};

static const char *const faulty[] = {
	"",	 "fixed", "%v",	     "%",     "%u%",	"%z",	"%u %v",
	"%8u",	 "%0u",	  "%021u",   "%0Xu",  "%08f",	"%Xg",	"%{uid}",
	"%u\t",	 "\xc3\xbc%u", "%Mf", "%m",
	"%020u%020u%020u%020u",
};

int main(void)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		struct uidl_message m = { 11, 1699946250, forms[i].base,
					  forms[i].base ? strlen(forms[i].base)
							: 0 };
		char id[UIDL_SIZE];

		ok(!uidl_fault(forms[i].format), "%s is a format",
		   forms[i].format);
		uidl_make(forms[i].format, &m, id);
		is(id, forms[i].id, forms[i].format);
	}
	for (size_t i = 0; i < sizeof(faulty) / sizeof(*faulty); i++)
		ok(uidl_fault(faulty[i]) != NULL, "\"%s\" is none: %s",
		   faulty[i], uidl_fault(faulty[i]));
	return done();
}
