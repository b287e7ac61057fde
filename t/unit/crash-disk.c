/*
 * What the disk of crash-check makes of numbers that are used again, those of
 * files outside of the recorded trees; and of a sync of all.
 * link: t/crash/disk.c
 */
#include "t/crash/disk.h"

#include "t/unit/tap.h"

enum { MAIL = 10, FOLDER = 20, MESSAGE = 21, OTHER = 30 };

static void apply(struct disk *d, struct record_entry e, const char *name,
		  const char *data)
{
	e.magic = RECORD_MAGIC;
	e.nname = (uint16_t)strlen(name);
	e.ndata = strlen(data);
	disk_apply(d, &e, name, "", data);
}

/* A tree with a folder and a message in it. */
static void begin(struct disk *d)
{
	disk_init(d);
	apply(d,
	      (struct record_entry){
		      .type = OP_BASE_DIR, .ino = MAIL, .dir = DISK_TOP },
	      "mail", "");
	apply(d,
	      (struct record_entry){
		      .type = OP_BASE_DIR, .ino = FOLDER, .dir = MAIL },
	      "folder", "");
	apply(d,
	      (struct record_entry){
		      .type = OP_BASE_FILE, .ino = MESSAGE, .dir = FOLDER },
	      "message", "old");
}

static void name(struct disk *d, uint32_t type, uint64_t ino, uint64_t dir,
		 bool inside, const char *text)
{
	apply(d,
	      (struct record_entry){
		      .type = type, .ino = ino, .dir = dir, .inside = inside },
	      text, "");
}

static void remove_message(struct disk *d)
{
	name(d, OP_UNLINK, 0, FOLDER, true, "message");
}

static void remove_folder(struct disk *d)
{
	remove_message(d);
	name(d, OP_UNLINK, 0, MAIL, true, "folder");
}

/* Ends D, where the tree is empty or has the folder, too. */
static void end(struct disk *d, bool folder, const char *what)
{
	apply(d,
	      (struct record_entry){
		      .type = OP_END_DIR, .ino = MAIL, .dir = DISK_TOP },
	      "mail", "");
	if (folder)
		apply(d,
		      (struct record_entry){
			      .type = OP_END_DIR, .ino = FOLDER, .dir = MAIL },
		      "folder", "");
	disk_end(d);
	ok(d->gaps == 0, "%s: %s", what, d->gap);
	disk_free(d);
}

static void sync_number(struct disk *d, uint64_t ino)
{
	struct record_entry e = { .ino = ino, .pid = 1 };

	e.type = OP_SYNC;
	apply(d, e, "", "");
	e.type = OP_SYNCED;
	apply(d, e, "", "");
}

static void test_folder(void)
{
	struct disk d;

	begin(&d);
	remove_folder(&d);
	name(&d, OP_MKDIR, FOLDER, OTHER, false, "shares");
	name(&d, OP_MKDIR, OTHER + 1, FOLDER, false, "anyone");
	end(&d, false, "a folder elsewhere has a number of ours");
}

/* Made by a program that is not recorded. */
static void test_folder_unseen(void)
{
	struct disk d;

	begin(&d);
	remove_folder(&d);
	name(&d, OP_CREATE, OTHER + 1, FOLDER, false, "file");
	name(&d, OP_UNLINK, 0, FOLDER, false, "former");
	end(&d, false, "so has one that nobody was seen to make");
}

static void test_sync(void)
{
	struct disk d;

	begin(&d);
	remove_folder(&d);
	name(&d, OP_MKDIR, FOLDER, OTHER, false, "shares");
	sync_number(&d, FOLDER);
	ok(d.npending == 2, "its sync makes nothing of ours durable");
	end(&d, false, "and is no gap");
}

static void test_write(void)
{
	struct disk d;

	begin(&d);
	remove_message(&d);
	name(&d, OP_CREATE, MESSAGE, OTHER, false, "log");
	apply(&d, (struct record_entry){ .type = OP_WRITE, .ino = MESSAGE }, "",
	      "another");
	ok(d.stable.n == 3 && d.stable.name[2].to->nchanges == 0,
	   "a file elsewhere is not written into one of ours that is removed");
	end(&d, true, "nor does it leave a gap");
}

static void test_sync_all(void)
{
	struct record_entry e = { .type = OP_SYNC, .ino = MAIL, .pid = 1 };
	struct disk d;

	begin(&d);
	remove_message(&d);
	apply(&d, e, "", "");
	name(&d, OP_CREATE, MESSAGE + 1, FOLDER, true, "later");
	e.type = OP_SYNCED_ALL;
	apply(&d, e, "", "");
	ok(d.npending == 1 && !names_find(&d.stable, d.object[2], "message", 7),
	   "a sync of the file system makes durable what was before its begin");
	disk_free(&d);
}

int main(void)
{
	test_folder();
	test_folder_unseen();
	test_sync();
	test_write();
	test_sync_all();
	return done();
}
