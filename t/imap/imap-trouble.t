#!/usr/bin/env python3
"""What goes wrong with one message, or under a session, ends neither the
session nor what can be done with the others."""
import glob
import os
import random
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap, wait_for
from imapsession import Sessions

tap = Tap()


def message(i, lines=3):
    return (b"From: <user-from (comment)@ (comment) domain.test>\r\n"
            b"To: \"A, B\" <to@home.test>, other@home.test\r\n"
            b"Subject: number %d\r\n\r\n" % i + b"text %d\r\n" % i * lines)


def append(r, folder, text):
    got = r.ask(b"APPEND %s {%d+}\r\n%s" % (folder.encode(), len(text), text))
    assert got[1].startswith(b"OK"), got


def filled(s, folder, n=4, **how):
    """Two sessions that have FOLDER with N messages selected."""
    a, b = s.raw(), s.raw()
    a.ask("CREATE " + folder)
    for i in range(n):
        append(a, folder, message(i + 1, **how))
    for r in (a, b):
        r.ask("SELECT " + folder)
    return a, b


def files(s, folder):
    """The message files of FOLDER, in the order of their subjects."""
    found = glob.glob(os.path.join(s.maildir, "." + folder, "[cn]*", "*"))
    return sorted(found, key=lambda p: open(p, "rb").read().split(b"ber ")[1])


def lives(r, name):
    got = r.ask("NOOP")
    return tap.ok(got[1].startswith(b"OK") and
                  not any(b"BYE" in u for u in got[0]), name, repr(got))


def seqs(untagged):
    return [int(u.split()[1]) for u in untagged if b" FETCH " in u]


def unreadable(s):
    a, b = filled(s, "unreadable")
    bad = files(s, "unreadable")[1]
    os.chmod(bad, 0)
    got = a.ask("FETCH 1:* BODY.PEEK[]")
    tap.equal(seqs(got[0]), [1, 3, 4], "messages that can be read are sent")
    tap.starts(got[1], b"NO [UNAVAILABLE] 1 of", "the reply says that one is"
               " missing")
    lives(a, "and the session goes on")
    got = a.ask("FETCH 2 BODY.PEEK[TEXT]")
    tap.starts(got[1], b"NO [UNAVAILABLE]", "a part of it is NO, too")
    got = a.ask("SEARCH BODY text")
    tap.ok(b"* SEARCH 1 3 4" in got[0] and
           any(u.startswith(b"* NO") for u in got[0]) and
           got[1].startswith(b"OK"), "SEARCH finds the others, and says so",
           repr(got))
    os.chmod(bad, 0o600)
    got = a.ask("FETCH 2 BODY.PEEK[TEXT]")
    tap.starts(got[1], b"OK", "when it can be read again, it is")
    for r in (a, b):
        r.close()


def expunged(s):
    a, b = filled(s, "expunged")
    b.ask("STORE 1:2 +FLAGS.SILENT (\\Deleted)")
    b.ask("EXPUNGE")
    got = a.ask("FETCH 1:4 BODY.PEEK[]")
    tap.equal((seqs(got[0]), got[1][:18]),
              ([1, 2, 3, 4], b"OK [EXPUNGEISSUED]"),
              "FETCH of what another session expunged says so")
    tap.ok(all(b"BODY[] NIL" in u for u in got[0][:2]) and
           all(b"BODY[] {" in u for u in got[0][2:]),
           "with NIL for what is gone, and all of the others", repr(got))
    got = a.ask("FETCH 1 (UID RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE)")
    tap.ok(b"ENVELOPE (NIL" in got[0][0] and b"RFC822.SIZE" in got[0][0],
           "with empty items", repr(got))
    got = a.ask("STORE 1:4 +FLAGS.SILENT (\\Flagged)")
    tap.starts(got[1], b"OK", "STORE .SILENT of them is OK (RFC 2180 4.2.1)")
    got = a.ask("STORE 1:4 +FLAGS (\\Seen)")
    tap.starts(got[1], b"NO [EXPUNGEISSUED]", "STORE is not")
    lives(a, "and the session goes on")
    got = a.ask("FETCH 1:2 FLAGS")
    tap.ok(all(b"\\Flagged" in u and b"\\Seen" in u for u in got[0]),
           "the others got their flags", repr(got))
    for r in (a, b):
        r.close()


def total(r, *folders):
    return sum(int(r.ask("STATUS %s (MESSAGES)" % f)[0][0].split(
        b"MESSAGES ")[1].split(b")")[0]) for f in folders)


def moved_by_two(s):
    """Each message has one place, whoever moves it at the same moment."""
    a, b = s.raw(), s.raw()
    for folder in "from", "here", "there":
        a.ask("CREATE " + folder)
    wrong, said = 0, set()
    for n in range(20):
        for i in range(8):
            append(a, "from", message(i))
        for r in (a, b):
            r.ask("SELECT from")
            r.send(b"m1 UID MOVE 1:%s %s\r\n" % (
                b"*" if n % 3 or r is a else b"2",
                b"there" if n % 2 and r is b else b"here"))
        for r in (a, b):
            while not (line := r.line()).startswith(b"m1 "):
                pass
            said.add(line[3:10])
        wrong += total(a, "from", "here", "there") != 8 * (n + 1)
    tap.equal(wrong, 0, "two sessions that MOVE the same double nothing")
    tap.ok(said <= {b"OK Move", b"OK No m", b"NO [EXP"}, "and are told so", said)
    for r in (a, b):
        r.close()


def expunged_by_two(s):
    """Two sessions remove mail, while a third program sets flags in names: all
    of it goes, and for good."""
    a, b = s.raw(), s.raw()
    a.ask("CREATE both")
    for i in range(80):
        append(a, "both", message(i))
    over = threading.Event()

    def rename():
        cur = os.path.join(s.maildir, ".both", "cur")
        while not over.is_set():
            for name in os.listdir(cur)[:20]:
                base, _, flags = name.partition(":2,")
                other = base + ":2," + ("S" if "F" in flags else "FS")
                try:
                    os.rename(os.path.join(cur, name),
                              os.path.join(cur, other))
                except OSError:
                    pass

    def remove(r, seed):
        rng = random.Random(seed)
        r.ask("SELECT both")
        for _ in range(400):
            found = [u for u in r.ask("UID SEARCH ALL")[0]
                     if u.startswith(b"* SEARCH")][0].split()[2:]
            if not found:
                break
            uids = b",".join(rng.sample(found, min(2, len(found)))).decode()
            r.ask("UID STORE %s +FLAGS.SILENT (\\Deleted)" % uids)
            r.ask("UID EXPUNGE " + uids)
    threads = [threading.Thread(target=remove, args=(r, n))
               for n, r in enumerate((a, b))]
    other = threading.Thread(target=rename)
    for t in (*threads, other):
        t.start()
    for t in threads:
        t.join()
    over.set()
    other.join()
    got = a.ask("STATUS both (MESSAGES)")[0]
    tap.equal(got, [b'* STATUS "both" (MESSAGES 0)'], "two sessions remove all")
    left = glob.glob(os.path.join(s.maildir, ".both", "[cnt]*", "*"))
    tap.equal(left, [], "and nothing is left of it anywhere")
    for r in (a, b):
        r.close()


def changed_by_others(s):
    a, b = filled(s, "changed", lines=20000)
    mine = files(s, "changed")
    with open(mine[0], "r+b") as f:
        f.truncate(1000)
    with open(mine[1], "ab") as f:
        f.write(b"and more\n")
    os.unlink(mine[2])
    for r in (a, b):
        got = r.ask("FETCH 1:4 BODY.PEEK[]")
        tap.ok(4 in seqs(got[0]), "one that nobody touched is sent",
               repr((seqs(got[0]), got[1])))
        lives(r, "and the session goes on")
    for r in (a, b):
        r.close()


def uids(r):
    return [u.split(b"(")[1] for u in r.ask("FETCH 1:* UID")[0]]


def journal_gone(s):
    a, b = filled(s, "journal")
    b.ask("STORE 2 +FLAGS.SILENT (\\Deleted)")
    b.ask("EXPUNGE")
    b.close()
    a.ask("NOOP")
    os.unlink(os.path.join(s.maildir, ".journal", "posthorn-journal"))
    lives(a, "the journal goes away under a session, which goes on")
    before = uids(a)
    append(a, "journal", message(9))
    got = a.ask("NOOP")
    tap.equal(len(uids(a)), len(before) + 1, "what comes then is there")
    tap.equal(uids(a)[:3], before, "and changes no UID")
    got = a.ask("STORE 1 +FLAGS (\\Flagged)")
    tap.starts(got[1], b"OK", "flags can be stored")
    a.close()


def snapshot_cut(s):
    """cp(1) puts a backup over the file just so."""
    a, b = filled(s, "large", n=1)
    for i in range(1200):
        path = os.path.join(s.maildir, ".large", "cur", "17%08d.o:2,S" % i)
        with open(path, "wb") as f:
            f.write(message(i))
        st = os.stat(s.maildir)
        os.chown(path, st.st_uid, st.st_gid)
    a.ask("NOOP")
    a.ask("CLOSE")
    snapshot = os.path.join(s.maildir, ".large", "posthorn-snapshot")
    tap.ok(os.path.getsize(snapshot) > 1200 * 64, "a snapshot is there")
    for r in (a, b):
        r.close()
    for how in (["truncate", "-s", "0"], ["truncate", "-s", "70000"],
                ["cp", "/etc/services"]):
        rest, r, one = s.raw(), s.raw(), s.raw()
        r.ask("SELECT large")
        # truncate(1) does not wait for who has to be told, but fails at once
        done = wait_for(lambda: subprocess.run(
            [*how, snapshot], timeout=60,
            stderr=subprocess.DEVNULL).returncode == 0)
        got = r.ask("FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        tap.ok(done and got[1].startswith(b"OK") and
               len(seqs(got[0])) == 1201,
               "%s: who has it open goes on" % how[0], repr(got)[:200])
        one.ask("SELECT large")
        one.ask("STORE 1:* +FLAGS.SILENT (\\Flagged)")
        one.ask("STORE 1:* -FLAGS.SILENT (\\Flagged)")
        one.ask("CLOSE")        # there is one again
        for x in (rest, r, one):
            lives(x, "and every other session")
            x.close()


def moved(s):
    """An administrator puts the Maildir aside, and another in its place."""
    a, b = filled(s, "moved", n=1)
    os.rename(s.maildir, s.maildir + ".aside")
    for r, command in (a, "STORE 1 +FLAGS (\\Flagged)"), (b, "SELECT INBOX"):
        r.send("m1 %s\r\n" % command)
        tap.ok(b"* BYE [UNAVAILABLE] The mailbox was moved" in r.line(),
               "the Maildir was moved away: %s ends the session" % command)
        r.close()
    c = s.raw()
    append(c, "INBOX", message(1))
    c.close()
    tap.ok(os.path.isdir(s.maildir), "the next one has another")


def search(s):
    a, b = filled(s, "search", n=1)
    for key, found in (("FROM user-from@domain.test", True),
                       ("FROM USER-FROM@DOMAIN.TEST", True),
                       ("FROM user-from", True), ("FROM comment", True),
                       ("FROM user-to@domain.test", False),
                       ("TO other@home.test", True),
                       ("HEADER From user-from@domain.test", False)):
        got = a.ask("SEARCH " + key)[0]
        tap.equal(b"* SEARCH 1" in got, found, "SEARCH " + key)
    for r in (a, b):
        r.close()


with Sessions() as s:
    s.raw().close()
    unreadable(s)
    expunged(s)
    moved_by_two(s)
    expunged_by_two(s)
    changed_by_others(s)
    journal_gone(s)
    search(s)
    snapshot_cut(s)
    moved(s)
tap.done()
