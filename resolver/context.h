/*
 * libunbound, set up from the parameters resolver_*. The order of its calls
 * matters: options, forwarders, stubs and anchors first; the first local zone
 * or record completes the context, and later settings are refused.
 * Every result is checked, since a lost anchor would make all of DNS look
 * unsigned.
 */
#ifndef RESOLVER_CONTEXT_H
#define RESOLVER_CONTEXT_H

#include <event2/event.h>
#include <unbound.h>

#include "config/config.h"

/* A complete context on BASE: it has read all files it needs, so that it
 * works in a chroot. Ends the process with EX_CONFIG, and a message that
 * names file and line or the parameter, if something is wrong. */
struct ub_ctx *context_new(struct event_base *base, const struct config *c);

/* Adds the records of the file PATH; ends the process as above. */
void zone_file_load(struct ub_ctx *ctx, const char *path);

#endif
