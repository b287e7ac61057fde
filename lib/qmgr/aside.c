#include "qmgr/aside.h"

#include <unistd.h>

#include "ipc/ipc.h"
#include "log/log.h"

void queue_report_aside(int64_t n)
{
	struct ipc_out m = { 0 };
	int sock = ipc_connect("qmgr");

	if (sock < 0)
		return;
	ipc_begin(&m, "aside");
	ipc_put_int(&m, "count", n);
	if (ipc_send(sock, &m, 0))
		log_debug("qmgr did not hear how many files were set aside");
	ipc_out_free(&m);
	close(sock);
}
