/* Between the two halves of lib/ipc. */
#ifndef IPC_PACKET_H
#define IPC_PACKET_H

#include "ipc/ipc.h"

/* Splits M's data, in place, into verb and attributes; false if it is not a
 * packet of ours. */
bool ipc_parse(struct ipc_in *m);

#endif
