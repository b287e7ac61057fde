#!/usr/bin/env python3
"""Contexts (RFC 5267): a list that is kept by what ADDTO and REMOVEFROM say is,
at any time, what the same SEARCH or SORT finds; and the RFC's refusals. What
CONTEXT=SEARCH says is compared with Dovecot."""
import os
import random
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from imapsession import Sessions  # noqa: E402
from oracle import DOVECOT, Oracle  # noqa: E402

ROUNDS = 60
SEED = int(os.environ.get("CONTEXT_SEED") or random.randrange(1 << 30))
# (key, criteria of a SORT or None)
CONTEXTS = [("UNSEEN", None), ("FLAGGED SUBJECT a", None), ("ALL", None),
            ("NOT KEYWORD later", None), ("2:5 UNSEEN", None),
            ("OR FLAGGED SEEN", "SUBJECT"), ("ALL", "REVERSE DATE"),
            ("UNSEEN", "FROM REVERSE SUBJECT"), ("KEYWORD later", "DATE")]
FLAGS = ["\\Seen", "\\Flagged", "later"]

tap = Tap()
rng = random.Random(SEED)
print("# CONTEXT_SEED=%d" % SEED)


def message():
    return ("From: %s@x\nSubject: %s\nDate: %s\n\nx\n" % (
        rng.choice("abc"), rng.choice(["a", "b", "Re: a", "c"]),
        time.strftime("%a, %d %b %Y %H:%M:%S +0000",
                      time.gmtime(rng.randrange(1700000000))))).encode()


def expand(sequence):
    found = []
    for part in sequence.split(","):
        ends = [int(n) for n in part.split(":")]
        found += range(ends[0], ends[-1] + 1)
    return found


class Kept:
    """What a client knows of one context."""

    def __init__(self, r, tag, uid, key, by):
        self.uid, self.sorted, self.tag = uid, by is not None, tag
        # the numbers in a key are those of now
        self.again = None if ":" in key else "%s%s RETURN (ALL) %s%s" % (
            "UID " if uid else "", "SORT" if by else "SEARCH",
            "(%s) UTF-8 " % by if by else "", key)
        r.send("%s %s%s RETURN (UPDATE ALL) %s%s\r\n" % (
            tag, "UID " if uid else "", "SORT" if by else "SEARCH",
            "(%s) UTF-8 " % by if by else "", key))
        got = r.until(tag)
        m = re.search(rb" ALL (\S+)", got[0])
        self.list = expand(m.group(1).decode()) if m else []
        self.name = "%s %s by %s" % ("UID" if uid else "number", key, by)
        self.good = got[-1].startswith(tag.encode() + b" OK")

    def change(self, what, at, numbers):
        for i, number in enumerate(numbers):
            if what == "ADDTO":
                where = at - 1 + i if at else len(
                    [n for n in self.list if n < number])
                self.list.insert(where, number)
            elif at and self.list[at - 1] != number:
                self.good = False
            else:
                self.list.remove(number)

    def told(self, line):
        m = re.match(rb'\* ESEARCH \(TAG "(\w+)"\)( UID)?(.*)', line)
        if m and m.group(1).decode() == self.tag:
            self.good &= bool(m.group(2)) == self.uid
            for what, pairs in re.findall(rb" (ADDTO|REMOVEFROM) \(([^)]*)\)",
                                          m.group(3)):
                words = pairs.decode().split()
                for at, numbers in zip(words[::2], words[1::2]):
                    self.good &= (int(at) > 0) == self.sorted
                    self.change(what.decode(), int(at), expand(numbers))
        m = re.match(rb"\* (\d+) EXPUNGE", line)
        if m and not self.uid:
            gone = int(m.group(1))
            self.good &= gone not in self.list
            self.list = [n - (n > gone) for n in self.list]

    def check(self, r):
        got, end = r.ask(self.again)
        for line in got:
            self.told(line)
        m = re.search(rb" ALL (\S+)", got[0])
        want = expand(m.group(1).decode()) if m else []
        return self.good and want == self.list or (self.list, want)


def act(r, other, all_kept):
    """One change, by this session or the other."""
    count = max(1, act.count)
    some = "%d:%d" % (rng.randrange(1, count + 1), rng.randrange(1, count + 1))
    what = rng.random()
    if what < 0.3:
        data = message()
        other.ask(b"APPEND INBOX {%d+}\r\n%s" % (len(data), data))
        return "NOOP"
    side = rng.choice([r, other])
    side.ask("NOOP") if side is other else None
    if what < 0.4:
        command = "STORE %d +FLAGS (\\Deleted)" % rng.randrange(1, count + 1)
        other.ask("NOOP")
        other.ask(command)
        if side is r:
            return "EXPUNGE"
        other.ask("EXPUNGE")
        return "NOOP"
    command = "STORE %s %sFLAGS (%s)" % (some, rng.choice("+-"),
                                         rng.choice(FLAGS))
    if side is r:
        return command
    other.ask(command)
    return "NOOP"


def model(sessions):
    r, other = sessions.raw(), sessions.raw()
    for _ in range(8):
        data = message()
        r.ask(b"APPEND INBOX {%d+}\r\n%s" % (len(data), data))
    r.ask("SELECT INBOX")
    other.ask("SELECT INBOX")
    kept = []
    for n, (key, by) in enumerate(CONTEXTS):
        kept.append(Kept(r, "k%d" % n, n % 3 != 0, key, by))
        tap.ok(kept[-1].good, "UPDATE of " + kept[-1].name)
    act.count = 8
    for n in range(ROUNDS):
        command = act(r, other, kept)
        for command in command, "NOOP":
            for line in r.ask(command)[0]:
                m = re.match(rb"\* (\d+) EXISTS", line)
                act.count = int(m.group(1)) if m else act.count
                act.count -= b" EXPUNGE" in line
                for k in kept:
                    k.told(line)
        if n % 4 == 3:
            for k in kept:
                if k.again:
                    got = k.check(r)
                    tap.equal(got, True, "round %d, %s" % (n, k.name))
    r.close()
    other.close()


def refusals(sessions):
    r = sessions.raw()
    tap.equal(r.ask('CANCELUPDATE "x"')[1][:3], b"BAD", "nothing is selected")
    r.ask("SELECT INBOX")

    def ask(tag, command):
        r.send("%s %s\r\n" % (tag, command))
        return [u.rstrip() for u in r.until(tag)]
    got = ask("B01", "UID SEARCH RETURN (UPDATE COUNT) DELETED KEYWORD $Junk")
    tap.equal(got[0], b'* ESEARCH (TAG "B01") UID COUNT 0', "a first result")
    tap.equal(ask("B01", "SORT RETURN (UPDATE) (DATE) UTF-8 FLAGGED")[-1][:7],
              b"B01 BAD", "a tag that is in use")
    for key in "OLDER 5", "UID 3:*", "OR SEEN NOT YOUNGER 5":
        got = ask("B02", "SEARCH RETURN (UPDATE COUNT) " + key)
        tap.equal((got[1][:21], got[2][:6]),
                  (b'* NO [NOUPDATE "B02"]', b"B02 OK"),
                  "what changes by itself: " + key)
    refused = [n for n in range(20) if any(
        b"NOUPDATE" in u for u in ask("c%d" % n, "SEARCH RETURN (UPDATE) ALL"))]
    tap.equal(refused, list(range(15, 20)), "a limit")
    tap.equal(r.ask('CANCELUPDATE "c1" "none"')[1][:3], b"BAD",
              "an unknown tag")
    tap.equal(r.ask('CANCELUPDATE "c1" "c2" B01')[1][:2], b"OK", "CANCELUPDATE")
    tap.equal([n for n in range(20, 25) if any(b"NOUPDATE" in u for u in ask(
        "c%d" % n, "SEARCH RETURN (UPDATE) ALL"))], [23, 24],
        "it makes room")
    data = message()
    got = r.ask(b"APPEND INBOX {%d+}\r\n%s" % (len(data), data))[0]
    told = sorted(re.findall(rb'TAG "(\w+)"', b"".join(got)))
    tap.ok(b"c3" in told and b"c1" not in told and b"c22" in told,
           "what is cancelled is not updated")
    r.ask("SELECT INBOX")
    got = r.ask(b"APPEND INBOX {%d+}\r\n%s" % (len(data), data))[0]
    tap.ok(not any(b"ESEARCH" in u for u in got), "SELECT forgets all")
    tap.equal(ask("d1", "SEARCH RETURN (CONTEXT COUNT) ALL")[0][-8:-2],
              b" COUNT", "the hint CONTEXT")
    r.close()


def beside(sessions, oracle):
    """The same dialogue in both, our changes alone."""
    sessions.maildir = sessions.folder.path("mail/beside")
    sessions.raw().ask("LOGOUT")
    for _ in range(6):
        sessions.put(message())
    r = sessions.raw()
    oracle.copy()
    theirs = oracle.open()
    for command in ("SELECT INBOX", "STORE 1:* FLAGS ()",
                    "UID SEARCH RETURN (UPDATE COUNT) FLAGGED",
                    "SEARCH RETURN (UPDATE) UNDELETED",
                    "STORE 2:4 +FLAGS (\\Flagged)", "STORE 3 FLAGS ()",
                    "STORE 2,5 +FLAGS (\\Deleted)", "EXPUNGE", "NOOP"):
        got, want = r.ask(command)[0], theirs.ask(command)[0]
        tap.equal(sorted(u for u in got if b"ESEARCH" in u),
                  sorted(u for u in want if b"ESEARCH" in u),
                  "beside Dovecot: " + command)


with Sessions() as all_sessions, Oracle(all_sessions) as dovecot:
    refusals(all_sessions)
    model(all_sessions)
    if os.path.exists(DOVECOT):
        beside(all_sessions, dovecot)
tap.done()
