/* The configuration that master hands to services: whatever stands in the
 * file, it is one that `posthorn check` would accept, or there is none. */
#include "fuzz.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "config/config.h"

#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)
#define SEED(text)                 \
	{                          \
		text, sizeof(text) \
	}

static const struct {
	const char *data;
	size_t n;
} seeds[] = {
	SEED("myhostname\0mail.x.test\0/c:1\0mail.x.test\0"),
	SEED("smtp_port\0$x\0/c:2\0"
	     "25\0queue_minfree\0"
	     "5M\0\0"
	     "5M\0"),
	SEED("mynetworks\0a b\0\0a, b\0no_such_name\0x\0y\0z\0"),
	SEED("virtual_alias_maps\0inline:{a=b}\0o\0inline:{a=b}\0"),
	SEED("smtp_tls_security_level\0may\0\0may\0minimal_backoff_time\0"
	     "5m\0\0"
	     "300\0"),
	SEED(""),
};

bool fuzz_seed(unsigned i, struct buf *b)
{
	if (i < sizeof(seeds) / sizeof(*seeds))
		buf_put(b, seeds[i].data, seeds[i].n);
	return i < sizeof(seeds) / sizeof(*seeds);
}

static struct config *read_sealed(int fd)
{
	struct config *c;
	struct buf faults;

	buf_init(&faults, 1 << 20);
	c = config_unseal(fd, &faults);
	FUZZ_CHECK(!c == (faults.len > 0));
	buf_free(&faults);
	return c;
}

/* All can be asked for, each as what it is. */
static void ask(const struct config *c, const struct config_param *p)
{
	switch (p->type) {
	case CONFIG_BOOL:
		config_bool(c, p->name);
		break;
	case CONFIG_INT:
		config_int(c, p->name);
		break;
	case CONFIG_SECONDS:
		config_seconds(c, p->name);
		break;
	case CONFIG_BYTES:
		config_bytes(c, p->name);
		break;
	case CONFIG_LIST:
		FUZZ_CHECK(config_list(c, p->name));
		break;
	case CONFIG_STRING:
	case CONFIG_CHOICE:
		FUZZ_CHECK(config_string(c, p->name));
	}
}

/* Sealed again it is the same. */
static void compare(const struct config *c)
{
	struct config *again;
	int fd;

	FUZZ_CHECK(config_seal(c, &fd) == ERR_OK);
	again = read_sealed(fd);
	FUZZ_CHECK(again);
	for (const struct config_param *p = config_params; p->name; p++) {
		ask(c, p);
		FUZZ_CHECK(strcmp(config_raw(c, p->name),
				  config_raw(again, p->name)) == 0);
		FUZZ_CHECK(strcmp(config_origin(c, p->name),
				  config_origin(again, p->name)) == 0);
	}
	config_free(&again);
	close(fd);
}

void fuzz_one(const char *data, size_t n)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct config *c;

	FUZZ_CHECK(fd >= 0 && file_write(fd, data, n) == 0);
	FUZZ_CHECK(fcntl(fd, F_ADD_SEALS, SEALS) == 0);
	c = read_sealed(fd);
	if (c)
		compare(c);
	config_free(&c);
	close(fd);
}
