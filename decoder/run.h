/*
 * One command on one file, within bounds: it is a single process that can read
 * programs and libraries, its input, and nothing else; it can write only its
 * output, make no socket, and has so much time and memory.
 */
#ifndef DECODER_RUN_H
#define DECODER_RUN_H

#include "base/buf.h"
#include "base/err.h"

#define RUN_CPU_S 10	  /* of processor time */
#define RUN_MS 20000	  /* in all */
#define RUN_MEMORY_MIB 1024 /* of address space */
#define RUN_FILES 64

/* Runs ARGV with FD, a file in memory, as its standard input, and appends what
 * it writes to OUT, up to OUT's limit, where it is ended. ERR_OK: that is all, or
 * cut off there; ERR_UNSUPPORTED: it failed, or went over a bound; ERR_TEMP: it
 * could not be started. err_why says more. */
int run_command(char *const *argv, int fd, struct buf *out) MUST_CHECK;

#endif
