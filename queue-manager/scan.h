/*
 * The scan of the queue's files, a part of keeper.c: file by file beside its
 * other work. It reports its findings in the packets of keeper.h.
 */
#ifndef QUEUE_MANAGER_SCAN_H
#define QUEUE_MANAGER_SCAN_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/ipc.h"

struct scan {
	int sock;		/* to qmgr */
	struct ipc_out found, junk, out;
	size_t nfound, njunk;
	DIR *queue, *dir;	/* NULL when there is no scan; no folder open */
	int64_t strange;	/* files that it left alone so far */
	bool missed;		/* something could not be examined */
	bool again;		/* so the scan is to be repeated … */
	int pause_ms;		/* … after so long */
	char dirname[16];	/* of `dir` */
};

/* Begins from the start. */
void scan_begin(struct scan *s);

/* One step, while s->queue is not NULL: a file, or a folder opened. */
void scan_step(struct scan *s);

/* Examines one slot; scan_flush sends the findings, also those of the scan. */
void scan_look(struct scan *s, uint32_t number);
void scan_flush(struct scan *s);

#endif
