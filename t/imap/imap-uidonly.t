#!/usr/bin/env python3
"""UIDONLY (RFC 9586): the examples of the RFC, what takes or gives numbers in
any other extension, and the same commands beside a session without it, whose
responses have to be the same but for the numbers. That no response has one is
checked by the grammar (t/lib/imapgrammar.py) in all of it."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from imapgrammar import complain  # noqa: E402
from imapsession import Compressed, Sessions  # noqa: E402
from sharers import Sharers, address, theirs  # noqa: E402

ON = "imap_uidonly=yes"
LETTER = b"From: a@example.test\r\nSubject: s%d\r\n\r\nbody %d\r\n"
REQUIRED = b"BAD [UIDREQUIRED] "
tap = Tap()


def has(lines, pattern, name):
    if not tap.ok(any(re.fullmatch(pattern, u) for u in lines), name):
        tap.note(lines)


def append(r, folder, n):
    letter = LETTER % (n, n)
    r.ask("APPEND %s {%d+}\r\n%s" % (folder, len(letter), letter.decode()))


def fill(r, folder, uids):
    """A folder that has these UIDs and no others."""
    r.ask("CREATE " + folder)
    for n in range(1, max(uids) + 1):
        append(r, folder, n)
    r.ask("SELECT " + folder)
    gone = ",".join(str(n) for n in range(1, max(uids)) if n not in uids)
    if gone:
        r.ask("UID STORE %s +FLAGS.SILENT (\\Deleted)" % gone)
    r.ask("CLOSE")


def enabled(all_sessions, folder, *more):
    r = all_sessions.raw()
    tap.equal(r.ask(" ".join(("ENABLE UIDONLY",) + more))[0],
              [(" ".join(("* ENABLED UIDONLY",) + more)).encode()],
              "it is enabled: %s" % folder)
    if folder:
        r.ask("SELECT " + folder)
    return r


def off():
    """By default nobody hears of it."""
    with Sessions() as all_sessions:
        r = all_sessions.raw()
        tap.ok(b"UIDONLY" not in r.greeting + r.ask("CAPABILITY")[0][0],
               "it is not announced by default")
        tap.equal(r.ask("ENABLE UIDONLY")[0], [b"* ENABLED"],
                  "and cannot be enabled then")
        append(r, "INBOX", 1)
        r.ask("SELECT INBOX")
        tap.equal(r.ask("FETCH 1 FLAGS")[0], [b"* 1 FETCH (FLAGS (\\Recent))"],
                  "numbers are as ever")


# Whatever names a message by number; SELECTED.
NUMBERED = (
    "FETCH 1 FLAGS", "FETCH 10000:14589 (UID FLAGS)", "FETCH * UID",
    "STORE 1 +FLAGS (\\Seen)", "STORE 1", "COPY 1 INBOX", "MOVE 1 INBOX",
    "FETCH $ FLAGS", "SEARCH ALL", "SEARCH UID 1", "SEARCH RETURN (SAVE) ALL",
    "SORT (DATE) UTF-8 ALL", "THREAD REFERENCES UTF-8 ALL",
    "UID SEARCH 1", "UID SEARCH 1:*", "UID SEARCH NOT 1", "UID SEARCH *",
    "UID SEARCH OR SEEN (ALL 2)", "UID SEARCH RETURN (COUNT) 1",
    "UID SEARCH FUZZY 1", "UID SORT (DATE) UTF-8 1:4",
    "UID THREAD REFERENCES UTF-8 1", "ESEARCH IN (mailboxes INBOX) 1",
    "ESEARCH 1", "REPLACE 1 INBOX {1+}\r\nx")
# And what does not.
UIDS = (
    "UID FETCH 1:* FLAGS", "UID SEARCH ALL", "UID SEARCH UID 1:*",
    "UID SEARCH RETURN (SAVE) ALL", "UID SEARCH $", "UID FETCH $ (FLAGS)",
    "UID SORT (DATE) UTF-8 ALL", "UID THREAD REFERENCES UTF-8 UID 1:*",
    "ESEARCH IN (mailboxes INBOX) ALL", "UIDBATCHES 1000",
    "UID SEARCH RETURN (PARTIAL 1:10) ALL",
    "UID FETCH 1:* (FLAGS) (PARTIAL -1:-1)", "UID SEARCH UIDAFTER 1")


def refusals(all_sessions):
    r = enabled(all_sessions, "refused")
    for command in NUMBERED:
        got, end = r.ask(command)
        tap.ok(end.startswith(REQUIRED) and not got,
               "refused: %r" % command, (got, end))
        r.ask("NOOP")       # or too many are BAD in a row
    for command in UIDS:
        tap.starts(r.ask(command)[1], b"OK ", "by UID: " + command)
    tap.starts(r.ask("UID SEARCH X-UNKNOWN")[1], b"BAD Invalid",
               "what is no number is another mistake")
    r.close()


def examples(all_sessions):
    """Section 3, with UIDs of ours."""
    r = enabled(all_sessions, "examples")
    has(r.ask("UID FETCH 2:4 (FLAGS)")[0], rb"\* 3 UIDFETCH "
        rb"\(FLAGS \((\\Recent)?\)\)", "UIDFETCH, without an item UID")
    has(r.ask("UID FETCH 3 (UID FLAGS)")[0], rb"\* 3 UIDFETCH "
        rb"\(UID 3 FLAGS \((\\Recent)?\)\)", "with it, if it is asked for")
    has(r.ask("UID STORE 3 +FLAGS (\\Answered)")[0], rb"\* 3 UIDFETCH "
        rb"\(FLAGS \(\\Answered( \\Recent)?\)\)", "so after UID STORE")
    r.ask("UID STORE 3,5 +FLAGS.SILENT (\\Deleted)")
    tap.equal(r.ask("EXPUNGE"), ([b"* VANISHED 3,5"], b"OK Expunge completed."),
              "VANISHED after EXPUNGE")
    got, end = r.ask("UID MOVE 6 moved")
    has(got[:1], rb"\* OK \[COPYUID \d+ 6 1\] \S+", "COPYUID, first")
    tap.equal((got[1:], end[:3]), ([b"* VANISHED 6"], b"OK "),
              "then VANISHED")
    got, end = r.ask("UID REPLACE 7 examples {3+}\r\nA:b")
    tap.ok(b"* VANISHED 7" in got and end.startswith(b"OK"),
           "VANISHED after UID REPLACE", (got, end))
    r.ask("UID STORE 8 +FLAGS.SILENT (\\Deleted)")
    tap.equal(r.ask("UID EXPUNGE 8")[0], [b"* VANISHED 8"],
              "VANISHED after UID EXPUNGE")
    r.close()


# Asked of both sessions; those with a change in them follow each other.
SAME = (
    "UID FETCH 1:* (UID FLAGS ENVELOPE)", "UID FETCH 1:* (UID BODY[TEXT])",
    "UID STORE 4:9 +FLAGS (\\Flagged k)", "UID SEARCH FLAGGED",
    "UID SEARCH RETURN (MIN MAX ALL COUNT) ALL",
    "UID SORT (REVERSE SUBJECT) UTF-8 ALL",
    "UID THREAD ORDEREDSUBJECT UTF-8 ALL",
    "UID SEARCH RETURN (SAVE) KEYWORD k", "UID STORE $ -FLAGS (k)",
    "UID FETCH 1:* (UID FLAGS) (CHANGEDSINCE 1 VANISHED)",
    "UID STORE 4:9 (UNCHANGEDSINCE 1) +FLAGS (\\Seen)",
    "UID STORE 9 +FLAGS.SILENT (\\Deleted)", "EXPUNGE", "UID MOVE 4 moved",
    "NOOP", "UID FETCH 1:* (UID MODSEQ)")


def without_numbers(lines):
    """As UIDONLY has it."""
    lines = [re.sub(rb"\* \d+ FETCH (\(UID (\d+))", rb"* \2 UIDFETCH \1", u)
             for u in lines]
    return [re.sub(rb"MODSEQ \(?\d+|SINCE \d+|COPYUID \d+ ", b"", u)
            for u in lines]


def asked_uid(lines):
    """Where it was not asked for it is not there, which is not compared."""
    return [re.sub(rb"(UIDFETCH \()UID \d+ ", rb"\1", u) for u in lines]


def beside(all_sessions):
    plain = all_sessions.raw()
    plain.ask("ENABLE QRESYNC")
    plain.ask("SELECT one")
    other = enabled(all_sessions, "two", "QRESYNC")
    for command in SAME:
        a, b = plain.ask(command), other.ask(command)
        want, got = ([asked_uid(without_numbers(lines + [end]))
                      for lines, end in (a, b)])
        # moved messages get UIDs there
        want, got = ([re.sub(rb"(\[4|\[4:\d+|4) \d+\] Moved", rb"\1", u)
                      for u in x] for x in (want, got))
        tap.equal(got, want, "as without UIDONLY: " + command)
    plain.close()
    other.close()


def unasked(all_sessions):
    """What others do: between commands, in IDLE, under NOTIFY."""
    r, other = enabled(all_sessions, "news"), all_sessions.raw()
    other.ask("SELECT news")
    other.ask("UID STORE 3 +FLAGS (\\Seen)")
    has(r.ask("NOOP")[0], rb"\* 3 UIDFETCH \(FLAGS \(\\Seen( \\Recent)?\)\)",
        "flags between commands")
    other.ask("UID STORE 4 +FLAGS.SILENT (\\Deleted)")
    other.ask("EXPUNGE")
    got = r.ask("UID SEARCH ALL")[0]
    tap.ok(b"* VANISHED 4" in got, "VANISHED after UID SEARCH", got)
    r.send("i IDLE\r\n")
    tap.starts(r.line(), b"+ ", "IDLE")
    other.ask("UID STORE 5 +FLAGS (\\Flagged)")
    has([r.line()], rb"\* 5 UIDFETCH \(FLAGS \(\\Flagged( \\Recent)?\)\)\r\n",
        "flags in IDLE")
    other.ask("UID STORE 6 +FLAGS.SILENT (\\Deleted)")
    other.ask("EXPUNGE")
    while True:
        got = r.line()
        if b"UIDFETCH" not in got:
            break
    tap.equal(got, b"* VANISHED 6\r\n", "VANISHED in IDLE")
    append(other, "news", 99)
    tap.ok(re.fullmatch(rb"\* \d+ EXISTS\r\n", r.line()), "EXISTS in IDLE")
    r.send("DONE\r\n")
    r.until("i")
    r.ask("NOTIFY SET (SELECTED (MessageNew (FLAGS UID) MessageExpunge "
          "FlagChange))")
    append(other, "news", 100)
    lines = []
    while not lines or b"UIDFETCH" not in lines[-1]:
        lines.append(r.line())
    has(lines[-1:], rb"\* 12 UIDFETCH \(UID 12 FLAGS \([^)]*\)\)\r\n",
        "what NOTIFY fetches")
    other.ask("UID STORE 12 +FLAGS.SILENT (\\Deleted)")
    has([r.line()], rb"\* 12 UIDFETCH \(FLAGS \(\\Deleted[^)]*\)\)\r\n",
        "flags under NOTIFY")
    other.ask("UID EXPUNGE 12")
    tap.equal(r.line(), b"* VANISHED 12\r\n", "VANISHED under NOTIFY")
    r.close()
    other.close()


def contexts(all_sessions):
    """A result that is kept informed, also one from before."""
    r = all_sessions.raw()
    r.ask("SELECT kept")
    r.ask("SEARCH RETURN (UPDATE) UNSEEN")
    r.ask("ENABLE UIDONLY")
    r.ask("UID SORT RETURN (UPDATE) (REVERSE SUBJECT) UTF-8 UNSEEN")
    got = r.ask("UID STORE 4 +FLAGS (\\Seen)")[0]
    has(got, rb'\* ESEARCH \(TAG "t2"\) UID REMOVEFROM \(0 4\)',
        "a result by number becomes one of UIDs")
    has(got, rb'\* ESEARCH \(TAG "t4"\) UID REMOVEFROM \(\d 4\)',
        "a sorted one")
    r.ask("UID STORE 3 +FLAGS.SILENT (\\Deleted)")
    got = r.ask("EXPUNGE")[0]
    has(got, rb'\* ESEARCH \(TAG "t2"\) UID REMOVEFROM \(0 3\)',
        "of what is expunged")
    r.close()


def resync(all_sessions):
    first = enabled(all_sessions, None, "QRESYNC")
    got, _ = first.ask("SELECT resynced")
    validity, modseq = (re.search(rb"%s (\d+)" % word, b" ".join(got)).group(1)
                        .decode() for word in (b"UIDVALIDITY",
                                               b"HIGHESTMODSEQ"))
    tap.ok(not any(b"UNSEEN" in u for u in got), "SELECT tells no number", got)
    first.ask("UID STORE 3 +FLAGS (\\Seen)")
    first.ask("UID STORE 5 +FLAGS (\\Deleted)")
    first.ask("EXPUNGE")
    r = enabled(all_sessions, None, "QRESYNC")
    got, end = r.ask("SELECT resynced (QRESYNC (%s %s 1:20 (1:2 3:4)))"
                     % (validity, modseq))
    tap.ok(not got and end.startswith(REQUIRED),
           "SELECT with numbers is refused", (got, end))
    got, end = r.ask("SELECT resynced (QRESYNC (%s %s 1:20))"
                     % (validity, modseq))
    has(got, rb"\* VANISHED \(EARLIER\) 5", "what vanished earlier")
    has(got, rb"\* 3 UIDFETCH \(MODSEQ \(\d+\) FLAGS \(\\Seen.*\)\)",
        "flags since then")
    r.close()
    first.close()
    r = enabled(all_sessions, "resynced")
    tap.starts(r.ask("UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)")[1],
               b"BAD QRESYNC", "UIDONLY is not QRESYNC")
    r.close()


def compressed(all_sessions):
    r = Compressed(all_sessions)
    r.ask("ENABLE UIDONLY")
    r.ask("SELECT examples")
    for _ in range(3):      # parked between them
        got = r.ask("UID FETCH 1:* (UID)")[0]
        tap.ok(got and not any(complain(u + b"\r\n", uidonly=True)
                               for u in got), "compressed", got)
    tap.starts(r.ask("FETCH 1 UID")[1], REQUIRED, "… and refused")
    r.close()


def imaplib_client(all_sessions):
    m = all_sessions.open()
    m.enable("UIDONLY")
    m.select("examples")
    m.uid("FETCH", "4", "(FLAGS)")
    got = m.response("UIDFETCH")[1]
    tap.ok(got[0] and got[0].startswith(b"4 (FLAGS"), "imaplib reads it", got)
    try:
        m.fetch("1", "(FLAGS)")
        tap.ok(False, "imaplib is refused")
    except m.error as e:
        tap.ok("UIDREQUIRED" in str(e), "imaplib is refused", e)
    m.logout()


USES = {"refused": 4, "examples": 9, "one": 10, "two": 10, "news": 10,
        "kept": 8, "resynced": 9, "moved": 0}


def on(park):
    tap.note("parked whenever they wait" if park else "not parked")
    with Sessions([ON], park=park) as all_sessions:
        r = all_sessions.raw()
        tap.ok(b" UIDONLY " in r.greeting, "it is announced if it is on")
        for folder, last in USES.items():
            if last:
                fill(r, folder, range(3, last + 1))
            else:
                r.ask("CREATE " + folder)
        for what in (refusals, examples, beside, unasked, contexts, resync,
                     compressed, imaplib_client):
            what(all_sessions)
        resumed = all_sessions.accountd.resumed
    tap.ok(not park or resumed > 50, "sessions were parked", resumed)


def of_others(s):
    """Another user's folder: its session is told, and what comes from there is
    read."""
    ann, bob = s.session("ann"), s.session("bob")
    fill(ann, "shared", range(3, 9))
    ann.ask("SETACL shared %s lrswite" % address("bob"))
    bob.ask("ENABLE UIDONLY")
    tap.starts(bob.ask('SELECT "%s"' % theirs("ann", "shared"))[1], b"OK",
               "another user's folder is selected")
    got, end = bob.ask("UID FETCH 3 (RFC822.SIZE)")
    has(got, rb"\* 3 UIDFETCH \(RFC822.SIZE \d+\)", "UIDFETCH from there")
    tap.starts(bob.ask("FETCH 1 UID")[1], REQUIRED, "numbers are refused")
    tap.starts(bob.ask("UID SEARCH 1")[1], REQUIRED, "… in a search")
    got, end = bob.ask("UID COPY 3:4 INBOX")
    has([end], rb"OK \[COPYUID \d+ 3:4 1:2\] .*", "a copy to one's own")
    got, end = bob.ask("UID MOVE 5 INBOX")
    tap.ok(b"* VANISHED 5" in got and end.startswith(b"OK"),
           "a move, of which VANISHED tells", (got, end))
    tap.ok(not any(re.match(rb"\* \d+ (FETCH|EXPUNGE)", u) for u in got),
           "no number", got)
    got, end = bob.ask('UID REPLACE 6 INBOX {3+}\r\nA:b')
    tap.ok(b"* VANISHED 6" in got and end.startswith(b"OK"),
           "a replacement", (got, end))
    ann.close()
    bob.close()


off()
for park in (False, True):
    on(park)
with Sharers("disable_plaintext_auth=no", ON) as s:
    of_others(s)
tap.done()
