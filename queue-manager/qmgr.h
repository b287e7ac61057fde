/*
 * The state of the queue manager: one struct, made in main.c and handed
 * to every part. The parts, in the order of a message's way:
 *
 *     pool.c       slots made ahead of need, by the helper keeper.c
 *     finding.c    what keeper found in the files
 *     errand.c     what becomes of slots that are done
 *     intake.c     receivers get slots and commit messages
 *     active.c     messages being delivered: begin, results
 *     pass.c       the end of a pass over a message
 *     route.c      which transport and destination a recipient has
 *     dest.c       queues of destinations, their concurrency and rest
 *     ready.c      whose turn it is among those that may go
 *     courier.c    connections to local-deliver and remote-send
 *     apart.c      those of them that are slow
 *     notice.c     bounces, written by the helper bouncer.c
 *     clocks.c     the two clocks
 *     wait.c       messages that wait; store.c all slots by number
 *     control.c    the administrator's requests; list.c
 *
 * qmgr never syncs and never waits for anybody: the helpers do that.
 */
#ifndef QUEUE_MANAGER_QMGR_H
#define QUEUE_MANAGER_QMGR_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <time.h>

#include "base/arena.h"
#include "base/map.h"
#include "queue-manager/helper.h"
#include "ipc/ipc.h"
#include "service/service.h"
#include "queue-manager/settings.h"
#include "queue-manager/store.h"
#include "queue-manager/wait.h"

enum transport {
	TRANSPORT_LOCAL,
	TRANSPORT_REMOTE,
	TRANSPORTS
};

/* What a delivery counts among. Those who have been quick never wait for a
 * process because of those who may be slow: choose.c has the limits. */
enum share {
	SHARE_GOOD,	/* destinations that were reached, and not slow */
	SHARE_NEW,	/* not reached yet, or not since their last rest */
	SHARE_SLOW,	/* that were slow, or are at it */
	SHARES
};

enum errand {
	ERRAND_REMOVE,
	ERRAND_ASIDE,
	ERRAND_LOOK,
	ERRANDS
};

TAILQ_HEAD(destination_list, destination);
TAILQ_HEAD(courier_list, courier);
TAILQ_HEAD(active_list, active);
TAILQ_HEAD(receiver_list, receiver);

struct qmgr {
	struct service *service;
	struct settings settings;
	struct event_base *base;
	struct event *more;		/* the loop is not to wait */
	time_t now, tick;		/* of this wake-up: clocks.h */
	time_t steady_since;		/* tick of the last step of `now` */
	time_t wall;			/* from ticks to times, the same for all */
	bool stopping;
	time_t stop_at;			/* tick, at the latest */
	bool reloaded;			/* the helpers are to be renewed */

	struct store store;
	struct wait_heap waiting;

	/* pool.c */
	struct helper keeper;
	struct ipc_out keeper_out;
	struct slot **spare;
	size_t nspare, spare_low, making;
	uint32_t making_first;
	uint32_t next_number;
	bool scanning;
	bool rescan;			/* … again, for files left alone */
	bool scan_due;			/* keeper is to be asked */
	bool disk_full;			/* slots cannot be made */
	bool intake_stopped;		/* below the low-water mark */

	/* errand.c */
	struct errand_list {
		uint32_t *number;
		size_t n, cap;
	} errands[ERRANDS];		/* keeper is to be told */

	/* finding.c */
	struct {
		int64_t promised, torn, unused, damaged;
	} found;			/* by the scan, unknown until then */
	int64_t strange;		/* files that were left alone */
	int64_t corrupt;		/* files in corrupt/ … */
	struct timespec corrupt_since;	/* … when it was last changed */

	/* intake.c */
	struct receiver_list hungry;	/* receivers that wait for a slot */
	int64_t aside;			/* files in the drop folder that pickup
					 * could not take */

	/* active.c */
	struct active_list unsure;	/* no `committed` record yet */
	struct active_list dirty;	/* records to be written */
	struct active_list settling;	/* the pass is over */
	struct active_list unwritten;	/* records that the disk refused */
	size_t nactive;

	/* dest.c */
	struct map *destinations;	/* by "transport:name" */
	struct destination_list idle;	/* oldest first */

	/* ready.c: have work, may begin */
	struct ready *ready[TRANSPORTS][SHARES];

	/* courier.c */
	struct courier_list couriers[TRANSPORTS];
	size_t ncouriers[TRANSPORTS];
	size_t at_work[TRANSPORTS][SHARES]; /* of them */
	unsigned turn[TRANSPORTS];	/* the share that is served next */
	bool away[TRANSPORTS];		/* already logged */
	time_t paused_until[TRANSPORTS]; /* tick; the service was missing */
	uint64_t job_number;

	/* notice.c */
	struct helper bouncer;
	struct active *bouncing[8];	/* asked for, in order */
	size_t nbouncing;
	struct active_list to_bounce;

	struct {
		int64_t received, delivered, deferred, bounced;
	} stats;
	struct ipc_out out;		/* for packets that are sent at once */
	struct ipc_in in;
	struct arena *scratch;		/* for the current packet */
};

#endif
