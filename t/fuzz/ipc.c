/* Packets between programs, and the messages in them: jobs, results. The
 * attributes of an input end with a line end instead of a NUL. */
#include "fuzz.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"
#include "ipc/packet.h"
#include "qmgr/job.h"

FUZZ_SEEDS("deliver\nnumber=1\nid=ABC\noffset=512\nlength=10\ndestination=x\n"
	   "sender=a@b\nenvid=\nret=\nbody=8BITMIME\nsmtputf8=0\narrival=1\n"
	   "prologue=\nrcpt=0 0 u@v  u@v\nrcpt=1 15 w@x rfc822%3By w@x\n",
	   "done\nnumber=1\ndestination=ok\nresult=0 sent 2.0.0 x y 1\n"
	   "result=1 expanded 2.0.0 a@b x 0\nexpanded=a@b c@d\nowner=c@d\n"
	   "expanded-file=100\n",
	   "list\n", "show\nid=0123456789\n", "x\ndata=YWJj\ntwo=2\n")

static void read_all(struct ipc_in *m)
{
	struct arena *a = arena_new();
	enum job_destination dest;
	struct result *r;
	struct buf b;
	struct job j;
	uint64_t number;
	int64_t value;
	size_t n;

	buf_init(&b, 1 << 20);
	for (size_t i = 0; i < m->nattrs; i++) {
		FUZZ_CHECK(ipc_get(m, m->attr[i].name));
		ipc_int(m, m->attr[i].name, INT64_MIN, INT64_MAX, &value);
		ipc_base64(m, m->attr[i].name, &b);
	}
	m->fd[0] = open("/dev/zero", O_RDONLY);
	m->nfds = 1;
	m->nfds_taken = 0;
	if (job_read(a, m, &j) == ERR_OK)
		close(j.fd);
	job_results_read(a, m, &number, &r, &n, &dest);
	buf_free(&b);
	arena_free(&a);
}

void fuzz_one(const char *data, size_t n)
{
	struct ipc_in m = { 0 };

	m.cap_data = n + 1;
	m.data = mem_alloc(n + 1);
	memcpy(m.data, data, n);
	for (size_t i = 0; i < n; i++)
		if (m.data[i] == '\n')
			m.data[i] = '\0';
	m.len = n;
	if (n && n < IPC_PACKET_MAX && ipc_parse(&m))
		read_all(&m);
	ipc_in_free(&m);
}
