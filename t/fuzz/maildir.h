/* A Maildir in memory for targets; nothing in it is ever synced. Include it
 * in one file of a target. */
#ifndef T_FUZZ_MAILDIR_H
#define T_FUZZ_MAILDIR_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "mailbox/deliver.h"

static struct {
	char root[64];
	char path[80];
} maildir;

int fsync(int fd)
{
	return fd < 0 ? -1 : 0;
}

int fdatasync(int fd)
{
	return fd < 0 ? -1 : 0;
}

static void maildir_remove(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", maildir.root);
	FUZZ_CHECK(!*maildir.root || system(command) == 0);
	*maildir.root = '\0';
}

static void maildir_deliver(const char *text)
{
	struct delivery d = {
		.maildir = maildir.path,
		.folder = "INBOX",
		.create_folder = true,
		.prologue = "Return-Path: <a@b>\r\n",
		.length = (off_t)strlen(text),
		.queue_id = "",
		.recipient = "u@example.org",
		.arrival_us = 1000000,
	};
	struct delivered out;

	d.fd = memfd_create("message", MFD_CLOEXEC);
	FUZZ_CHECK(d.fd >= 0 && !file_write(d.fd, text, strlen(text)));
	FUZZ_CHECK(deliver_message(&d, &out) == ERR_OK);
	close(d.fd);
}

/* Makes it anew, with three messages. */
static void make_folders(void)
{
	static bool once;

	if (!once)
		atexit(maildir_remove);
	once = true;
	maildir_remove();
	strcpy(maildir.root, "/dev/shm/posthorn-fuzz.XXXXXX");
	FUZZ_CHECK(mkdtemp(maildir.root));
	snprintf(maildir.path, sizeof(maildir.path), "%s/m", maildir.root);
	maildir_deliver("From: a@b\r\nSubject: one\r\n\r\ntext\r\n");
	maildir_deliver(
		"To: x y <a@b>\r\nSubject: =?utf-8?q?=C3=B6?=\r\n"
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
		"\r\none\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
		"Subject: in\r\n\r\nx\r\n--b--\r\n");
	maildir_deliver("\r\n");
}

#endif
