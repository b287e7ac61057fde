#include "master/accept.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "log/log.h"
#include "master/folders.h"
#include "master/verify.h"
#include "master/watchdog.h"
#include "server/link.h"

#define LEFTOVER_MS 5000 /* for the services of a master that was killed */

static struct {
	struct event_base *base;
	const char *config_path;
	bool again; /* a reload was requested during another */
} self;

/* The services of a master that was killed notice that and give up their
 * ports, but only once they get the processor. */
struct set *accept_first(struct config *c, const char *config_path,
			 bool after_kill, struct buf *faults)
{
	int64_t until = clock_ms() + (after_kill ? LEFTOVER_MS : 0);
	struct set *set = set_new(c, config_path, NULL, faults);

	while (!set && clock_ms() < until) {
		usleep(100000);
		buf_reset(faults);
		c = config_load(config_path, NULL, 0, faults);
		if (c)
			set = set_new(c, config_path, NULL, faults);
	}
	self.config_path = config_path;
	return set;
}

/* A descriptor of the log for those that cannot open it: services that stay, and
 * former instances, whose sessions may last for days. */
static void hand_out_log(const char *target)
{
	for (struct process *p = process_first(); p; p = p->next)
		if (p->links.link >= 0 &&
		    !link_log(p->links.link, target, log_fd()))
			log_warn("%s cannot be given the log file", p->name);
}

static const struct config *in_force(void)
{
	return run_set()->config;
}

/* The set that the file now asks for; NULL with lines in FAULTS. */
static struct set *load_next(struct buf *faults)
{
	struct config *c = config_load(self.config_path, NULL, 0, faults);

	if (!c)
		return NULL;
	verify_config(c, faults);
	verify_meaning(c, faults);
	verify_change(in_force(), c, faults);
	if (faults->len == 0)
		return set_new(c, self.config_path, run_set(), faults);
	config_free(&c);
	return NULL;
}

/* Of a reload: whom to tell, and where the log was. */
struct reloading {
	reload_done *done;
	void *context;
	char *log_target;
};

static void begin_watchdog(void)
{
	watchdog_begin(self.base,
		       config_seconds(in_force(), "service_watchdog_timeout"));
}

static void move_log(const char *former)
{
	const char *target = config_string(in_force(), "log_target");

	if (strcmp(target, former) == 0)
		return;
	if (!log_open("posthorn/master", target))
		log_warn("%s: cannot be opened: %m", target);
	hand_out_log(target);
}

/* Only now: a reload that is refused changes nothing. */
static void mend_folders(void)
{
	struct buf faults;

	buf_init(&faults, 65536);
	folders_prepare(in_force(), &faults);
	log_error_lines(NULL, faults.data);
	buf_free(&faults);
}

static void on_reloaded(bool good, const char *faults, void *context)
{
	struct reloading *r = context;

	if (good) {
		mend_folders();
		move_log(r->log_target);
		begin_watchdog();
	} else {
		log_error("the new configuration is refused, the old one "
			  "stays in force");
		log_error_lines(NULL, faults);
	}
	if (r->done)
		r->done(good, faults, r->context);
	free(r->log_target);
	free(r);
	if (self.again && !run_stopping())
		accept_reload(NULL, NULL);
}

static void reload(reload_done *done, void *context)
{
	const char *target = config_string(in_force(), "log_target");
	struct reloading *r = mem_alloc(sizeof(*r));
	struct set *next;
	struct buf faults;

	*r = (struct reloading){ done, context, mem_strdup(target) };
	self.again = false;
	log_reopen(); /* first, so that refusals are in the new file */
	hand_out_log(target);
	buf_init(&faults, 65536);
	next = load_next(&faults);
	if (next)
		reload_begin(self.base, next, on_reloaded, r);
	else
		on_reloaded(false, faults.data, r);
	buf_free(&faults);
}

void accept_reload(reload_done *done, void *context)
{
	if (reload_going_on())
		self.again = true;
	else
		reload(done, context);
}

void accept_begin(struct event_base *base)
{
	self.base = base;
	begin_watchdog();
}
