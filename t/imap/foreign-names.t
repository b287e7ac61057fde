#!/usr/bin/env python3
"""Folders that Dovecot made in the same Maildir with names in UTF-8 on disk:
all commands find them, and their directories keep their names."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from imapsession import Sessions  # noqa: E402
from oracle import DOVECOT, Oracle  # noqa: E402

if not os.path.exists(DOVECOT):
    print("1..0 # SKIP Dovecot is not installed")
    sys.exit(0)

tap = Tap()
WIRE = {"Entwürfe": "Entw&APw-rfe", "R&D": "R&-D",
        "R&D/Übung": "R&-D/&ANw-bung"}
TEXT = "Subject: one\r\n\r\nbody\r\n"


def names(session, command='LIST "" "*"'):
    lines = session.ask(command)[0]
    return sorted(line.decode().split(' "/" ', 1)[-1]
                  .split(' "." ', 1)[-1].strip('"').replace(".", "/")
                  for line in lines)


def directories(sessions):
    return sorted(n for n in os.listdir(sessions.maildir)
                  if n.startswith(".") and os.path.isdir(
                      os.path.join(sessions.maildir, n)))


def good(session, command, name):
    got, end = session.ask(command)
    tap.starts(end, b"OK", name)
    return got


with Sessions() as sessions, Oracle(sessions, ours=":UTF-8") as oracle:
    sessions.open().logout()  # makes the Maildir
    os.chown(oracle.home, sessions.uid, sessions.gid)
    theirs = oracle.open()
    for name in WIRE.values():
        name = name.replace("/", ".")
        good(theirs, 'CREATE "%s"' % name, "Dovecot makes " + name)
        good(theirs, 'SUBSCRIBE "%s"' % name, "and subscribes to it")
        good(theirs, 'APPEND "%s" {%d+}\r\n%s' % (name, len(TEXT), TEXT),
             "and has a message there")
    made = directories(sessions)
    tap.equal(made, [".Entwürfe", ".R&D", ".R&D.Übung"],
              "with names in UTF-8 on disk")

    ours = sessions.raw()
    wanted = sorted(list(WIRE.values()) + ["INBOX"])
    tap.equal(names(ours), wanted, "LIST has them all")
    tap.equal(names(ours, 'LSUB "" "*"'), sorted(WIRE.values()),
              "so has LSUB")
    for name in WIRE.values():
        tap.equal(good(ours, 'STATUS "%s" (MESSAGES)' % name, "STATUS"),
                  [b'* STATUS "%s" (MESSAGES 1)' % name.encode()], name)
        good(ours, 'SELECT "%s"' % name, "SELECT")
        good(ours, 'COPY 1 "%s"' % name, "COPY")
        tap.starts(ours.ask('CREATE "%s"' % name)[1], b"NO", "it exists")
    good(ours, 'SUBSCRIBE "INBOX"', "SUBSCRIBE writes the list anew")
    tap.equal(directories(sessions), made, "none was made beside them")
    tap.equal(names(theirs, 'LSUB "" "*"'), wanted,
              "Dovecot finds its subscriptions")
    tap.ok(b"MESSAGES 2" in theirs.ask('STATUS "Entw&APw-rfe" (MESSAGES)')[0][0],
           "and what was copied there")

    good(ours, 'RENAME "R&-D" "Work"', "RENAME of one and what is below")
    tap.equal(directories(sessions),
              [".Entwürfe", ".Work", ".Work.&ANw-bung"],
              "gives them names in modified UTF-7")
    good(ours, 'DELETE "Entw&APw-rfe"', "DELETE")
    tap.equal(names(ours), ["INBOX", "Work", "Work/&ANw-bung"], "what is left")

    # both spellings: the one that we would write counts
    for name in ".Grün", ".Gr&APw-n":
        for sub in "cur", "new", "tmp":
            path = os.path.join(sessions.maildir, name, sub)
            os.makedirs(path)
        os.chown(os.path.join(sessions.maildir, name),
                 sessions.uid, sessions.gid)
    tap.equal(names(ours, 'LIST "" "G*"'), ["Gr&APw-n"],
              "a folder in two spellings is listed once")
    ours.ask("LOGOUT")

tap.done()
