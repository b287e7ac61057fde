/*
 * What fault.c does, told by a file that it maps: t/crash/faults.t
 * writes it while the suite runs. Each call of the classes in `mask` counts
 * `left` down; the one that makes it 0 fails.
 */
#ifndef T_CRASH_FAULT_H
#define T_CRASH_FAULT_H

#include <stdint.h>

enum {
	FAULT_WRITE = 1, /* of files */
	FAULT_SYNC = 2,
	FAULT_OPEN = 4,
	FAULT_NAME = 8, /* rename, link, mkdir */
	FAULT_ALLOC = 16,
	FAULT_PACKET = 32, /* to and from other programs */
};

struct fault {
	uint32_t mask;
	int32_t left;
	int32_t error;	  /* errno; 0: the process is killed */
	uint32_t fired;	  /* how often */
	uint64_t spared;  /* inode of the log */
	char program[32]; /* the only one that is meant; "": all */
};

#endif
