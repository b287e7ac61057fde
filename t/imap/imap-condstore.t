#!/usr/bin/env python3
"""CONDSTORE and QRESYNC (RFC 7162): dialogues of several sessions, beside
Dovecot, and what only we say. Dovecot's mod-sequences are other numbers, so
what is compared names those that both know."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from imapsession import Sessions  # noqa: E402
from oracle import DOVECOT, Oracle  # noqa: E402

MESSAGES = 20
tap = Tap()


def has(lines, pattern, name):
    if not tap.ok(any(re.fullmatch(pattern, u) for u in lines), name):
        print("#", lines)


def not_in(lines, pattern, name):
    tap.equal([u for u in lines if re.search(pattern, u)], [], name)


def highest(lines):
    """The last HIGHESTMODSEQ among the responses."""
    found = [int(n) for u in lines
             for n in re.findall(rb"\[HIGHESTMODSEQ (\d+)\] \S", u)]
    return found[-1] if found else None


class Side:
    """One server: its sessions, and the numbers that it gave."""

    def __init__(self, opener):
        self.opener, self.session, self.known = opener, {}, {}

    def ask(self, who, command, keep=None):
        if who not in self.session:
            self.session[who] = self.opener()
        lines, last = self.session[who].ask(command.format(**self.known))
        if keep:
            self.known[keep] = highest(lines + [last])
            self.known[keep + "_1"] = self.known[keep] + 1
        for u in lines:
            found = re.match(rb"\* OK \[UIDVALIDITY (\d+)\]", u)
            if found:
                self.known["validity"] = int(found.group(1))
        return lines, last


def plain(line):
    """Without what differs: numbers, orders and texts; UID, which Dovecot
    leaves out if only CONDSTORE was enabled."""
    line = re.sub(rb"MODSEQ \(?\d+\)?", b"MODSEQ", line)
    line = re.sub(rb'TAG "t\d+"', b"TAG", line)
    fetch = re.match(rb"(\* \d+ FETCH )\((.*)\)$", line)
    if fetch:
        items = re.findall(rb"(?:FLAGS \([^)]*\)|\S+ ?(?:\d+)?)",
                           fetch.group(2))
        items = [b" ".join(sorted(i[7:-1].split())) if i.startswith(b"FLAGS")
                 else i.strip() for i in items]
        return fetch.group(1) + b", ".join(sorted(
            i for i in items if not i.startswith(b"UID")))
    return line.strip()


def changes(lines):
    """What is told of messages; HIGHESTMODSEQ is told at our own moments.
    Dovecot tells of what was expunged from the highest number down."""
    found = sorted(plain(u) for u in lines if re.match(
        rb"\* (\d+ (FETCH|EXPUNGE|EXISTS)|VANISHED|SEARCH|ESEARCH|SORT|"
        rb"OK \[CLOSED)", u))
    if any(u.endswith(b"EXPUNGE") for u in found):
        found = [re.sub(rb"\d+", b"n", u) for u in found]
    return found


# who, command, and under which name HIGHESTMODSEQ is kept
DIALOGUE = [
    ("a", "ENABLE QRESYNC", None),
    ("a", "SELECT INBOX", "start"),
    ("b", "SELECT INBOX (CONDSTORE)", None),
    ("old", "SELECT INBOX", None),
    ("a", "STORE 1:3 +FLAGS.SILENT (\\Flagged)", None),
    ("a", "STORE 3 +FLAGS (\\Flagged \\Draft)", None),
    ("b", "NOOP", None),
    ("old", "NOOP", None),
    ("b", "FETCH 1:* (FLAGS) (CHANGEDSINCE {start})", None),
    ("b", "UID FETCH 2,3,4,7 FLAGS (CHANGEDSINCE {start})", None),
    ("b", "FETCH 1:2 (MODSEQ)", None),
    ("b", "FETCH 2 (UID)", None),
    ("b", "UID STORE 2 (UNCHANGEDSINCE {start}) -FLAGS (\\Flagged)", None),
    ("b", "STORE 4:5 (UNCHANGEDSINCE {start}) +FLAGS.SILENT (\\Seen)", None),
    ("b", "STORE 9 (UNCHANGEDSINCE 0) +FLAGS.SILENT (\\Seen)", None),
    ("a", "NOOP", None),
    ("b", "SEARCH MODSEQ {start_1}", None),
    ("b", "UID SEARCH OR MODSEQ {start_1} 20", None),
    ("b", 'SEARCH MODSEQ "/flags/\\\\draft" all {start_1}', None),
    ("b", "SEARCH MODSEQ 9223372036854775807", None),
    ("b", "SEARCH RETURN (MIN) MODSEQ {start_1}", None),
    ("b", "SEARCH RETURN (ALL COUNT) MODSEQ {start_1}", None),
    ("b", "SEARCH RETURN (COUNT) MODSEQ 9223372036854775807", None),
    ("b", "SORT (REVERSE SIZE) UTF-8 UID 1:4 MODSEQ {start_1}", None),
    ("a", "UID STORE 6,8:9,20 +FLAGS.SILENT (\\Deleted)", None),
    ("a", "UID EXPUNGE 6,8:9", "middle"),
    ("b", "NOOP", None),
    ("a", "UID FETCH 1:* (FLAGS) (CHANGEDSINCE {start} VANISHED)", None),
    ("a", "UID FETCH 7:19 FLAGS (CHANGEDSINCE {start} VANISHED)", None),
    ("a", "UID FETCH 1:* FLAGS (CHANGEDSINCE {middle} VANISHED)", None),
    ("a", "EXPUNGE", None),
    ("b", "NOOP", None),
    ("b", "CREATE Box", None),
    ("a", "UID MOVE 11 Box", None),
    ("b", "NOOP", None),
    ("c", "ENABLE QRESYNC", None),
    ("c", "SELECT INBOX (QRESYNC ({validity} {start}))", None),
    ("c", "SELECT INBOX (QRESYNC ({validity} {start} 5:9))", None),
    ("c", "SELECT INBOX (QRESYNC ({validity} 0))", None),
    ("c", "SELECT INBOX (QRESYNC ({validity} {middle}))", None),
    ("c", "EXAMINE INBOX (QRESYNC ({validity} {middle} 1:10))", None),
    ("c", "SELECT INBOX (QRESYNC (1 {start} 1:20))", None),
    ("c", "SELECT INBOX (CONDSTORE QRESYNC ({validity} {start} 1:9))", None),
    ("c", "STORE 1 -FLAGS.SILENT (\\Flagged)", None),
    ("a", "NOOP", None),
    ("c", "STORE 2 +FLAGS.SILENT (\\Deleted)", None),
    ("c", "CLOSE", None),
    ("a", "NOOP", None),
    ("b", "NOOP", None),
    ("b", "STORE 1 (UNCHANGEDSINCE) +FLAGS (\\Seen)", None),
    ("a", "FETCH 1:* FLAGS (CHANGEDSINCE {start} VANISHED)", None),
    ("b", "UID FETCH 1:* FLAGS (CHANGEDSINCE {start} VANISHED)", None),
    ("b", "SELECT INBOX (QRESYNC ({validity} {start}))", None),
    ("a", "SELECT INBOX (QRESYNC ({validity} {start} 1:*))", None),
    ("a", "SELECT INBOX (QRESYNC ({validity}))", None),
]


def test_beside(sessions):
    with Oracle(sessions) as oracle:
        oracle.copy()
        ours, theirs = Side(sessions.raw), Side(oracle.open)
        for who, command, keep in DIALOGUE:
            got, end = ours.ask(who, command, keep)
            want, their_end = theirs.ask(who, command, keep)
            code = re.compile(rb"\[MODIFIED [^]]*\]").findall
            # we show also what has failed; what is BAD does nothing
            if code(end) or end.startswith(b"BAD"):
                got = want = []
            tap.equal((changes(got), end.split()[0], code(end)),
                      (changes(want), their_end.split()[0], code(their_end)),
                      who + ": " + command)


ENABLING = [
    "SELECT INBOX (CONDSTORE)", "EXAMINE INBOX (CONDSTORE)",
    "STATUS Box (HIGHESTMODSEQ)", "FETCH 1 (MODSEQ)",
    "FETCH 1 FLAGS (CHANGEDSINCE 1)", "UID FETCH 1 MODSEQ",
    "SEARCH MODSEQ 1", "SORT (SIZE) UTF-8 MODSEQ 1",
    "STORE 1 (UNCHANGEDSINCE 1) +FLAGS (\\Seen)",
    "ENABLE CONDSTORE", "ENABLE QRESYNC", 'LIST "" Box RETURN '
    "(STATUS (HIGHESTMODSEQ))"]


def test_enabling(sessions):
    other = sessions.raw()
    other.ask("SELECT INBOX")
    for n, command in enumerate(ENABLING):
        r = sessions.raw()
        r.ask("SELECT INBOX")
        other.ask("STORE 1 %sFLAGS.SILENT ($x)" % "+-"[n % 2])
        not_in(r.ask("NOOP")[0], rb"MODSEQ", "at first no MODSEQ")
        lines, last = r.ask(command)
        tap.ok(last.startswith(b"OK") and highest(lines),
               command + " enables it")
        not_in(r.ask(command)[0] if "INBOX (" not in command else [],
               rb"HIGHESTMODSEQ \d+\]", "and says so once")
        other.ask("STORE 1 %sFLAGS.SILENT ($y)" % "+-"[n % 2])
        has(r.ask("NOOP")[0],
            rb"\* 1 FETCH \(UID \d+ MODSEQ \(\d+\) FLAGS \(.*\)\)",
            "FETCH has UID and MODSEQ from now on")
        r.close()
    other.close()


def test_own(sessions):
    a, b, c = sessions.raw(), sessions.raw(), sessions.raw()
    lines, last = a.ask("ENABLE X-FOO CONDSTORE")
    tap.equal(lines, [b"* ENABLED CONDSTORE"], "ENABLE names what it enabled")
    tap.equal(a.ask("ENABLE QRESYNC CONDSTORE")[0], [b"* ENABLED QRESYNC"],
              "and that only once")
    lines, last = a.ask("SELECT INBOX")
    start = highest(lines)
    not_in(lines, rb"CLOSED", "there was none to close")
    has(a.ask("SELECT Box")[0], rb"\* OK \[CLOSED\] .*", "then there is")
    a.ask("SELECT INBOX")
    b.ask("SELECT INBOX (CONDSTORE)")
    status = a.ask("STATUS INBOX (HIGHESTMODSEQ MESSAGES)")[0]
    has(status, rb'\* STATUS "?INBOX"? \(MESSAGES \d+ HIGHESTMODSEQ %d\)'
        % start, "STATUS says the same as SELECT")

    # an expunge that must wait, and a change after it
    uids = [int(u) for u in a.ask("UID SEARCH ALL")[0][0].split()[2:]]
    b.ask("UID STORE %d +FLAGS.SILENT (\\Deleted)" % uids[4])
    a.ask("NOOP")
    b.ask("EXPUNGE")
    b.ask("STORE 2 +FLAGS.SILENT ($later)")
    lines, last = a.ask("FETCH 1 FLAGS")
    changed = [int(n) for u in lines
               for n in re.findall(rb"FETCH .*MODSEQ \((\d+)\)", u)]
    not_in(lines, rb"VANISHED", "FETCH by number does not shift numbers")
    tap.ok(changed and highest(lines) < max(changed) - 0 and
           highest(lines) >= start, "it says how far it has told: %s" % lines)
    told = highest(lines)
    lines = a.ask("UID SEARCH 1:3 SEEN")[0]
    not_in(lines, rb"VANISHED", "nor does UID SEARCH with numbers")
    lines = a.ask("UID SEARCH SEEN")[0]
    has(lines, rb"\* VANISHED %d" % uids[4], "UID SEARCH may")
    tap.ok(highest(lines) >= max(changed) > told, "and all is told")
    c.ask("ENABLE QRESYNC")
    c.ask("SELECT INBOX")
    lines = c.ask("UID FETCH 1:* FLAGS (VANISHED CHANGEDSINCE %d)" % told)[0]
    has(lines, rb"\* VANISHED \(EARLIER\) %d" % uids[4],
        "who had lost the connection then would be told")

    # a FETCH that marks as read
    a.ask("UID STORE %d -FLAGS.SILENT (\\Seen)" % uids[5])
    lines = a.ask("UID FETCH %d BODY[]" % uids[5])[0]
    has([u.split(b"BODY[]")[0] for u in lines],
        rb"\* \d+ FETCH \(UID %d MODSEQ \(\d+\) FLAGS \(.*\\Seen.*\) "
        % uids[5], "FETCH that sets \\Seen tells the new mod-sequence")

    # removing
    uids.pop(4)
    a.ask("UID STORE %d,%d +FLAGS.SILENT (\\Deleted)" % (uids[0], uids[1]))
    lines, last = a.ask("EXPUNGE")
    has(lines, rb"\* VANISHED %d,%d" % (uids[0], uids[1]), "EXPUNGE")
    has([last], rb"OK \[HIGHESTMODSEQ \d+\] .+", "its OK has the code")
    lines, last = a.ask("UID MOVE %d Box" % uids[2])
    has(lines, rb"\* OK \[COPYUID .*", "MOVE says COPYUID")
    has(lines, rb"\* VANISHED %d" % uids[2], "and VANISHED")
    has([last], rb"OK \[HIGHESTMODSEQ \d+\] .+", "its OK has the code")
    last_seen = highest([last])
    has(b.ask("NOOP")[0], rb"\* 1 EXPUNGE", "EXPUNGE for others")
    lines = a.ask("APPEND INBOX {8+}\r\nA: b\r\n\r\n")[0]
    tap.ok(highest(lines) > last_seen, "APPEND raises it")

    # IDLE
    a.send("i IDLE\r\n")
    a.line()
    b.ask("STORE 1 +FLAGS.SILENT (\\Deleted)")
    got = [a.line()]
    b.ask("EXPUNGE")
    while not got[-1].startswith(b"* VANISHED"):
        got.append(a.line())
    a.send("DONE\r\n")
    rest = a.until("i")
    has([u.strip() for u in got], rb"\* 1 FETCH \(UID %d MODSEQ .*" % uids[3],
        "IDLE tells flags with MODSEQ")
    has([u.strip() for u in got], rb"\* VANISHED %d" % uids[3],
        "and VANISHED")
    tap.ok(highest(got + rest), "and how far all is told")

    # the sample of what the client knows
    validity = int(re.search(rb"UIDVALIDITY (\d+)", b" ".join(
        a.ask("SELECT INBOX")[0])).group(1))
    uids = [int(u) for u in a.ask("UID SEARCH ALL")[0][0].split()[2:]]
    top = uids[-1]
    for known, first in (
            ("", 1), (" (1 %d)" % uids[0], uids[0]),
            (" (1,3 %d,%d)" % (uids[0], uids[2]), uids[2]),
            (" (1:2,3 %d:%d,%d)" % (uids[0], uids[0] + 1, uids[2] + 1),
             uids[0]), (" (2 1)", 1),
            (" (%d %d)" % (len(uids), top), top)):
        lines, last = a.ask("SELECT INBOX (QRESYNC (%d 1 1:%d%s))" % (
            validity, top, known))
        gone = [u for u in range(first, top) if u not in uids]
        got = [u for u in lines if u.startswith(b"* VANISHED")]
        tap.equal(expand(got), gone, "known%s: what vanished above" % known)
    for wrong in ("(1:2 5)", "(1:* 1:*)", "(1 1) (1 1)", "(1)", "x", "()"):
        lines, last = a.ask("SELECT INBOX (QRESYNC (%d 1 1:9 %s))" % (
            validity, wrong))
        has([last], rb"BAD .*", "QRESYNC with %s" % wrong)
    for wrong in ("FETCH 1 FLAGS ()", "FETCH 1 FLAGS (CHANGEDSINCE)",
                  "UID FETCH 1 FLAGS (VANISHED)",
                  "UID FETCH 1 FLAGS (CHANGEDSINCE 1 FOO)",
                  "UID FETCH 1 FLAGS (CHANGEDSINCE 9223372036854775808)",
                  "STORE 1 (UNCHANGEDSINCE 1 X 1) FLAGS ()",
                  "STORE 1 () FLAGS ()", "SEARCH MODSEQ", "SEARCH MODSEQ -1",
                  'SEARCH MODSEQ "/flags/a" some 1', "SELECT INBOX (FOO)",
                  "SELECT INBOX QRESYNC", "SELECT INBOX (QRESYNC)"):
        has([a.ask(wrong)[1]], rb"BAD .*", wrong)
    a.ask("STORE 1 +FLAGS.SILENT (\\Deleted)")
    not_in([a.ask("CLOSE")[1]], rb"HIGHESTMODSEQ", "CLOSE does not say it")


def expand(lines):
    found = []
    for u in lines:
        for part in u.split()[-1].split(b","):
            first, _, last = part.partition(b":")
            found += range(int(first), int(last or first) + 1)
    return found


if not os.path.exists(DOVECOT):
    print("1..0 # SKIP Dovecot is not installed")
    sys.exit(0)
with Sessions() as sessions:
    r = sessions.raw()
    has(r.ask("CAPABILITY")[0], rb".* CONDSTORE.* QRESYNC.*", "announced")
    for i in range(MESSAGES):
        sessions.put(b"Subject: %d\n\n%s\n" % (i, b"x" * i))
    test_beside(sessions)
    test_enabling(sessions)
    test_own(sessions)
tap.done()
