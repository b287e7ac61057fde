#!/usr/bin/env python3
"""THREAD (RFC 5256), beside Dovecot: random conversations with all that goes
wrong in them, and what the RFC itself shows."""
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from imapsession import Sessions  # noqa: E402
from oracle import DOVECOT, Oracle, compare  # noqa: E402

MAILBOXES = 40
MESSAGES = 30
SEED = int(os.environ.get("THREAD_SEED") or random.randrange(1 << 30))
WORDS = ["a", "b", "Lunch", "l\u00fcnch", "[list] x", "x", ""]
PREFIXES = ["Re: ", "RE:", "Fwd: ", "[list] ", "Re[2]: ", "re: re: ", ""]
ALGORITHMS = ["ORDEREDSUBJECT", "REFERENCES", "REFS"]

tap = Tap()
rng = random.Random(SEED)
print("# THREAD_SEED=%d" % SEED)


def some_id(n):
    """Identifier N as one of the ways to write it."""
    name = "m%d" % n
    return "<%s@%s>" % (rng.choice([name] * 6 + ['"%s"' % name]), "x.example")


def references(known):
    """A References field's value: mostly a chain, sometimes nonsense."""
    kind = rng.random()
    ids = [some_id(n) for n in sorted(rng.sample(
        range(known + 3), min(known + 3, rng.randrange(1, 5))))]
    if kind < 0.1:
        rng.shuffle(ids)
    if kind > 0.95:
        ids.insert(0, "junk")
    return rng.choice([" ", "\n ", "\n\t", ""]).join(ids)


def message(n):
    lines = []
    if rng.random() < 0.9:
        which = rng.randrange(n + 1) if rng.random() < 0.05 else n
        lines.append("Message-ID: " + some_id(which))
    if rng.random() < 0.6:
        lines.append("References: " + references(n))
    if rng.random() < 0.3:
        lines.append("In-Reply-To: your mail " + some_id(
            rng.randrange(n + 3)))
    if rng.random() < 0.95:
        subject = rng.choice(PREFIXES) + rng.choice(WORDS)
        if subject.isascii():
            lines.append("Subject: " + subject)
        else:
            lines.append("Subject: =?utf-8?q?%s?=" % "".join(
                "=%02X" % byte for byte in subject.encode()))
    # no two are of the same second: Dovecot sorts those in any order
    at = 1700000000 + rng.randrange(1000) * 1000 + n
    if rng.random() < 0.95:
        lines.append("Date: " + time.strftime(
            "%a, %d %b %Y %H:%M:%S +0000", time.gmtime(at)))
    rng.shuffle(lines)
    return "\n".join(lines + ["", "x", ""]).encode(), at


def fill(sessions, messages):
    """A new Maildir with these."""
    filled = fill.count = getattr(fill, "count", 0) + 1
    sessions.maildir = sessions.folder.path("mail/joe%d" % filled)
    sessions.raw().ask("LOGOUT")
    for data, at in messages:
        os.utime(sessions.put(data), (at + 7, at + 7))


# RFC 5256 section 2.2: REFERENCES, step by step
EXAMPLES = [
    # a message below one that is not here, below one that is
    ([("<1@x>", ""), ("<3@x>", "<1@x> <2@x>")], "(1 2)"),
    # two below one that is not here
    ([("<2@x>", "<1@x>"), ("<3@x>", "<1@x>")], "((1)(2))"),
    # one below one that is not here
    ([("<2@x>", "<1@x>")], "(1)"),
    # a circle
    ([("<1@x>", "<2@x>"), ("<2@x>", "<1@x>")], "(2 1)"),
    # itself
    ([("<1@x>", "<1@x>")], "(1)"),
    # the same identifier twice
    ([("<1@x>", ""), ("<1@x>", ""), ("<2@x>", "<1@x>")], "(1 3)(2)"),
    # a link from a truncated field gives way to the message's own
    ([("<3@x>", "<1@x> <2@x>"), ("<2@x>", "<9@x>"), ("<9@x>", ""),
      ("<1@x>", "")], "(3 2 1)(4)"),
]


def example(pairs):
    found = []
    for n, (own, refs) in enumerate(pairs):
        found.append((b"Message-ID: %s\nReferences: %s\nDate: Tue, 1 Sep 2020 "
                      b"00:00:%02d +0000\nSubject: s%d\n\nx\n"
                      % (own.encode(), refs.encode(), n, n), 1600000000))
    return found


def main(all_sessions, oracle):
    for pairs, want in EXAMPLES:
        fill(all_sessions, example(pairs))
        r = all_sessions.raw()
        r.ask("SELECT INBOX")
        tap.equal(r.ask("THREAD REFERENCES UTF-8 ALL")[0],
                  [b"* THREAD " + want.encode()], want)
        r.close()

    # a chain of conversations within each other, deeper than any stack
    fill(all_sessions, example(
        [("<0@x>", "")] + [("<%d@x>" % n, "<%d@x>" % ((n - 1) // 2 * 2))
                           for n in range(1, 3001)]))
    r = all_sessions.raw()
    r.ask("SELECT INBOX")
    got = r.ask("THREAD REFERENCES UTF-8 ALL")[0][0]
    tap.equal((got.count(b"("), got.count(b")"), len(got.split())),
              (3001, 3001, 1503), "a thread of 1500 levels of lists")
    tap.equal(r.ask("THREAD REFERENCES UTF-8 NOT ALL"), (
        [b"* THREAD"], b"OK Thread completed."), "no message, no thread")
    for command in ("THREAD NONE UTF-8 ALL", "THREAD REFERENCES UTF-8",
                    "THREAD REFERENCES ALL"):
        tap.ok(r.ask(command)[1].startswith(b"BAD"), command)
    tap.ok(r.ask("THREAD REFS NO-CHARSET ALL")[1].startswith(
        b"NO [BADCHARSET"), "an unknown charset")
    r.close()

    if not os.path.exists(DOVECOT):
        tap.ok(True, "beside Dovecot # SKIP it is not installed")
        return
    for i in range(MAILBOXES):
        fill(all_sessions, [message(n) for n in range(MESSAGES)])
        oracle.copy()
        r, theirs = all_sessions.raw(), oracle.open()
        for side in r, theirs:
            side.ask("SELECT INBOX")
            side.ask("STORE 5:9 +FLAGS.SILENT (\\Seen)")
        for name in ALGORITHMS:
            compare(tap, r, theirs, "THREAD %s UTF-8 ALL" % name,
                    "mailbox %d: %s" % (i, name))
        compare(tap, r, theirs, "UID THREAD REFERENCES US-ASCII UNSEEN",
                "mailbox %d: a part" % i)
        r.close()
        theirs.close()


with Sessions() as sessions, Oracle(sessions) as dovecot:
    main(sessions, dovecot)
tap.done()
