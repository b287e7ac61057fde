#!/usr/bin/env python3
"""SEARCH and SORT with RETURN, "$", and what is compared how (RFC 4731, 5182,
5255, 5267, 5957, 9394): random questions beside Dovecot, and the RFCs' own
dialogues."""
import os
import random
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from imapsession import Sessions  # noqa: E402
from oracle import DOVECOT, Oracle, compare  # noqa: E402

MAILBOXES = 12
MESSAGES = 25
QUESTIONS = 25
SORTS = 6
SEED = int(os.environ.get("SEARCH_SEED") or random.randrange(1 << 30))
CRITERIA = ["SUBJECT", "DATE", "FROM", "TO", "DISPLAYFROM", "DISPLAYTO",
            "ARRIVAL"]
NAMES = ["Ann Lee", "Bob", "\u00c4nne", "\u00e4nna", "zoe", ""]
SUBJECTS = ["Stra\u00dfe", "strasse", "STRASSE", "\u00dcber", "uber", "a b",
            "\u0130stanbul", "na\u00efve", "NAI\u0308VE", "x", "", "\uff21bc"]

tap = Tap()
rng = random.Random(SEED)
print("# SEARCH_SEED=%d" % SEED)


def encoded(text):
    if text.isascii():
        return text
    return "=?utf-8?q?%s?=" % "".join("=%02X" % b for b in text.encode())


def address():
    name = encoded(rng.choice(NAMES))
    box = "%s@%s.example" % (rng.choice(["ann", "bob", "zed"]),
                             rng.choice("abc"))
    return "%s <%s>" % (name, box) if name else box


def message(n):
    at = 1700000000 + rng.randrange(1000) * 1000 + n
    return ("From: %s\nTo: %s\nSubject: %s\nDate: %s\nMessage-ID: <%d@x>\n\n%s"
            % (address(), ", ".join(address() for _ in range(
                rng.randrange(1, 3))), encoded(rng.choice(SUBJECTS)),
               time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(at)),
               n, "x" * n + "\n")).encode(), at


def fresh(sessions, messages):
    fresh.count = getattr(fresh, "count", 0) + 1
    sessions.maildir = sessions.folder.path("mail/joe%d" % fresh.count)
    sessions.raw().ask("LOGOUT")
    for data, at in messages:
        os.utime(sessions.put(data), (at + 7, at + 7))
    r = sessions.raw()
    r.ask("SELECT INBOX")
    return r


def items(responses):
    """ESEARCH as {item: value}, whatever the order of its items."""
    found = []
    for u in responses:
        m = re.match(rb'\* ESEARCH \(TAG "\w+"\)( UID)?(.*)', u)
        if m:
            pairs = re.findall(rb" (\w+) (\([^)]*\)|\S+)", m.group(2))
            found.append((m.group(1), dict(pairs)))
        elif u.startswith((b"* SEARCH", b"* SORT")):
            found.append(u)
    return found


def keys():
    return rng.choice([
        "ALL", "1:*", "SEEN", "UNSEEN", "2:9", "UID 3:*", "FLAGGED",
        "SUBJECT a", "SUBJECT strasse", "SUBJECT naive",
        "SUBJECT {2+}\r\n\u00dc",
        "SUBJECT {7+}\r\nnai\u0308ve", "SUBJECT {6+}\r\nSTRA\u00df",
        "SUBJECT istan", "SUBJECT ABC", "FROM ann", "NOT SEEN",
        "OR SEEN FLAGGED", "LARGER 150",
        "$", "UID $", "OR $ 1:3", "NOT $", "$ UNSEEN", "KEYWORD none"])


def question(sort):
    wanted = [o for o in ("MIN", "MAX", "COUNT", "SAVE") if rng.random() < .4]
    # we give a range back as it came, Dovecot with its lower end first
    n = rng.randrange(1, 30)
    more = rng.choice(["ALL", "PARTIAL %d:%d" % (n, rng.randrange(n, 30)), ""])
    # What "$" gets beside a part Dovecot decided before RFC 9394.
    if more.startswith("PARTIAL") and "SAVE" in wanted:
        wanted.remove("SAVE")
    wanted += [more] if more else []
    rng.shuffle(wanted)
    back = " RETURN (%s)" % " ".join(wanted) if rng.random() < .8 else ""
    if sort:
        back += " (%s)" % " ".join(rng.choice(["", "REVERSE "]) + c for c in
                                   rng.sample(CRITERIA, rng.randrange(1, 3)))
    return "%s%s%s %s" % (rng.choice(["", "UID "]),
                          "SORT" if sort else "SEARCH",
                          back + " UTF-8" if sort else back, keys())


def beside(sessions, oracle):
    r = fresh(sessions, [message(n) for n in range(MESSAGES)])
    oracle.copy()
    theirs = oracle.open()
    theirs.ask("SELECT INBOX")
    for side in r, theirs:
        side.ask("STORE 2:7,20 +FLAGS.SILENT (\\Seen)")
        side.ask("STORE 5:9 +FLAGS.SILENT (\\Flagged)")
    # Dovecot must not sort a second time: once its index has ranks of some
    # messages, what is equal may come in any order.
    for _ in range(SORTS):
        once = oracle.open()
        for command in "SELECT INBOX", "SEARCH RETURN (SAVE) UNSEEN":
            r.ask(command)
            once.ask(command)
        compare(tap, r, once, question(True), change=items)
        once.close()
    r.ask("SELECT INBOX")
    for i in range(QUESTIONS):
        compare(tap, r, theirs, question(False), change=items)
        if i % 5 == 4:
            compare(tap, r, theirs, "FETCH $ UID")
            compare(tap, r, theirs, "UID FETCH $ UID")
    r.close()
    theirs.close()


def letter(n, subject):
    return b"Subject: %s\nFrom: a@b\n\nx\n" % subject, 1700000000 + n


def saved(sessions):
    """RFC 5182: what "$" is after each command."""
    r = fresh(sessions, [letter(n, b"s%d" % (n % 2)) for n in range(1, 11)])

    def now():
        return [int(u.split()[1]) for u in r.ask("FETCH $ UID")[0]]
    tap.equal(now(), [], "nothing is kept after SELECT")
    tap.equal(r.ask("SEARCH RETURN (SAVE) SUBJECT s1")[0], [],
              "SAVE alone tells nothing")
    tap.equal(now(), [1, 3, 5, 7, 9], "all that was found is kept")
    for back, want in (("MIN", [1]), ("MAX", [9]), ("MIN MAX", [1, 9]),
                       ("MIN COUNT", [1, 3, 5, 7, 9]),
                       ("PARTIAL 2:3", [3, 5]),
                       ("PARTIAL -1:-2 MIN", [1, 7, 9]),
                       ("PARTIAL 2:3 MIN MAX", [1, 3, 5, 9]),
                       ("PARTIAL 7:9", []),
                       ("PARTIAL 2:3 COUNT", [1, 3, 5, 7, 9])):
        r.ask("SEARCH RETURN (SAVE %s) SUBJECT s1" % back)
        tap.equal(now(), want, "SAVE with " + back)
    tap.equal(r.ask("SEARCH RETURN (PARTIAL 1:2 ALL) ALL")[1][:3], b"BAD",
              "PARTIAL and ALL exclude each other")
    r.ask("SEARCH SUBJECT s0")
    r.ask("SEARCH RETURN (SAVE) NONSENSE")
    tap.equal(now(), [1, 3, 5, 7, 9], "it stays without SAVE, and after BAD")
    r.ask("UID SORT RETURN (SAVE) (REVERSE DATE) UTF-8 3:6")
    tap.equal(now(), [3, 4, 5, 6], "a SORT keeps its messages")
    r.ask("STORE 4 +FLAGS.SILENT (\\Deleted)")
    tap.equal(r.ask("UID EXPUNGE $")[0][:1], [b"* 4 EXPUNGE"],
              "UID EXPUNGE takes it")
    tap.equal(now(), [3, 4, 5], "what is expunged leaves it")
    r.ask("SEARCH CHARSET nowhere $")
    tap.equal(now(), [3, 4, 5], "it stays after NO without SAVE")
    tap.equal(r.ask("SEARCH RETURN (SAVE) CHARSET nowhere $")[1][:14],
              b"NO [BADCHARSET", "an unknown charset")
    tap.equal(now(), [], "and nothing is kept after NO with SAVE")
    for command in ("COPY $ INBOX", "STORE $ +FLAGS (\\Seen)", "UID MOVE $ x",
                    "UID FETCH $ FLAGS", "UID STORE $ FLAGS ()"):
        got = r.ask(command)
        tap.equal((got[0], got[1][:2]), ([], b"OK"), "of nothing: " + command)
    r.ask("SEARCH RETURN (SAVE) ALL")
    r.ask("SELECT INBOX")
    tap.equal(now(), [], "SELECT forgets it")
    tap.equal(r.ask("FETCH 1,$ UID")[1][:3], b"BAD", "it stands alone")
    r.close()


def partial(sessions):
    r = fresh(sessions, [letter(n, b"s") for n in range(10)])

    def ask(command):
        got = items(r.ask(command)[0])
        return got and got[0][1]
    for part, want in (("1:3", b"1:3"), ("3:1", b"1:3"), ("9:12", b"9:10"),
                       ("-1:-3", b"8:10"), ("-3:-1", b"8:10"),
                       ("-9:-99", b"1:2"), ("11:20", b"NIL"),
                       ("-11:-20", b"NIL"), ("4294967295:1", b"1:10")):
        tap.equal(ask("SEARCH RETURN (PARTIAL %s) ALL" % part),
                  {b"PARTIAL": b"(%s %s)" % (part.encode(), want)},
                  "PARTIAL " + part)
    tap.equal(ask("UID SORT RETURN (PARTIAL 2:3 MIN COUNT) (REVERSE DATE) "
                  "UTF-8 ALL"),
              {b"PARTIAL": b"(2:3 9,8)", b"MIN": b"10", b"COUNT": b"10"},
              "PARTIAL of a SORT, in its order")
    for part in ("0:1", "1", "1:*", "-1:1", "1:-1", "-0:-1", "a:b", "--1:-2",
                 "1:4294967296", "", "+1:2", "1:2:3"):
        tap.equal(r.ask("SEARCH RETURN (PARTIAL %s) ALL" % part)[1][:3],
                  b"BAD", "PARTIAL " + part)
    for back in ("NONE", "ALL PARTIAL 1:2", "PARTIAL"):
        tap.equal(r.ask("SEARCH RETURN (%s) ALL" % back)[1][:3], b"BAD",
                  "RETURN (%s)" % back)
    r.ask("STORE 1 +FLAGS.SILENT (\\Deleted)")
    r.ask("EXPUNGE")
    for command, want in (
            ("2:9 UID (PARTIAL -1:-3)", [7, 8, 9]),
            ("2:9 (UID FLAGS) (PARTIAL 1:2)", [2, 3]),
            ("1:* UID (PARTIAL 8:20)", [9, 10]),
            ("1:* (UID) (PARTIAL 10:11)", []),
            ("1:3 UID (PARTIAL -1:-100)", [2, 3])):
        got, end = r.ask("UID FETCH " + command)
        tap.equal(([int(re.search(rb"UID (\d+)", u).group(1)) for u in got],
                   end[:2]), (want, b"OK"), "UID FETCH " + command)
    # section 3.4: first the part, then what has changed in it
    changed = int(re.search(rb"MODSEQ (\d+)", b"".join(r.ask(
        "STATUS INBOX (HIGHESTMODSEQ)")[0])).group(1))
    r.ask("UID STORE 3,8 +FLAGS.SILENT (\\Seen)")
    for command in ("PARTIAL -1:-3 CHANGEDSINCE %d",
                    "CHANGEDSINCE %d PARTIAL -1:-3"):
        got = r.ask("UID FETCH 1:* UID (%s)" % (command % changed))[0]
        tap.equal([int(re.search(rb"UID (\d+)", u).group(1)) for u in got],
                  [8], command)
    for command in ("FETCH 1:* UID (PARTIAL 1:2)",
                    "UID FETCH 1:* UID (PARTIAL)",
                    "UID FETCH 1:* UID (PARTIAL 1)", "UID FETCH 1:* UID ()",
                    "UID FETCH 1:* UID (PARTIAL 1:2 PARTIAL 1:2)"):
        tap.equal(r.ask(command)[1][:3], b"BAD", command)
    tap.equal(r.ask("SORT RETURN () (DATE) UTF-8")[1][:3], b"BAD",
              "a SORT without keys")
    r.close()


def batches(sessions):
    """RFC 10022, on UIDs with gaps."""
    r = fresh(sessions, [letter(n, b"s") for n in range(2, 1302)])
    r.ask("STORE 1:99,701 +FLAGS.SILENT (\\Deleted)")
    r.ask("EXPUNGE")

    def ask(arguments):
        got, end = r.ask("UIDBATCHES " + arguments)
        return [u.replace(b"t%d" % r.tags, b"A") for u in got] or end
    for arguments, want in (
            ("500", b" 1300:801,800:300,299:1"), ("600", b" 1300:700,699:1"),
            ("1200", b" 1300:1"), ("5000", b" 1300:1"), ("4294967295",
                                                        b" 1300:1"),
            ("500 1:1", b" 1300:801"), ("500 2:3", b" 800:300,299:1"),
            ("500 3:9", b" 299:1"), ("500 4:9", b""),
            ("500 4294967295:4294967295", b"")):
        tap.equal(ask(arguments), [b'* UIDBATCHES (TAG "A")' + want],
                  "UIDBATCHES " + arguments)
    for high, low, n in ((1300, 801, 500), (800, 300, 500), (299, 1, 200)):
        got = items(r.ask("SEARCH RETURN (COUNT) UID %d:%d" % (high, low))[0])
        tap.equal(got[0][1], {b"COUNT": b"%d" % n}, "%d:%d" % (high, low))
    for arguments, want in (("499", b"NO [TOOFEW]"), ("0", b"BAD"),
                            ("500 4:1", b"BAD [CLIENTBUG]"), ("x", b"BAD"),
                            ("500 -1:-2", b"BAD"), ("500 1", b"BAD"),
                            ("500 0:1", b"BAD")):
        tap.equal(ask(arguments)[:len(want)], want, "UIDBATCHES " + arguments)
    # RFC 9738 section 3.2
    for key, want in (("UIDAFTER 1298", b"1199:1200"), ("UIDBEFORE 102",
                                                        b"1:2"),
                      ("UIDAFTER 1300", None), ("UIDBEFORE 1", None)):
        got = items(r.ask("SEARCH RETURN () " + key)[0])
        tap.equal(got[0][1].get(b"ALL"), want, key)
    r.ask("STORE 1:7 +FLAGS.SILENT (\\Deleted)")
    tap.equal(r.ask("STATUS INBOX (DELETED)")[0],
              [b'* STATUS "INBOX" (DELETED 7)'], "STATUS DELETED")
    r.ask("STORE 1:* +FLAGS.SILENT (\\Deleted)")
    r.ask("EXPUNGE")
    tap.equal(ask("500"), [b'* UIDBATCHES (TAG "A")'], "of no messages")
    r.close()


# What is asked for is what ENVELOPE shows.
FROM = [
    (b"Ann Lee <ann@a.example>", ["ann lee", "LEE <ann@", "ann@a.example>"],
     ["lee ann", '"Ann']),
    (b'"Lee, \\"A\\" Ann" <ann@a.example>', ['lee, "a" ann'], ["\\"]),
    (b"=?utf-8?q?=C3=84nne?= =?utf-8?q?_Lee?= <x@b>", ["\u00e4nne lee <x@b>"],
     ["utf-8"]),
    (b'"=?utf-8?q?=C3=84nne?=" <x@b>', ["\u00e4nne <x@b>"], ["utf-8"]),
    (b"ann (Ann\n Lee) @a.example", ["ann@a.example", "ann lee"], ["(ann"]),
    (b"<@b,@c:ann@a.example>", ["ann@a.example"], ["@b", "@c"]),
    (b"us: Ann <a@b>, c@d;", ["us", "ann <a@b>", "c@d"], ["us:", "e@"]),
    (b"", [""], ["a"]),
]


def addresses(sessions):
    r = fresh(sessions, [(b"From: %s\nTo: %s\n\nx\n" % (v, v), 1700000000)
                         for v, _, _ in FROM])
    for i, (written, found, missed) in enumerate(FROM, 1):
        for field in "FROM", "TO":
            for text in found + missed:
                data = text.encode()
                got = r.ask(b"SEARCH %d %s {%d+}\r\n%s" % (
                    i, field.encode(), len(data), data))[0]
                tap.equal(got, [b"* SEARCH" + (b" %d" % i if text in found
                                               else b"")],
                          "%s %s in %s" % (field, text, written.decode()))
    r.close()


def many_keys(sessions):
    r = fresh(sessions, [(b"Subject: s\n\nx\n", 1700000000)])
    for keys, want in ((1999, b"OK"), (20000, b"NO [LIMIT]")):
        for command in ("SEARCH", "SORT (ARRIVAL) UTF-8",
                        "THREAD ORDEREDSUBJECT UTF-8"):
            got = r.ask(command + " NOT DELETED" * (keys // 2))[1]
            tap.ok(got.startswith(want), "%s of %d keys" % (command, keys),
                   got)
    r.close()


with Sessions() as all_sessions, Oracle(all_sessions, index=False) as dovecot:
    saved(all_sessions)
    partial(all_sessions)
    batches(all_sessions)
    addresses(all_sessions)
    many_keys(all_sessions)
    if os.path.exists(DOVECOT):
        for _ in range(MAILBOXES):
            beside(all_sessions, dovecot)
tap.done()
