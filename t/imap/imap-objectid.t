#!/usr/bin/env python3
"""OBJECTID: ids of folders and messages, and what leaves them as they are."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from imapsession import Sessions  # noqa: E402

tap = Tap()
LARGE = b"A: large\r\n\r\n" + b"line of text\r\n" * 800000


def append(r, folder, text):
    return r.ask(b"APPEND %s {%d+}\r\n%s" % (folder, len(text), text))[1]


def folder_id(text):
    m = re.search(rb"MAILBOXID \(([A-Za-z0-9_-]+)\)", text)
    return m and m.group(1)


def status(r, name):
    return folder_id(b"".join(r.ask("STATUS %s (MESSAGES MAILBOXID)" % name)[0]))


def select(r, name):
    return folder_id(b"".join(r.ask("SELECT " + name)[0]))


def email_ids(r, name):
    r.ask("EXAMINE " + name)
    got = r.ask("FETCH 1:* (UID EMAILID THREADID)")[0]
    r.ask("UNSELECT")
    tap.ok(all(b" THREADID NIL" in g for g in got),
           "what has no identifier has no thread")
    return [re.search(rb" EMAILID \(([A-Za-z0-9_-]+)\)", g).group(1)
            for g in got]


def folders(s):
    r = s.raw()
    tap.ok(b" OBJECTID" in r.greeting, "the capability")
    one = folder_id(r.ask("CREATE one")[1])
    two = folder_id(r.ask("CREATE one/two")[1])
    tap.ok(one and two and one != two, "each folder has an id")
    tap.equal((status(r, "one"), select(r, "one")), (one, one),
              "STATUS and SELECT say the same")
    got = r.ask('LIST "" "one*" RETURN (STATUS (MAILBOXID))')[0]
    tap.equal([folder_id(g) for g in got if b"STATUS" in g], [one, two],
              "and LIST")
    append(r, b"one", b"A: b\r\n\r\n")
    r.ask("RENAME one three")
    tap.equal((status(r, "three"), status(r, "three/two")), (one, two),
              "a renamed folder keeps it, and those below")
    again = folder_id(r.ask("CREATE one")[1])
    tap.ok(again not in (one, two, None), "its old name gets another")
    r.ask("DELETE one")
    tap.ok(folder_id(r.ask("CREATE one")[1]) not in (one, two, again, None),
           "and another each time it is created")
    inbox = status(r, "INBOX")
    append(r, b"INBOX", b"A: b\r\n\r\n")
    r.ask("RENAME INBOX moved")
    tap.equal(status(r, "INBOX"), inbox, "INBOX keeps its own")
    tap.ok(status(r, "moved") not in (inbox, None), "also when it is renamed")
    r.close()


def messages(s):
    r = s.raw()
    r.ask("CREATE from")
    r.ask("CREATE to")
    for text in (b"A: 1\r\n\r\nx\r\n", b"A: 2\r\n\r\nx\r\n", b"A: 3\r\n\r\nx\r\n",
                 LARGE):
        append(r, b"from", text)
    ids = email_ids(r, "from")
    tap.equal(len(set(ids)), 4, "each message has an id of its own")
    tap.equal(email_ids(r, "from"), ids, "and keeps it")
    r.ask("SELECT from")
    r.ask("COPY 1:2 to")
    r.ask("MOVE 3:4 to")
    r.ask("UID STORE 1 +FLAGS (\\Seen word)")
    r.ask("UNSELECT")
    tap.equal((email_ids(r, "from"), email_ids(r, "to")), (ids[:2], ids),
              "also when it is copied, moved or flagged")
    r.ask("RENAME to other")
    tap.equal(email_ids(r, "other"), ids, "or its folder is renamed")
    r.ask("SELECT other")
    tap.equal([r.ask(b"SEARCH " + k)[0][0].rstrip() for k in (
        b"EMAILID " + ids[2], b"OR EMAILID %s EMAILID %s" % (ids[0], ids[3]),
        b"NOT EMAILID " + ids[1], b"EMAILID nothing", b"THREADID " + ids[0],
        b"NOT THREADID x")],
              [b"* SEARCH 3", b"* SEARCH 1 4", b"* SEARCH 1 3 4", b"* SEARCH",
               b"* SEARCH", b"* SEARCH 1 2 3 4"], "SEARCH finds it")
    tap.starts(r.ask("SEARCH EMAILID")[1], b"BAD", "with an id")
    r.close()
    return ids


THREADS = (
    b"Message-ID: <root@x>\r\n",
    b"Message-ID: <b@x>\r\nReferences: <root@x>\r\n",
    b"Message-ID: <c@x>\r\nIn-Reply-To: <root@x>\r\n",
    b"message-id: <d@x>\r\nREFERENCES: (first)\r\n <root@x>\r\n\t<b@x>\r\n"
    b"In-Reply-To: <b@x>\r\n",
    b"Message-ID: <other@x>\r\nReferences:\r\nIn-Reply-To: yours of today\r\n",
    b"Message-ID: <e@x>\r\nReferences: <gone@x> <other@x>\r\n",
    b"Message-ID: <Root@x>\r\n",
    b"References: <gone@x>\r\n",
    b"Subject: nothing\r\n",
)


def thread_ids(r, name):
    r.ask("EXAMINE " + name)
    got = [re.search(rb" THREADID (?:NIL|\(([A-Za-z0-9_-]+)\))", g).group(1)
           for g in r.ask("FETCH 1:* (UID THREADID)")[0]]
    r.ask("UNSELECT")
    return got


def threads(s):
    r = s.raw()
    r.ask("CREATE early")
    r.ask("CREATE late")
    append(r, b"late", THREADS[3] + b"\r\nreply\r\n")
    first = thread_ids(r, "late")
    for head in THREADS:
        append(r, b"early", head + b"Subject: Re: a\r\n\r\nx\r\n")
    ids = thread_ids(r, "early")
    names = [None if i is None else ids.index(i) for i in ids]
    tap.equal(names, [0, 0, 0, 0, 4, 5, 6, 5, None],
              "the first that is referred to says the thread")
    tap.equal(first, ids[:1], "also where the others are not")
    r.ask("SELECT early")
    tap.equal([r.ask(b"SEARCH " + k)[0][0].rstrip() for k in (
        b"THREADID " + ids[0], b"NOT THREADID " + ids[0],
        b"OR THREADID %s THREADID %s" % (ids[5], ids[6]), b"THREADID NIL")],
              [b"* SEARCH 1 2 3 4", b"* SEARCH 5 6 7 8 9", b"* SEARCH 6 7 8",
               b"* SEARCH"], "SEARCH finds it")
    r.ask("MOVE 1:4 late")
    r.ask("UNSELECT")
    tap.equal(set(thread_ids(r, "late")), {ids[0]}, "a move changes nothing")
    os.unlink(os.path.join(s.maildir, ".late", "posthorn-cache"))
    r.close()
    r = s.raw()
    tap.equal(set(thread_ids(r, "late")), {ids[0]}, "nor does a lost cache")
    r.close()


def rebuilt(s, ids):
    directory = os.path.join(s.maildir, ".other")
    before = None
    for lost in ((), ("posthorn-cache",),
                 ("posthorn-cache", "posthorn-snapshot"),
                 ("posthorn-cache", "posthorn-snapshot", "posthorn-journal")):
        for name in lost:
            path = os.path.join(directory, name)
            if os.path.exists(path):
                os.unlink(path)
        r = s.raw()
        tap.equal(email_ids(r, "other"), ids, "without %s" % (lost,))
        before = before or status(r, "other")
        validity = re.search(rb"UIDVALIDITY (\d+)", r.ask(
            "STATUS other (UIDVALIDITY)")[0][0]).group(1)
        tap.equal(status(r, "other"), b"f" + validity,
                  "the folder's is tied to its UIDVALIDITY")
        r.close()


with Sessions() as all_sessions:
    folders(all_sessions)
    found = messages(all_sessions)
    threads(all_sessions)
    all_sessions.program.stop()
    all_sessions.program = all_sessions.folder.start(
        "imapd", "imap-session", chroot=False)
    rebuilt(all_sessions, found)
tap.done()
