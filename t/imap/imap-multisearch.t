#!/usr/bin/env python3
"""ESEARCH of many folders (RFC 7377): in each of them it finds what a UID
SEARCH there does, whichever folder is selected."""
import os
import random
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from imapsession import Sessions  # noqa: E402

SEED = int(os.environ.get("MULTISEARCH_SEED") or random.randrange(1 << 30))
FOLDERS = ["INBOX", "folder1", "folder2", "folder2/a", "folder2/a/deep",
           "folder2/b", "folder22", "other &- one"]
SUBSCRIBED = ["INBOX", "folder2/a", "gone"]
# What IN says, and which folders it means if folder1 is selected.
SOURCES = [
    ("selected", ["folder1"]),
    ("inboxes", ["INBOX"]),
    ("personal", FOLDERS),
    ("subscribed", ["INBOX", "folder2/a"]),
    ("mailboxes folder2", ["folder2"]),
    ("mailboxes (folder2 inbox nowhere)", ["INBOX", "folder2"]),
    ("subtree folder2", ["folder2", "folder2/a", "folder2/a/deep",
                         "folder2/b"]),
    ("subtree-one folder2", ["folder2", "folder2/a", "folder2/b"]),
    ("subtree-one (folder2 folder1)", ["folder1", "folder2", "folder2/a",
                                       "folder2/b"]),
    ('mailboxes "other &- one" selected', ["folder1", "other &- one"]),
    ('mailboxes "folder1" SUBTREE "folder2"', [
        "folder1", "folder2", "folder2/a", "folder2/a/deep", "folder2/b"]),
    ("mailboxes nowhere", []),
]
KEYS = ["UNSEEN", "SUBJECT chad", "ALL", "1:2", "UID 2:*", "KEYWORD k",
        "CHARSET UTF-8 NOT FLAGGED", "KEYWORD none"]
BACK = ["", "RETURN () ", "RETURN (MIN MAX COUNT) ", "RETURN (COUNT) ",
        "RETURN (PARTIAL -1:-2) "]

tap = Tap()
rng = random.Random(SEED)
print("# MULTISEARCH_SEED=%d" % SEED)


def answers(responses, tag):
    """{folder: (uidvalidity, items)}"""
    found = {}
    for u in responses:
        m = re.match(rb'\* ESEARCH \(TAG "(\w+)" MAILBOX ("[^"]*"|\S+) '
                     rb"UIDVALIDITY (\d+)\) UID (.*)$", u)
        if not m or m.group(1).decode() != tag:
            return u
        name = m.group(2).decode().strip('"')
        if name in found:
            return "twice: %s" % name
        found[name] = (m.group(3), m.group(4))
    return found


def one_by_one(r, folders, back, key):
    """The same from UID SEARCH in each folder; nothing found is not told."""
    found = {}
    for name in folders:
        got = r.ask('EXAMINE "%s"' % name)[0]
        validity = re.search(rb"UIDVALIDITY (\d+)", b"".join(got)).group(1)
        n = re.search(rb"COUNT (\d+)", r.ask(
            "UID SEARCH RETURN (COUNT) " + key)[0][0]).group(1)
        got = r.ask("UID SEARCH %s%s" % (back or "RETURN () ", key))[0][0]
        if n != b"0":
            found[name] = (validity, re.sub(rb".*\) UID ", b"", got, count=1))
    return found


def fill(r):
    for name in FOLDERS[1:]:
        r.ask('CREATE "%s"' % name)
    for name in SUBSCRIBED:
        r.ask("SUBSCRIBE " + name)
    for name in FOLDERS:
        for n in range(rng.randrange(6)):
            data = b"Subject: %s\n\nx\n" % rng.choice([b"Chad", b"x"])
            r.ask(b'APPEND "%s" (%s) {%d+}\r\n%s' % (
                name.encode(), rng.choice([b"", b"\\Seen", b"\\Flagged k"]),
                len(data), data))


def alike(sessions):
    r, other = sessions.raw(), sessions.raw()
    fill(r)
    for source, folders in SOURCES:
        for _ in range(4):
            key, back = rng.choice(KEYS), rng.choice(BACK)
            r.ask("SELECT folder1")
            want = one_by_one(other, folders, back, key)
            other.ask("UNSELECT")
            got, end = r.ask("ESEARCH IN (%s) %s%s" % (source, back, key))
            tap.equal((answers(got, "t%d" % r.tags), end[:2]), (want, b"OK"),
                      "IN (%s) %s%s" % (source, back, key))
            if source == "selected":
                got = r.ask("ESEARCH %s%s" % (back, key))[0]
                tap.equal(answers(got, "t%d" % r.tags), want,
                          "without IN: %s%s" % (back, key))
            else:
                r.ask("UNSELECT")
                if "selected" not in source:
                    got = r.ask("ESEARCH IN (%s) %s%s" % (source, back, key))
                    tap.equal(answers(got[0], "t%d" % r.tags), want,
                              "nothing selected: IN (%s)" % source)
    other.close()
    r.close()


def rules(sessions):
    r = sessions.raw()
    for command in ("ESEARCH ALL", "ESEARCH IN (selected) ALL",
                    "ESEARCH IN (inboxes selected) ALL",
                    "ESEARCH IN (inboxes) RETURN (UPDATE) ALL"):
        tap.equal(r.ask(command)[1][:3], b"BAD", "unselected: " + command)
    r.ask("SELECT folder1")
    for command in ("ESEARCH IN () ALL", "ESEARCH IN selected ALL",
                    "ESEARCH IN (selected-delayed) ALL",
                    "ESEARCH IN (none) ALL", "ESEARCH IN (mailboxes) ALL",
                    "ESEARCH IN (mailboxes ()) ALL",
                    "ESEARCH IN (selected (x)) ALL", "ESEARCH IN (inboxes)",
                    "ESEARCH IN (inboxes) NONSENSE", "ESEARCH",
                    "ESEARCH IN (inboxes) RETURN (SAVE) ALL",
                    "ESEARCH IN (selected inboxes) RETURN (SAVE) ALL"):
        tap.equal(r.ask(command)[1][:3], b"BAD", command)
    tap.equal(r.ask("ESEARCH IN (inboxes) CHARSET none ALL")[1][:14],
              b"NO [BADCHARSET", "an unknown charset")
    data = b"Subject: keep\n\nx\n"
    r.ask(b"APPEND folder1 {%d+}\r\n%s" % (len(data), data))
    r.ask("ESEARCH RETURN (SAVE) SUBJECT keep")
    n = len(r.ask("FETCH $ UID")[0])
    tap.equal(n, 1, "SAVE in the selected folder")
    got = r.ask("ESEARCH IN (personal) RETURN (COUNT) $")[0]
    tap.equal([re.search(rb"MAILBOX \"?(\w+)", u).group(1) for u in got],
              [b"folder1"], "what is kept is in the selected folder")
    got = r.ask("ESEARCH IN (personal) RETURN (UPDATE COUNT) SUBJECT keep")
    tap.equal(got[1][:2], b"OK", "UPDATE beside other folders")
    tag = b"t%d" % r.tags
    got = b"".join(r.ask("STORE $ +FLAGS (\\Deleted)")[0] +
                   r.ask("EXPUNGE")[0])
    tap.ok(re.search(rb'ESEARCH \(TAG "%s" MAILBOX "?folder1"? UIDVALIDITY '
                     rb"\d+\) UID REMOVEFROM \(0 \d+\)" % tag, got),
           "and it is for the selected one")
    got = r.ask("UID FETCH 1:* FLAGS")
    tap.equal(got[1][:2], b"OK", "folder1 is still selected")
    r.close()


with Sessions() as all_sessions:
    alike(all_sessions)
    rules(all_sessions)
tap.done()
