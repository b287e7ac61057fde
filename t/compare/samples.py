"""Samples of mail that packages of Debian bring for tests of their own: what a
server says of each, and which of them it finds."""
import glob
import os
import re
import sysconfig

from dialogue import Play
from servers import FETCHED

TESTS = [
    "/usr/lib/python3*/test/test_email/data/",
    sysconfig.get_paths()["stdlib"] + "/test/test_email/data/"]
# name of the set, and where its files are: the first place that has any
SETS = (
    ("samples-python", [place + "*.txt" for place in TESTS]),
    ("samples-enmime", [FETCHED + "/enmime*/testdata/*/*.raw"]),
    ("samples-kmime", [FETCHED + "/kmime*/autotests/data/mails/*.mbox"]),
    ("samples-notmuch", [FETCHED + "/notmuch*/test/corpora/[!l]*/**/*"]),
    ("samples-lkml", [FETCHED + "/notmuch*/test/corpora/lkml/cur/*"]),
)
ITEMS = ["ENVELOPE", "BODYSTRUCTURE", "BODY", "RFC822.SIZE"] + [
    "BODY.PEEK[%s]" % s for s in (
        "HEADER", "TEXT", "1", "1.MIME", "2", "2.MIME", "1.1", "2.1",
        "1.2.MIME", "2.HEADER", "2.TEXT", "2.2", "HEADER.FIELDS (Subject To)",
        "HEADER.FIELDS.NOT (Received Subject From)")]
QUESTIONS = [
    "SEARCH " + what for what in (
        "SUBJECT test", 'SUBJECT "re: "', "FROM com", "TO example", "CC a",
        "BODY the", "TEXT content-type", 'BODY "=20"', "TEXT version",
        'HEADER Message-ID ""', "HEADER Content-Type multipart",
        "SENTSINCE 1-Jan-2010", "SENTBEFORE 1-Jan-2005", "SENTON 20-Mar-2001",
        "LARGER 2000", "SMALLER 700", "OR FROM a SUBJECT b", "NOT TEXT e")] + [
    "SORT (%s) UTF-8 ALL" % key for key in (
        "SUBJECT", "DATE", "FROM", "TO", "CC", "SIZE")] + [
    "THREAD %s UTF-8 ALL" % how for how in (
        "REFERENCES", "ORDEREDSUBJECT", "REFS")]


def read(path):
    """A message as it is sent: with CRLF, without the line of an mbox."""
    with open(path, "rb") as f:
        data = f.read()
    data = re.sub(rb"\AFrom [^\n]*\n", b"", data)
    return re.sub(rb"\r?\n", b"\r\n", data)


def odd(data):
    """Has it what Cyrus refuses: no blank line after the header, lines in it
    that are no field, a field without a name, NUL?"""
    header, blank, _ = data.partition(b"\r\n\r\n")
    lines = re.sub(rb"\r\n[ \t]", b" ", header).split(b"\r\n")
    return (not blank or b"\0" in data or re.search(rb"\n[ \t]+\r", header) or
            any(not re.match(rb"[!-9;-~]+[ \t]*:", x) for x in lines))


def found(patterns):
    """Files of the first pattern that has any."""
    places = [[path for path in glob.glob(p, recursive=True)
               if os.path.isfile(path)] for p in patterns]
    return sorted(next(filter(None, places), ()))


def all_samples():
    sets, odd_ones = [], Samples("samples-odd", [], ("dovecot",))
    for name, patterns in SETS:
        paths = found(patterns)
        if not paths:
            raise SystemExit("compare: %s are not there" % name)
        odd_ones.paths += [p for p in paths if odd(read(p))]
        sets.append(Samples(name, [p for p in paths if not odd(read(p))]))
    return sets + [odd_ones]


class Samples:
    def __init__(self, name, paths, peers=("dovecot", "cyrus")):
        self.name, self.paths, self.peers = name, paths, peers

    def play(self, server, user):
        """[(step, lines)]"""
        play = Play(server, user, {})
        said = []
        for path in self.paths:
            play.messages = {"sample": read(path)}
            said.append((os.path.basename(path) + " APPEND",
                         play.step("APPEND INBOX @sample")))
        play.step("EXAMINE INBOX")
        for i, path in enumerate(self.paths, 1):
            said += [("%s %s" % (os.path.basename(path), item),
                      play.step("FETCH %d (%s)" % (i, item)))
                     for item in ITEMS]
        said += [(question, play.step(question)) for question in QUESTIONS]
        play.close()
        return said
