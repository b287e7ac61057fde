#!/usr/bin/env python3
"""SEARCH=FUZZY (RFC 6203): keys that match nearly, relevancy in RETURN and in
SORT, and what cannot be asked for."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from imapsession import Sessions  # noqa: E402

tap = Tap()
MESSAGES = [
    ("IMAP break", "Dave Jones <dave@example.com>", "one text"),
    ("the broken imap that breaks", "Eve <eve@example.com>", "hello world"),
    ("about imp", "=?utf-8?q?Andr=C3=A9?= <andre@example.org>", "helo"),
    ("nothing", "d@example.net", "a conferrence of people"),
    ("a conference", "dev@example.net", "nothing"),
    ("another", "x@example.net", "the conference"),
]


def numbers(r, command):
    said, end = r.ask(command)
    found = [line for line in said if b" ESEARCH" not in line]
    return ([int(n) for n in found[0].split()[2:]] if found and
            end.startswith(b"OK") else end)


def extended(r, command):
    """All that ESEARCH says."""
    said, end = r.ask(command)
    return said[0].split(b")", 1)[1].strip() if said and b"ESEARCH" in said[0] \
        else end


def keys(r):
    for key, want in (
            ("FUZZY SUBJECT \"imap break\"", [1, 2]),
            ("SUBJECT \"imap break\"", [1]),
            ("FUZZY SUBJECT impa", [3]),
            ("FUZZY SUBJECT inap", [1, 2]),
            ("FUZZY SUBJECT imap", [1, 2, 3]),
            ("FUZZY FROM davy", [1]), ("FUZZY FROM andre", [3]),
            ("FUZZY FROM \"jones dave\"", [1]),
            ("FROM \"jones dave\"", []),
            ("FUZZY BODY hello", [2, 3]), ("FUZZY TEXT helo", [2, 3]),
            ("FUZZY TEXT conference", [4, 5, 6]),
            ("FUZZY (SUBJECT imap FROM eva)", []),
            ("FUZZY (SUBJECT imap BODY helo)", [2, 3]),
            ("FUZZY SUBJECT inap FROM dave", [1]),
            ("FUZZY SUBJECT inap FROM davy", []),
            ("FUZZY NOT SUBJECT inap", [3, 4, 5, 6]),
            ("NOT FUZZY SUBJECT inap", [3, 4, 5, 6]),
            ("FUZZY OR SUBJECT inap SUBJECT confrence", [1, 2, 5]),
            ("FUZZY FUZZY SUBJECT inap", [1, 2]),
            ("FUZZY HEADER Subject confrence", [5]),
            ("FUZZY ALL", [1, 2, 3, 4, 5, 6]), ("FUZZY 2:3", [2, 3]),
            ("FUZZY SUBJECT \"\"", [1, 2, 3, 4, 5, 6])):
        tap.equal(numbers(r, "SEARCH " + key), want, key)
    for key in "FUZZY", "FUZZY SUBJECT", "FUZZY NONSENSE":
        tap.starts(r.ask("SEARCH " + key)[1], b"BAD", key)


def scores(r):
    for command, want in (
            ("SEARCH RETURN (RELEVANCY ALL) FUZZY SUBJECT \"imap break\"",
             b"ALL 1:2 RELEVANCY (100 80)"),
            ("SEARCH RETURN (RELEVANCY) FUZZY TEXT conference",
             b"RELEVANCY (40 100 90)"),
            ("SEARCH RETURN (COUNT RELEVANCY) FUZZY ALL",
             b"COUNT 6 RELEVANCY (100 100 100 100 100 100)"),
            ("SEARCH RETURN (ALL RELEVANCY) FUZZY SUBJECT absent",
             b"RELEVANCY ()"),
            ("SEARCH RETURN (PARTIAL 2:3 RELEVANCY) FUZZY TEXT conference",
             b"PARTIAL (2:3 5:6) RELEVANCY (100 90)"),
            ("SEARCH RETURN (ALL RELEVANCY) FUZZY SUBJECT imap FUZZY BODY helo",
             b"ALL 2:3 RELEVANCY (75 75)"),
            ("UID SEARCH RETURN (ALL RELEVANCY) FUZZY BODY helo",
             b"UID ALL 2:3 RELEVANCY (50 100)")):
        tap.equal(extended(r, command), want, command)
    tap.starts(r.ask("SEARCH RETURN (RELEVANCY ALL) SUBJECT x")[1], b"BAD",
               "RELEVANCY without FUZZY")
    tap.starts(r.ask("ESEARCH RETURN (RELEVANCY ALL) SUBJECT x")[1], b"BAD",
               "nor in ESEARCH")
    said, end = r.ask("ESEARCH IN (personal) RETURN (ALL RELEVANCY) FUZZY "
                      "SUBJECT inap")
    tap.ok(end.startswith(b"OK") and said[0].endswith(
        b"UID ALL 1:2 RELEVANCY (50 50)"), "ESEARCH of all folders", said)


def sorts(r):
    for command, want in (
            ("SORT (RELEVANCY) UTF-8 FUZZY TEXT conference", [5, 6, 4]),
            ("SORT (REVERSE RELEVANCY) UTF-8 FUZZY TEXT conference",
             [4, 6, 5]),
            ("SORT (RELEVANCY SUBJECT) UTF-8 FUZZY SUBJECT inap", [1, 2]),
            ("SORT (SUBJECT) UTF-8 FUZZY TEXT conference", [5, 6, 4])):
        tap.equal(numbers(r, command), want, command)
    tap.equal(extended(r, "SORT RETURN (RELEVANCY ALL) (RELEVANCY) UTF-8 FUZZY "
                       "TEXT conference"), b"ALL 5:6,4 RELEVANCY (100 90 40)",
              "SORT with scores")
    tap.equal(extended(r, "SORT RETURN (PARTIAL 1:1 RELEVANCY) (RELEVANCY) "
                       "UTF-8 FUZZY TEXT conference"),
              b"PARTIAL (1:1 5) RELEVANCY (100)", "the best")
    tap.starts(r.ask("SORT (RELEVANCY) UTF-8 SUBJECT x")[1], b"BAD",
               "RELEVANCY without FUZZY")
    said, end = r.ask("SORT RETURN (UPDATE ALL) (RELEVANCY) UTF-8 FUZZY TEXT "
                      "conference")
    tap.ok(end.startswith(b"OK") and any(b"[NOUPDATE" in s for s in said),
           "an order by it is not kept", said)
    tap.starts(r.ask("THREAD REFS UTF-8 FUZZY TEXT conference")[1], b"OK",
               "THREAD")


def exact(r):
    """What is found exactly is found."""
    for text in ("imap", "break", "text", "e", "ex", "conference", "one text",
                 "example.net", "dave@example.com", "hello world", "o w"):
        for key in "TEXT", "BODY", "FROM", "SUBJECT":
            plain = set(numbers(r, "SEARCH %s \"%s\"" % (key, text)))
            near = set(numbers(r, "SEARCH FUZZY %s \"%s\"" % (key, text)))
            if not plain <= near:
                tap.ok(False, "%s %s" % (key, text), (plain, near))
    tap.ok(True, "and more")


with Sessions() as s:
    s.raw().close()
    for subject, sender, text in MESSAGES:
        s.put(b"From: %s\r\nSubject: %s\r\n\r\n%s\r\n" % (
            sender.encode(), subject.encode(), text.encode()))
    r = s.raw()
    tap.ok(re.search(rb" SEARCH=FUZZY ", r.ask("CAPABILITY")[0][0]),
           "it is announced")
    r.ask("SELECT INBOX")
    keys(r)
    scores(r)
    sorts(r)
    exact(r)
    r.close()
tap.done()
