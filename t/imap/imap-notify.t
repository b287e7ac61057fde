#!/usr/bin/env python3
"""NOTIFY (RFC 5465): what others do is told, once, of what was asked for and of
nothing else, between commands and in IDLE, with the feed and without it. What
can be is compared with Dovecot."""
import os
import re
import select
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from imapsession import Sessions  # noqa: E402
from oracle import DOVECOT, Oracle  # noqa: E402

tap = Tap()
MESSAGE = b"From: a@b\r\nSubject: s\r\n\r\nx\r\n"
ALL = "(MessageNew MessageExpunge FlagChange)"


def heard(r, until, seconds=30):
    """What comes without a command, up to a line that has UNTIL."""
    got = []
    r.sock.settimeout(seconds)
    while not got or until not in got[-1]:
        try:
            line = r.line()
        except TimeoutError:
            got.append(b"(silence)")
            break
        got.append(line.rstrip(b"\r\n"))
        if not line:
            break
    r.sock.settimeout(60)
    return got


def add(r, folder="INBOX"):
    r.send(b"ap APPEND %s {%d+}\r\n%s\r\n" % (folder.encode(), len(MESSAGE),
                                              MESSAGE))
    r.until("ap")


def is_silent(r, name, seconds=0.3):
    # what is buffered would have been read by line()
    tap.ok(not select.select([r.sock], [], [], seconds)[0], name)


def numbers(line):
    return dict((k, int(v)) for k, v in re.findall(rb"([A-Z]+) (\d+)", line))


def refusals(s):
    r = s.raw()
    for command, want in (
            ("NOTIFY", b"BAD"), ("NOTIFY SET", b"BAD"),
            ("NOTIFY NONE x", b"BAD"), ("NOTIFY SET STATUS", b"BAD"),
            ("NOTIFY SET (selected (MessageNew))", b"BAD"),
            ("NOTIFY SET (personal (FlagChange))", b"BAD"),
            ("NOTIFY SET (selected (MailboxName))", b"BAD"),
            ("NOTIFY SET (selected NONE) (selected-delayed NONE)", b"BAD"),
            ("NOTIFY SET (personal (MessageNew (UID) MessageExpunge))", b"BAD"),
            ("NOTIFY SET (everything %s)" % ALL, b"BAD"),
            ("NOTIFY SET (subtree %s)" % ALL, b"BAD"),
            ("NOTIFY SET (personal (MessageNew MessageExpunge "
             "AnnotationChange))", b"NO [BADEVENT (MessageNew "),
            ("NOTIFY SET (mailboxes none %s)" % ALL, b"OK"),
            ("NOTIFY NONE", b"OK")):
        tap.starts(r.ask(command)[1], want, command)
    r.close()


def selected(s):
    r, o = s.raw(), s.raw()
    r.ask("SELECT INBOX")
    o.ask("SELECT INBOX")
    r.ask("NOTIFY SET (selected-delayed (MessageNew (UID FLAGS BODY.PEEK["
          "HEADER.FIELDS (Subject)]) MessageExpunge FlagChange))")
    add(o)
    got = heard(r, b"FETCH")
    tap.ok(b"* 1 EXISTS" in got[0] and b"Subject: s" in got[-1],
           "a new message is told and fetched", got)
    o.ask("STORE 1 +FLAGS (\\Flagged)")
    tap.ok(re.match(rb"\* 1 FETCH \(UID 1 FLAGS \(.*\\Flagged", heard(
        r, b"FETCH")[-1]), "flags are told, with the UID")
    add(r)
    is_silent(r, "what the client has added itself is not fetched")
    o.ask("UID STORE 1 +FLAGS.SILENT (\\Deleted)")
    heard(r, b"FETCH")
    o.ask("EXPUNGE")
    is_silent(r, "selected-delayed: an EXPUNGE waits for a command")
    tap.equal(r.ask("NOOP")[0][0], b"* 1 EXPUNGE", "which brings it")
    r.ask("NOTIFY SET (selected %s)" % ALL)
    o.ask("STORE 1 +FLAGS.SILENT (\\Deleted)")
    heard(r, b"FETCH")
    o.ask("EXPUNGE")
    tap.equal(heard(r, b"EXPUNGE")[-1], b"* 1 EXPUNGE",
              "selected: it comes at once")
    r.ask("NOTIFY SET (selected (MessageNew MessageExpunge))")
    add(o)
    heard(r, b"RECENT")
    o.ask("STORE 1 +FLAGS.SILENT (\\Answered)")
    tap.equal(r.ask("NOOP")[0], [], "no flags are told to who wants none")
    tap.ok(any(b"\\Answered" in u for u in r.ask(
        "NOTIFY SET (selected %s)" % ALL)[0]),
        "and are if that changes")
    r.ask("NOTIFY NONE")
    add(o)
    tap.equal((r.ask("NOOP")[0], len(r.ask("FETCH 1:* UID")[0])), ([], 1),
              "NOTIFY NONE: the mailbox stays as it was")
    tap.ok(b"* 2 EXISTS" in r.ask("NOTIFY SET (selected %s)" % ALL)[0],
           "until there is another")
    r.ask("NOTIFY NONE")
    r.ask("STORE 1 +FLAGS.SILENT (\\Deleted)")
    tap.equal(r.ask("EXPUNGE")[0][0], b"* 1 EXPUNGE",
              "what the client itself expunges is told even so")
    r.ask("NOTIFY SET (selected %s)" % ALL)
    r.send("c SEARCH RETURN (COUNT UPDATE (UID BODY.PEEK[TEXT])) SUBJECT s\r\n")
    r.until("c")
    add(o)
    got = heard(r, b"ADDTO")
    tap.ok(b"EXISTS" in got[0] and b"BODY[TEXT]" in got[-2],
           "UPDATE (…): a new message, its text, then ADDTO", got)
    r.close()
    o.close()


def others(s):
    r, o = s.raw(), s.raw()
    for name in ("a", "a/b", "c"):
        o.ask("CREATE %s" % name)
    got = r.ask("NOTIFY SET STATUS (subtree a %s) (personal (MailboxName "
                "SubscriptionChange))" % ALL)[0]
    tap.equal([u.split()[2] for u in got], [b'"a"', b'"a/b"'],
              "STATUS: of all where messages are wanted")
    add(o, "a/b")
    line = heard(r, b"STATUS")[-1]
    tap.equal((line.split()[2], numbers(line)[b"MESSAGES"],
               numbers(line)[b"UIDNEXT"]), (b'"a/b"', 1, 2),
              "a message in another folder")
    add(o, "c")
    is_silent(r, "not in one that was not asked for")
    add(r, "a/b")
    is_silent(r, "nor the client's own")
    o.ask("SELECT a/b")
    o.ask("STORE 1 +FLAGS (\\Seen)")
    tap.equal(numbers(heard(r, b"STATUS")[-1])[b"UNSEEN"], 1,
              "a flag that changes UNSEEN")
    o.ask("STORE 1 +FLAGS (\\Answered)")
    is_silent(r, "another is of no use without mod-sequences")
    o.ask("UNSELECT")
    o.ask("CREATE a/n")
    tap.equal(heard(r, b"a/n")[-1], b'* LIST (\\HasNoChildren) "/" "a/n"',
              "a folder that is made")
    add(o, "a/n")
    got = heard(r, b"STATUS")
    tap.ok(b"MESSAGES 1" in got[-1], "is watched as its parent is", got)
    o.ask("RENAME a z")
    got = heard(r, b"LIST")
    tap.equal(got[-1], b'* LIST (\\HasChildren) "/" "z" ("OLDNAME" ("a"))',
              "a folder that is renamed")
    is_silent(r, "without those below")
    o.ask("DELETE c")
    tap.equal(heard(r, b"LIST")[-1],
              b'* LIST (\\NonExistent \\HasNoChildren) "/" "c"',
              "a folder that is removed")
    o.ask("SUBSCRIBE z")
    tap.equal(heard(r, b"LIST")[-1],
              b'* LIST (\\Subscribed \\HasChildren) "/" "z"',
              "a subscription")
    r.ask("CREATE mine")
    r.ask("SUBSCRIBE mine")
    is_silent(r, "what the client does itself is not told", 1.5)
    os.makedirs(os.path.join(s.maildir, ".foreign", "cur"))
    tap.ok(b"foreign" in heard(r, b"LIST")[-1],
           "what another program does is")
    r.ask("NOTIFY SET (personal %s)" % ALL)
    o.ask("CREATE late")
    add(o, "late")
    tap.ok(b"late" in heard(r, b"late")[-1], "a new folder joins personal")
    s.put(b"Subject: f\n\nx\n", sub="new")
    tap.ok(b"INBOX" in heard(r, b"INBOX")[-1], "mail by another program")
    r.ask("NOTIFY SET (subscribed (MessageNew MessageExpunge))")
    add(o, "late")
    is_silent(r, "not subscribed")
    o.ask("SUBSCRIBE late")
    add(o, "late")
    tap.ok(b"late" in heard(r, b"late")[-1], "it joins with its subscription")
    r.ask("NOTIFY SET (mailboxes late NONE) (personal %s)" % ALL)
    add(o, "late")
    is_silent(r, "NONE is none")
    r.ask("SELECT INBOX")
    add(o)
    is_silent(r, "the selected folder is only told by SELECTED")
    r.ask("NOTIFY SET (personal %s)" % ALL)
    r.ask("UNSELECT")
    r.send("i IDLE\r\n")
    r.line()
    add(o, "late")
    tap.ok(b"late" in heard(r, b"late")[-1], "in IDLE, too")
    r.send("DONE\r\n")
    r.until("i")
    r.ask("NOTIFY SET (personal (MailboxMetadataChange)) "
          "(inboxes (ServerMetadataChange))")
    o.ask('SETMETADATA late (/private/comment "x")')
    tap.equal(heard(r, b"METADATA")[-1],
              b'* METADATA "late" /private/comment', "annotations")
    o.ask('SETMETADATA "" (/private/comment "x")')
    tap.equal(heard(r, b"METADATA")[-1],
              b'* METADATA "" /private/comment', "and of the account")
    r.ask("ENABLE QRESYNC")
    r.ask("NOTIFY SET (personal %s)" % ALL)
    o.ask("SELECT late")
    o.ask("STORE 1 +FLAGS (\\Draft)")
    tap.ok(b"HIGHESTMODSEQ" in heard(r, b"late")[-1],
           "every flag, to who knows mod-sequences")
    r.close()
    o.close()


def edited(s):
    """Another program writes to a file in place, which no directory shows:
    who finds it out tells the others."""
    r, o = s.raw(), s.raw()
    o.ask("CREATE ed")
    add(o, "ed")
    o.ask("SELECT ed")
    o.ask("FETCH 1 BODY.PEEK[]")
    r.ask("NOTIFY SET STATUS (mailboxes ed %s)" % ALL)
    sub = os.path.join(s.maildir, ".ed", "new")
    path = os.path.join(sub, os.listdir(sub)[0])
    with open(path, "ab") as f:
        f.write(b"longer\n")
    os.utime(path, (1e9, 1e9))      # nobody writes to it any more
    o.ask("FETCH 1 BODY.PEEK[]")
    got = heard(r, b"STATUS", 8)
    tap.equal(numbers(got[-1]).get(b"UIDNEXT"), 3,
              "a message that another program changed")
    r.close()
    o.close()


def without(s):
    """The feed ends while a session relies on it."""
    r, o = s.raw(), s.raw()
    r.ask("NOTIFY SET (personal %s)" % ALL)
    s.feed.stop()
    add(o, "late")
    tap.ok(b"late" in heard(r, b"late")[-1],
           "without the feed a session looks for itself")
    r.close()
    o.close()


def too_many(s):
    """RFC 5465 section 5.8, at the 1,022 folders that doc/imap.md promises."""
    def folder(n):
        for sub in ("", "cur", "new", "tmp"):
            path = os.path.join(many, ".n%04d" % n if n else "", sub)
            os.makedirs(path, exist_ok=True)
            os.chown(path, s.uid, s.gid)

    # each gets a journal, which takes long where a sync does
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    top = tempfile.TemporaryDirectory(prefix="ph-", dir=memory)
    os.chown(top.name, s.uid, s.gid)
    many = os.path.join(top.name, "many")
    for n in range(1022):
        folder(n)
    r, o = (s.raw(user="many", maildir=many) for _ in range(2))
    r.ask("SELECT INBOX")
    tap.starts(r.ask("NOTIFY SET (selected %s) (personal %s)" % (ALL, ALL))[1],
               b"OK", "1,022 folders can be watched")
    add(o, "n1021")
    tap.ok(b'STATUS "n1021"' in heard(r, b"STATUS")[-1], "and the last is")
    o.ask("CREATE n1022")
    tap.starts(heard(r, b"OVERFLOW")[-1], b"* OK [NOTIFICATIONOVERFLOW]",
               "one more is too many")
    add(o, "n1020")
    add(o)
    is_silent(r, "nothing more is told, of any folder")
    tap.equal(r.ask("NOOP")[0], [], "as after NOTIFY NONE")
    refused = r.ask("NOTIFY SET (personal %s)" % ALL)[1]
    tap.starts(refused, b"NO [NOTIFICATIONOVERFLOW]", "and is refused now")
    tap.starts(r.ask("NOTIFY SET (selected %s) (subtree n1022 %s)" % (
        ALL, ALL))[1], b"OK", "fewer can be asked for")
    add(o, "n1022")
    tap.ok(b'STATUS "n1022"' in heard(r, b"STATUS")[-1], "and are told")
    tap.starts(r.ask("NOTIFY SET (personal %s)" % ALL)[1],
               b"NO [NOTIFICATIONOVERFLOW]", "too many again")
    add(o, "n1022")
    tap.ok(b'STATUS "n1022"' in heard(r, b"STATUS")[-1],
           "a command that is refused leaves what was before")
    for session in (r, o):
        session.ask("LOGOUT")
        session.line()      # it has ended, and writes nothing more
        session.close()
    top.cleanup()


def against_dovecot(s):
    """The same to both: the words of STATUS are compared."""
    with Oracle(s, "mailbox_list_index=yes\n") as oracle:
        oracle.copy()
        ours, theirs = (s.raw(), s.raw()), (oracle.open(), oracle.open())
        got = []
        for r, o in (ours, theirs):
            o.ask("CREATE d1")
            o.ask("CREATE d2")
            words = [r.ask(c)[1].split()[0] for c in (
                "NOTIFY SET (selected (MessageNew))",
                "NOTIFY SET (personal (MessageNew MessageExpunge Other))",
                "NOTIFY NONE")]
            first, end = r.ask("NOTIFY SET STATUS (mailboxes (d1 d2) "
                               "(MessageNew MessageExpunge)) "
                               "(subtree d1 (MailboxName))")
            words += sorted(u.replace(b'"', b"").split()[2] for u in first)
            words += [end.split()[0]]
            words += sorted(numbers(first[0]))
            add(o, "d1")
            line = heard(r, b"STATUS")[-1]
            words += [line.replace(b'"', b"").split()[2]] + sorted(
                numbers(line))
            words += [numbers(line)[b"MESSAGES"], numbers(line)[b"UIDNEXT"]]
            got.append(words)
        # it takes an unknown event for a mistake, against section 3.1
        tap.equal([w.pop(1) for w in got], [b"NO", b"BAD"], "unknown event")
        tap.equal(got[0], got[1], "as Dovecot does")


with Sessions() as s:
    refusals(s)
    selected(s)
    others(s)
    edited(s)
    too_many(s)
    if os.path.exists(DOVECOT):
        against_dovecot(s)
    without(s)
tap.done()
