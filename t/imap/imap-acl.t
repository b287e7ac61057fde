#!/usr/bin/env python3
"""Folders of other users: access lists (RFC 4314), who may do what, what is
shown to whom, and copies from one user's folder to another's. The users have
uids of their own if the test is root."""
import imaplib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from imapsession import Raw  # noqa: E402
from instance import wait_for  # noqa: E402
from oracle import DOVECOT  # noqa: E402
from sharers import ROOT, UID, Sharers, address, theirs  # noqa: E402

tap = Tap()
ALL = b"lrswipkxteacd"
PLUGIN = "/usr/lib/dovecot/modules/lib02_imap_acl_plugin.so"
DOVECOT_CONF = """\
base_dir=%(dir)s/run
state_dir=%(dir)s/run
log_path=%(dir)s/log
ssl=no
first_valid_uid=0
mail_location=maildir:%(dir)s/%%u/Maildir
mail_plugins=acl
protocol imap {
  mail_plugins=acl imap_acl
}
plugin {
  acl=vfile
  acl_shared_dict=file:%(dir)s/shared
}
namespace inbox {
  inbox=yes
  separator=/
  type=private
  prefix=
}
namespace others {
  separator=/
  type=shared
  prefix=Other Users/%%%%u/
  location=maildir:%(dir)s/%%%%u/Maildir
  list=children
  subscriptions=no
}
"""


def text(name, body="body"):
    return ("Subject: %s\r\n\r\n%s\r\n" % (name, body)).encode()


def literal(data):
    return b"{%d+}\r\n%s" % (len(data), data)


def once(s, user, command):
    """The answer in a session of its own."""
    r = s.session(user)
    got = r.ask(command)[1]
    r.close()
    return got


def q(name):
    return '"%s"' % name


def is_ok(r, command, name, want=b"OK"):
    got = r.ask(command)
    tap.starts(got[1], want, name)
    return got[0]


def subjects(r, folder):
    r.ask("EXAMINE " + q(folder))
    got = r.ask("FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]")[0]
    r.ask("UNSELECT")
    return [m.decode() for line in got
            for m in re.findall(rb"Subject: (\S+)", line)]


def lists(s):
    """Access lists, as a client that we did not write sets and reads them."""
    m = imaplib.IMAP4(s.HOST, s.IMAP_PORT)
    m.login("ann@example.test", "secret")
    got = m.capability()[1][0].split()
    tap.ok(all(c in got for c in (b"ACL", b"RIGHTS=texk", b"LIST-MYRIGHTS",
                                  b"NAMESPACE")), "announced", got)
    tap.equal(m.namespace(), ("OK", [b'(("" "/")) (("Other Users/" "/")) NIL']),
              "where others' folders are")
    m.create("Lists")
    tap.equal(m.myrights("Lists"), ("OK", [b'"Lists" ' + ALL]),
              "the owner has all rights")
    tap.equal(m.setacl("Lists", "bob@example.test", "lrs")[0], "OK", "setacl")
    tap.equal(m.setacl("Lists", "cat", "+lx")[0], "OK", "by a bare name")
    tap.equal(m.setacl("Lists", "bob@example.test", "+id")[0], "OK", "more")
    tap.equal(m.setacl("Lists", "bob@example.test", "-s")[0], "OK", "less")
    tap.equal(m.setacl("Lists", "anyone", "l")[0], "OK", "anyone")
    tap.equal(m.setacl("Lists", "-cat", "x")[0], "OK", "negative rights")
    tap.equal(m.getacl("Lists"), ("OK", [
        b'"Lists" "ann@example.test" ' + ALL +
        b' "-cat@example.test" xc "anyone" l "bob@example.test" lrited '
        b'"cat@example.test" lxc']), "getacl")
    tap.equal(m.deleteacl("Lists", "cat@example.test")[0], "OK", "deleteacl")
    tap.equal(m.deleteacl("Lists", "-cat@example.test")[0], "OK",
              "of negative rights")
    tap.equal(m.deleteacl("Lists", "anyone")[0], "OK", "of anyone")
    tap.equal(m.getacl("Lists")[1],
              [b'"Lists" "ann@example.test" ' + ALL +
               b' "bob@example.test" lrited'], "they are gone")
    m.logout()
    r = s.session("ann")
    tap.equal(r.ask("LISTRIGHTS Lists bob"), (
        [b'* LISTRIGHTS "Lists" "bob" "" l r s w i p k x t e a c d'],
        b"OK Listrights completed."), "rights that can be given")
    tap.equal(r.ask("LISTRIGHTS Lists ann@example.test")[0],
              [b'* LISTRIGHTS "Lists" "ann@example.test" ' + ALL],
              "those of the owner")
    for command, want in (
            ("SETACL Lists bob lrq", b"BAD"), ("SETACL Lists bob LR", b"BAD"),
            ("SETACL Lists \"\" l", b"BAD"), ("SETACL Lists - l", b"BAD"),
            ("SETACL Lists \"b b\" l", b"BAD"), ("SETACL Lists bob", b"BAD"),
            ("SETACL None bob l", b"NO [NONEXISTENT]"),
            ("SETACL Lists nobody l", b"NO [CANNOT]"),
            ("SETACL Lists ann l", b"NO [CANNOT]"),
            ("DELETEACL Lists ann", b"NO [CANNOT]"),
            ("DELETEACL Lists nobody", b"OK"),
            ("GETACL None", b"NO [NONEXISTENT]"),
            ("MYRIGHTS None", b"NO [NONEXISTENT]"),
            ("SUBSCRIBED", b"BAD"), ("REMOVABLE", b"BAD")):
        tap.starts(r.ask(command)[1], want, command)
    r.ask("CREATE Lists/Below")
    tap.equal(r.ask("GETACL Lists/Below")[0],
              [b'* ACL "Lists/Below" "ann@example.test" ' + ALL +
               b' "bob@example.test" lrited'], "a new folder has its parent's")
    r.ask("DELETE Lists/Below")
    r.ask("DELETE Lists")
    r.close()


# what bob has in ann's folder Box, what he does, and what he is told
MATRIX = (
    ("", "SELECT {Box}", "NO [NONEXISTENT]"),
    ("", "STATUS {Box} (MESSAGES)", "NO [NONEXISTENT]"),
    ("", "MYRIGHTS {Box}", "NO [NONEXISTENT]"),
    ("", "GETACL {Box}", "NO [NONEXISTENT]"),
    ("", "APPEND {Box} {{3+}}\r\na\r\n", "NO [TRYCREATE]"),
    ("", "DELETE {Box}", "NO [NONEXISTENT]"),
    ("", "GETMETADATA {Box} /shared/comment", "NO [NONEXISTENT]"),
    ("s", "SELECT {Box}", "NO [NONEXISTENT]"),
    ("wtep", "GETACL {Box}", "NO [NONEXISTENT]"),
    ("l", "SELECT {Box}", "NO [NOPERM]"),
    ("l", "STATUS {Box} (MESSAGES)", "NO [NOPERM]"),
    ("l", "MYRIGHTS {Box}", "OK"),
    ("l", "APPEND {Box} {{3+}}\r\na\r\n", "NO [NOPERM]"),
    ("l", "GETMETADATA {Box} /shared/comment", "NO [NOPERM]"),
    ("lr", "SELECT {Box}", "OK [READ-ONLY]"),
    ("lr", "EXAMINE {Box}", "OK [READ-ONLY]"),
    ("lr", "STATUS {Box} (MESSAGES)", "OK"),
    ("lr", "GETACL {Box}", "NO [NOPERM]"),
    ("lr", "SETACL {Box} bob a", "NO [NOPERM]"),
    ("lr", "DELETEACL {Box} bob", "NO [NOPERM]"),
    ("lr", "LISTRIGHTS {Box} bob", "NO [NOPERM]"),
    ("lr", "CREATE {Box/New}", "NO [NOPERM]"),
    ("lr", "DELETE {Box}", "NO [NOPERM]"),
    ("lr", "RENAME {Box} {Box2}", "NO [NOPERM]"),
    ("lr", "GETMETADATA {Box} /shared/comment", "OK"),
    ("lr", "SETMETADATA {Box} (/private/comment \"x\")",
     "NO [METADATA NOPRIVATE]"),
    ("lr", "SETMETADATA {Box} (/shared/comment \"x\")", "OK"),
    ("lr", "GETQUOTAROOT {Box}", "OK"),
    ("lri", "SELECT {Box}", "OK [READ-WRITE]"),
    ("lre", "SELECT {Box}", "OK [READ-WRITE]"),
    ("lrs", "SELECT {Box}", "OK [READ-WRITE]"),
    ("i", "APPEND {Box} {{3+}}\r\na\r\n", "OK [APPENDUID"),
    ("i", "SELECT {Box}", "NO [NOPERM]"),
    ("lrk", "CREATE {Box/New}", "OK"),
    ("lrk", "CREATE {Top}", "NO [NOPERM]"),
    ("lrkx", "RENAME {Box/New} {Box/Old}", "NO [NOPERM]"),
    ("lrswipkxtea", "RENAME {Box} {Box2}", "NO [NOPERM]"),
    ("a", "SETACL {Box} cat lr", "OK"),
    ("a", "GETACL {Box}", "OK"),
    ("lra", "SETACL {Box} ann l", "NO [CANNOT]"),
    ("lr", "RENAME {Box} Mine", "NO [CANNOT]"),
    ("lr", "CREATE {Box2} (USE (\\Sent))", "NO [NOPERM]"),
    ("lr", "SELECT {Box} (QRESYNC (1 1))", "BAD"),
    ("lr", "SELECT {INBOX}", "NO [NONEXISTENT]"),
    ("lr", "SELECT \"Other Users/ann@example.test\"", "NO [NONEXISTENT]"),
    ("lr", "SELECT \"Other Users\"", "NO [NONEXISTENT]"),
    ("lr", "CREATE \"Other Users/x\"", "NO"),
    ("lr", "CREATE \"Other Users/zoe@example.test/x\"", "NO [NONEXISTENT]"),
    ("lr", "SELECT \"Other Users/cat@example.test/INBOX\"",
     "NO [NONEXISTENT]"),
    ("lr", "SELECT \"Other Users/zoe@example.test/INBOX\"",
     "NO [NONEXISTENT]"),
    ("lr", "NOTIFY SET (mailboxes {Box} (MessageNew MessageExpunge))",
     "NO [CANNOT]"),
)


# what must not tell whether a folder is there
ALIKE = tuple(command.replace("{src}", theirs("ann", "Src")) for command in (
    'CREATE "{}"', 'CREATE "{}/"', 'CREATE "{}/k"', 'CREATE "{}/k/k"',
    'RENAME "{src}" "{}"', 'RENAME "{src}" "{}/k"', 'RENAME "{}" "{src}/k"',
    'DELETE "{}"', 'SUBSCRIBE "{}"', 'SUBSCRIBE "{}/k"',
    'LIST (SUBSCRIBED) "" "{}*"', 'LIST (SUBSCRIBED RECURSIVEMATCH) "" "{}"',
    'LSUB "" "{}*"', 'LSUB "" "{}/%"', 'UNSUBSCRIBE "{}"',
    'UNSUBSCRIBE "{}/k"', 'LIST "" "{}"', 'LIST "" "{}/%"',
    'LIST "" "{}" RETURN (CHILDREN STATUS (MESSAGES) MYRIGHTS)', 'SELECT "{}"',
    'STATUS "{}" (MESSAGES)', 'MYRIGHTS "{}"', 'LISTRIGHTS "{}" cat',
    'SETACL "{}" cat l', 'GETQUOTAROOT "{}"', 'SETMETADATA "{}" (/shared/a "")',
    'GETMETADATA "{}" /shared/a', 'APPEND "{}" {3+}\r\na\r\n'))


def rights(s):
    ann, bob = s.session("ann"), s.session("bob")
    ann.ask("CREATE Box")
    ann.ask("SETACL Box cat l")    # so that bob's having none is no end
    for given, command, want in MATRIX:
        ann.ask("SETACL Box bob " + (given or '""'))
        said = re.sub(r"\{([A-Za-z0-9/]*)\}(?!\})",
                      lambda m: q(theirs("ann", m.group(1))), command)
        said = said.replace("{{", "{").replace("}}", "}")
        got = bob.ask(said)[1].decode()
        if got.startswith("OK [READ-"):
            bob.ask("UNSELECT")
        tap.ok(got.startswith(want), "with \"%s\": %s" % (
            given, command.splitlines()[0]), got)
    hidden = bob.ask("STATUS %s (MESSAGES)" % q(theirs("ann", "INBOX")))
    missing = bob.ask("STATUS %s (MESSAGES)" % q(theirs("ann", "Never")))
    tap.equal(hidden, missing, "a hidden folder looks like one that is not "
              "there")
    # what bob asks of a folder that is there, Box or Box/Hid, and of none
    ann.ask("DELETE Box/New")
    ann.ask("CREATE Box/Hid")
    ann.ask('SETACL Box/Hid bob ""')
    ann.ask("CREATE Src")
    ann.ask("SETACL Src bob lrx")
    for given, there, none in (
            ('""', "Box", "Nox"), ('""', "Box/Hid", "Box/Not"),
            ("lr", "Box/Hid", "Box/Not")):
        ann.ask("SETACL Box bob " + given)
        for command in ALIKE:
            got = []
            for name in there, none:
                lines, end = bob.ask(command.replace("{}", theirs("ann", name)))
                got.append(([line.replace(name.encode(), b"")
                             for line in lines], end))
            tap.equal(got[0], got[1], 'with %s, %s or %s: %s' % (
                given, there, none, command.splitlines()[0]))
    for folder in "Src", "Box/Hid", "Box":
        ann.ask("DELETE " + folder)
    ann.close()
    bob.close()


class Dovecot:
    """Its imap for two users, with the acl plugin; both have one uid."""

    def __init__(self):
        self.dir = tempfile.mkdtemp()
        self.started = []
        os.chmod(self.dir, 0o755)
        with open(os.path.join(self.dir, "conf"), "w") as f:
            f.write(DOVECOT_CONF % {"dir": self.dir})
        for user in UID:
            os.makedirs(os.path.join(self.dir, user + "@example.test"))
        subprocess.run(["chown", "-R", "65534:65534" if ROOT else
                        str(os.getuid()), self.dir], check=True)

    def session(self, user):
        ours, theirs = socket.socketpair()
        ours.settimeout(60)
        user += "@example.test"
        command = [DOVECOT, "-c", os.path.join(self.dir, "conf")]
        if ROOT:
            command = ["setpriv", "--reuid=65534", "--regid=65534",
                       "--clear-groups"] + command
        with theirs:
            self.started.append(subprocess.Popen(
                command, stdin=theirs, stdout=theirs,
                stderr=subprocess.DEVNULL,
                env={"USER": user, "HOME": os.path.join(self.dir, user),
                     "PATH": "/usr/bin:/bin"}))
        return Raw(ours)

    def end(self):
        for process in self.started:
            process.terminate()
            process.wait()
        shutil.rmtree(self.dir)


# what a visitor asks with each set of rights, of both servers
SETS = ("l", "lr", "lri", "i", "lrs", "lrw", "lrt", "lrte", "lrk", "lrx", "la",
        "lra", "k", "s", "p", "lrswipkxtea")
ASKED = ("SELECT {Box}", "EXAMINE {Box}", "STATUS {Box} (MESSAGES)",
         "MYRIGHTS {Box}", "GETACL {Box}", "LISTRIGHTS {Box} cat@example.test",
         "APPEND {Box} {3+}\r\na\r\n", "CREATE {Box/New}")


def answer(got):
    """What is compared: OK or NO, and the letters of rights, sorted."""
    rights = [b"".join(sorted(bytes([c]) for c in line.split(b" ")[-1]))
              for line in got[0] if b"* MYRIGHTS" in line]
    rights += [b"".join(sorted(bytes([c]) for c in b"".join(
        line.split(b" ")[-13:]) if chr(c).isalpha()))
        for line in got[0] if b"* LISTRIGHTS" in line]
    code = re.search(rb"\[READ-\w+\]", got[1])
    return (got[1].split()[0], code and code.group(0), rights)


def beside_dovecot(s):
    if not os.path.exists(PLUGIN):
        tap.note("no Dovecot: not compared")
        return
    dovecot = Dovecot()
    pairs = [(s.session("ann"), dovecot.session("ann")), ()]
    for r in pairs[0]:
        r.ask("CREATE Box")
    for given in SETS:
        # a session of Dovecot remembers rights for a while
        pairs[1] = s.session("bob"), dovecot.session("bob")
        for r in pairs[0]:
            r.ask("SETACL Box bob@example.test " + given)
        got = [sorted(re.search(rb"\"?bob@example.test\"? \"?(\w+)", line)
                      .group(1)) for r in pairs[0] for line in
               r.ask("GETACL Box")[0] if line.startswith(b"* ACL")]
        tap.equal(got[0], got[1], "GETACL of " + given)
        for command in ASKED:
            # Dovecot's LISTRIGHTS needs no right
            if "LISTRIGHTS" in command and "a" not in given:
                continue
            # RFC 4314 section 4: any of lrikxa
            if "MYRIGHTS" in command and given == "s":
                continue
            said = re.sub(r"\{(Box[A-Za-z0-9/]*)\}",
                          lambda m: q(theirs("ann", m.group(1))), command)
            ours, other = (answer(r.ask(said)) for r in pairs[1])
            tap.equal(ours, other, "as Dovecot with %s: %s" % (
                given, command.splitlines()[0]))
            for r in pairs[1]:
                r.ask("UNSELECT")
        for r in pairs[1]:
            r.close()
        for r in pairs[0]:
            r.ask("DELETE Box/New")
    for r in pairs[0]:
        r.ask("DELETE Box")
        r.close()
    dovecot.end()


def flags(s):
    ann, bob = s.session("ann"), s.session("bob")
    ann.ask("CREATE Flags")
    box = q(theirs("ann", "Flags"))
    ann.ask(b"APPEND Flags " + literal(text("one")))
    ann.ask(b"APPEND Flags (\\Answered old) " + literal(text("two")))
    ann.ask("SETACL Flags bob lri")
    bob.ask("SELECT " + box)
    tap.starts(bob.ask("STORE 1 +FLAGS (\\Seen)")[1], b"NO [NOPERM]",
               "no flag may be changed")
    bob.ask("FETCH 1 BODY[]")
    tap.ok(b"\\Seen" not in b"".join(bob.ask("FETCH 1 FLAGS")[0]),
           "reading does not set \\Seen")
    tap.starts(bob.ask("EXPUNGE")[1], b"NO [NOPERM]", "nor expunged")
    bob.ask(b"APPEND " + box.encode() + b" (\\Seen \\Flagged \\Deleted kw) " +
            literal(text("three")))
    tap.equal([f for f in bob.ask("FETCH 3 FLAGS")[0] if b"Flagged" in f or
               b"kw" in f or b"Seen" in f or b"Deleted" in f], [],
              "a message is added without flags")
    ann.ask("SETACL Flags bob lrs")
    got = bob.ask("NOOP")[0]
    tap.ok(any(b"PERMANENTFLAGS (\\Seen)" in line for line in got),
           "other rights are told at once", got)
    bob.ask("FETCH 1 BODY[]")
    tap.ok(b"\\Seen" in b"".join(bob.ask("FETCH 1 FLAGS")[0]),
           "\\Seen may be set")
    bob.ask("STORE 1:2 FLAGS (\\Seen \\Deleted \\Draft new)")
    got = b"".join(bob.ask("FETCH 1:2 FLAGS")[0])
    tap.ok(got.count(b"\\Seen") == 2 and b"Deleted" not in got and
           b"Draft" not in got and b"new" not in got and
           b"\\Answered" in got and b"old" in got,
           "what may not be changed stays", got)
    ann.ask("SETACL Flags bob lrw")
    bob.ask("STORE 2 FLAGS (\\Flagged)")
    got = b"".join(bob.ask("FETCH 2 FLAGS")[0])
    tap.ok(b"\\Flagged" in got and b"\\Seen" in got and
           b"Answered" not in got and b"old" not in got,
           "only the others are replaced", got)
    ann.ask("SETACL Flags bob lrt")
    bob.ask("STORE 1 +FLAGS (\\Deleted)")
    tap.starts(bob.ask("CLOSE")[1], b"OK", "CLOSE without the right to expunge")
    tap.equal(len(subjects(ann, "Flags")), 3, "removes nothing")
    ann.ask("SETACL Flags bob lre")
    bob.ask("SELECT " + box)
    tap.equal(bob.ask("EXPUNGE")[0][0], b"* 1 EXPUNGE", "with it, EXPUNGE does")
    bob.ask("UNSELECT")
    # copies within ann's folders
    ann.ask("CREATE Into")
    ann.ask("SETACL Into bob i")
    ann.ask("SETACL Flags bob lrswte")
    bob.ask("SELECT " + box)
    bob.ask("STORE 1 FLAGS (\\Seen \\Deleted \\Flagged word)")
    is_ok(bob, "COPY 1 " + q(theirs("ann", "Into")), "a copy within them",
          b"OK [COPYUID")
    ann.ask("SELECT Into")
    tap.equal(ann.ask("FETCH 1 FLAGS")[0], [b"* 1 FETCH (FLAGS (\\Recent))"],
              "without flags")
    ann.ask("SETACL Flags bob lr")
    tap.starts(bob.ask("MOVE 1 " + q(theirs("ann", "Into")))[1],
               b"NO [NOPERM]", "no move without rights at its source")
    # a URL is no way round
    ann.ask("CREATE Deep")
    ann.ask(b"APPEND Deep " + literal(text("secret")))
    bob.ask("UNSELECT")
    got = bob.ask('APPEND %s CATENATE (URL "/%s/;UID=1")' % (
        q(theirs("ann", "Into")), "Other%20Users/ann@example.test/Deep"))[1]
    tap.starts(got, b"NO [BADURL", "nor does a URL read")
    # rights that end while a message comes
    for given, want in ("l", b"a NO [NOPERM]"), ('""', b"a NO [TRYCREATE]"):
        ann.ask("SETACL Into bob li")
        had = subjects(ann, "Into")
        bob.send("a APPEND %s {%d}\r\n" % (q(theirs("ann", "Into")),
                                           len(text("late"))))
        tap.starts(bob.line(), b"+ ", "an APPEND begins, and with " + given)
        ann.ask("SETACL Into bob " + given)
        bob.send(text("late") + b"\r\n")
        tap.starts(bob.until("a")[-1], want, "it is refused at its end")
        tap.equal(subjects(ann, "Into"), had, "and nothing added")
    for folder in "Flags", "Into", "Deep":
        ann.ask("DELETE " + folder)
    ann.close()
    bob.close()


def listing(s):
    ann, bob = s.session("ann"), s.session("bob")
    for name in "A", "A/B", "A/B/C", "Sent", "&ANw-ber":
        ann.ask("CREATE " + q(name))
    tap.equal(bob.ask('LIST "" "*"')[0],
              [b'* LIST (\\HasNoChildren) "/" "INBOX"'],
              "nothing is shown to whom nothing is open")
    for name in "A/B", "Sent", "&ANw-ber":
        ann.ask("SETACL %s bob lr" % q(name))
    ann.ask("SETACL A/B/C bob r")
    us = b'"Other Users/ann@example.test'
    top = [b'* LIST (\\Noselect \\HasChildren) "/" "Other Users"',
           b'* LIST (\\Noselect \\HasChildren) "/" ' + us + b'"']
    rows = [b'* LIST (\\Noselect \\HasChildren) "/" ' + us + b'/A"',
            b'* LIST (\\HasNoChildren) "/" ' + us + b'/A/B"',
            b'* LIST (\\HasNoChildren) "/" ' + us + b'/Sent"',
            b'* LIST (\\HasNoChildren) "/" ' + us + b'/&ANw-ber"']
    tap.equal(bob.ask('LIST "" "*"')[0],
              [b'* LIST (\\HasNoChildren) "/" "INBOX"'] + top + rows,
              "what may be looked up, and the levels above it")
    tap.equal(bob.ask('LIST "" "%"')[0],
              [b'* LIST (\\HasNoChildren) "/" "INBOX"', top[0]], "one level")
    tap.equal(bob.ask('LIST "Other Users/" "%"')[0], top[1:], "the owners")
    tap.equal(bob.ask('LIST "" "Other Users/ann@example.test/%"')[0],
              [rows[0], rows[2], rows[3]], "the top of one of them")
    tap.equal(bob.ask('LIST "" "zz*"')[0], [], "others are not asked in vain")
    tap.equal(bob.ask('LIST "" "*A/B" RETURN (MYRIGHTS STATUS (MESSAGES))')[0],
              [rows[1], b'* STATUS ' + us + b'/A/B" (MESSAGES 0)',
               b'* MYRIGHTS ' + us + b'/A/B" lr'], "with what is asked for")
    tap.equal(bob.ask('LIST "" "INBOX" RETURN (MYRIGHTS)')[0][1],
              b'* MYRIGHTS "INBOX" ' + ALL, "also of one's own")
    bob.ask("SUBSCRIBE " + q(theirs("ann", "A/B")))
    bob.ask("SUBSCRIBE " + q(theirs("ann", "Gone")))
    bob.ask("SUBSCRIBE " + q(theirs("cat", "Gone")))
    tap.equal(sorted(bob.ask('LSUB "" "*"')[0]), sorted([
        b'* LSUB (\\HasNoChildren) "/" ' + us + b'/A/B"',
        b'* LSUB (\\HasNoChildren) "/" ' + us + b'/Gone"',
        b'* LSUB (\\HasNoChildren) "/" "Other Users/cat@example.test/Gone"'
    ]), "subscriptions are the visitor's")
    tap.equal(sorted(bob.ask('LIST (SUBSCRIBED) "" "*"')[0]), sorted([
        b'* LIST (\\Subscribed \\HasNoChildren) "/" ' + us + b'/A/B"',
        b'* LIST (\\NonExistent \\Subscribed \\HasNoChildren) "/" ' + us +
        b'/Gone"',
        b'* LIST (\\NonExistent \\Subscribed \\HasNoChildren) "/" '
        b'"Other Users/cat@example.test/Gone"']), "and extended ones")
    tap.equal(ann.ask('LSUB "" "*"')[0], [], "not the owner's")
    bob.ask("ENABLE UTF8=ACCEPT")
    name = "Other Users/ann@example.test/\u00dcber"
    tap.ok(any(name.encode() in line for line in bob.ask('LIST "" "*"')[0]),
           "names in UTF-8")
    is_ok(bob, 'SELECT "%s"' % name, "and as such", b"OK")
    got = bob.ask("ENABLE IMAP4rev2")
    got = bob.ask('SELECT "%s"' % name)[0]
    tap.ok(any(line.startswith(b"* LIST") and name.encode() in line
               for line in got), "IMAP4rev2", got)
    for name in "A/B/C", "A/B", "A", "Sent", "&ANw-ber":
        ann.ask("DELETE " + q(name))
    for r in ann, bob:
        r.close()


def copies(s):
    ann, bob, cat = (s.session(u) for u in UID)
    for r in ann, cat:
        r.ask("CREATE Pool")
        r.ask("SETACL Pool bob lrswite")
    bob.ask("CREATE Own")
    box, far = q(theirs("ann", "Pool")), q(theirs("cat", "Pool"))
    for n in range(4):
        bob.ask(b'APPEND Own (\\Flagged key) "01-Jan-2020 10:00:00 +0000" ' +
                literal(text("m%d" % n, "x" * 70000)))
    bob.ask("SELECT Own")
    got = bob.ask("COPY 1:2 " + box)
    tap.ok(re.match(rb"OK \[COPYUID \d+ 1:2 1:2\]", got[1]),
           "from one's own to another's", got)
    ann.ask("SELECT Pool")
    got = ann.ask("FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE)")[0][0]
    tap.ok(b"\\Flagged" in got and b" key)" in got and b" 1-Jan-2020 10:00:00 +0000" in got and
           b"RFC822.SIZE 70017" in got,
           "with flags and date", got)
    got = bob.ask("UID MOVE 3,4 " + box)
    tap.ok(re.match(rb"\* OK \[COPYUID \d+ 3:4 3:4\]", got[0][0]) and
           got[0][1:3] == [b"* 3 EXPUNGE", b"* 3 EXPUNGE"], "moved", got)
    tap.equal(subjects(bob, "Own"), ["m0", "m1"], "they are gone here")
    tap.equal(subjects(bob, theirs("ann", "Pool")),
              ["m0", "m1", "m2", "m3"], "and are there")
    bob.ask("SELECT " + box)
    got = bob.ask("COPY 2:3 INBOX")
    tap.ok(re.match(rb"OK \[COPYUID \d+ 2:3 1:2\]", got[1]),
           "from another's to one's own", got)
    got = bob.ask("MOVE 1,4 " + far)
    tap.ok(re.match(rb"\* OK \[COPYUID \d+ 1,4 1:2\]", got[0][0]) and
           got[0][1:3] == [b"* 1 EXPUNGE", b"* 3 EXPUNGE"],
           "moved from the second to the third", got)
    tap.equal(subjects(cat, "Pool"), ["m0", "m3"], "they are there")
    tap.equal(subjects(ann, "Pool"), ["m1", "m2"], "and not here")
    cat.ask("SETACL Pool bob lr")
    bob.ask("SELECT Own")
    tap.starts(bob.ask("MOVE 1 " + far)[1], b"NO [NOPERM]",
               "no right there: nothing is moved")
    tap.equal(subjects(bob, "Own"), ["m0", "m1"], "it stays")
    ann.ask("SETACL Pool bob lr")
    bob.ask("SELECT " + box)
    tap.starts(bob.ask("MOVE 1 Own")[1], b"NO",
               "no right here: nothing is moved")
    tap.equal(subjects(bob, "Own"), ["m0", "m1"], "nor copied")
    bob.ask("SELECT Own")
    tap.starts(bob.ask("COPY 1 " + q(theirs("ann", "None")))[1],
               b"NO [TRYCREATE]", "a folder that is not there")
    ann.ask("SETACL Pool bob lrswite")
    other = s.session("bob")
    other.ask("SELECT Own")
    other.ask("STORE 2 +FLAGS (\\Deleted)")
    other.ask("EXPUNGE")
    other.close()
    tap.starts(bob.ask("COPY 1:2 " + box)[1], b"NO [EXPUNGEISSUED]",
               "a message that is gone; but the folder is there")
    tap.equal(len(subjects(ann, "Pool")), 2, "nothing was copied")
    bob.ask("SELECT Own")
    ann.ask("SETACL Pool bob lr")
    tap.starts(bob.ask("COPY 9 " + box)[1], b"BAD", "no such message")
    tap.starts(bob.ask("UID COPY 99 " + box)[1], b"OK", "no such UID")
    # many, and all or none of them
    ann.ask("SETACL Pool bob lrswite")
    ann.ask("CREATE Many")
    ann.ask("SETACL Many bob lrswite")
    cat.ask("SETACL Pool bob lrswite")
    many, n = q(theirs("ann", "Many")), 1200
    bob.ask("CREATE Heap")
    for _ in range(n // 400):
        bob.ask(b"APPEND Heap " + b" ".join([literal(text("h"))] * 400))

    def held(r, folder):
        return int(re.search(rb"MESSAGES (\d+)", r.ask(
            "STATUS %s (MESSAGES)" % folder)[0][0]).group(1))
    bob.ask("SELECT Heap")
    is_ok(bob, "COPY 1:* " + many, "many to another's folder", b"OK [COPYUID")
    tap.equal(held(ann, "Many"), n, "all are there")
    bob.ask("SELECT " + many)
    is_ok(bob, "COPY 1:%d %s" % (n, far), "from one's to the other's",
          b"OK [COPYUID")
    tap.equal(held(cat, "Pool"), n + 2, "as many")
    is_ok(bob, "UID MOVE 1:* Heap", "and moved to one's own", b"OK")
    tap.equal((held(ann, "Many"), held(bob, "Heap")), (0, 2 * n), "all of them")
    tap.starts(bob.ask("COPY 7 Heap")[1], b"BAD", "no such message there")
    # a message that the other side does not take, with others behind it
    new = s.path("mail/bob/Maildir/.Heap/new")
    ann.ask("EXPUNGE")
    with open(os.path.join(new, "1.nul"), "wb") as f:
        f.write(b"Subject: nul\n\n\0\n")
    if ROOT:
        os.chown(f.name, UID["bob"], UID["bob"])
    for _ in range(2):
        bob.ask(b"APPEND Heap " + b" ".join([literal(text("b", "x" * 9999))] *
                                            200))
    bob.ask("SELECT Heap")
    tap.starts(bob.ask("COPY 2300:* " + many)[1], b"NO [CANNOT]",
               "one that is not taken")
    tap.equal(held(ann, "Many"), 0, "then none is")
    # one whose file is gone
    is_ok(bob, "COPY 1:200 " + many, "200 are", b"OK [COPYUID")
    folder = s.path("mail/ann/Maildir/.Many")
    bob.ask("SELECT " + many)
    for sub in "new", "cur":
        for name in sorted(os.listdir(os.path.join(folder, sub)))[70:71]:
            os.unlink(os.path.join(folder, sub, name))
    had = held(bob, "Heap")
    got = bob.ask("COPY 1:* Heap")
    tap.ok(got[1].startswith(b"NO ") and not any(b"FETCH" in line
                                                 for line in got[0]),
           "one that is gone", (got[0][:3], got[1]))
    tap.equal(held(bob, "Heap"), had, "nothing is copied")
    is_ok(bob, "NOOP", "the session goes on")
    is_ok(bob, "COPY 3 Heap", "and copies others", b"OK [COPYUID")
    bob.ask("UNSELECT")
    bob.ask("DELETE Heap")
    ann.ask("DELETE Many")
    # literals, as they come
    ann.ask("SETACL Pool bob lrswite")
    bob.send("x APPEND {%d}\r\n" % (len(box) - 2))
    tap.starts(bob.line(), b"+ ", "a name as a literal")
    bob.send(box.strip('"') + " (\\Seen) {%d}\r\n" % len(text("lit")))
    tap.starts(bob.line(), b"+ ", "a message when it is asked for")
    bob.send(text("lit") + b" {%d}\r\n" % len(text("lit2")))
    tap.starts(bob.line(), b"+ ", "and one more")
    bob.send(text("lit2") + b"\r\n")
    tap.ok(re.match(rb"x OK \[APPENDUID \d+ \d+:\d+\]", bob.until("x")[-1]),
           "both are added")
    bob.ask("SELECT " + box)
    tap.starts(bob.ask("SEARCH SUBJECT {3+}\r\nlit")[0][0], b"* SEARCH 3 4",
               "a search with a literal")
    for r, folders in (ann, ["Pool"]), (bob, ["Own"]), (cat, ["Pool"]):
        for folder in folders:
            r.ask("DELETE " + folder)
        r.close()


def replaced(s):
    """REPLACE between users: from here to there, back, and from there to a
    third."""
    ann, bob, cat = (s.session(u) for u in UID)
    for r in ann, cat:
        r.ask("CREATE Pool")
        r.ask("SETACL Pool bob lrswite")
    bob.ask("CREATE Own")
    bob.ask("CREATE Drafts")
    box, far = q(theirs("ann", "Pool")), q(theirs("cat", "Pool"))
    for folder in "Own", box, far:
        for n in range(3):
            bob.ask(b"APPEND %s " % folder.encode() + literal(text("o%d" % n)))
    for source, target, where in (("Own", box, theirs("ann", "Pool")),
                                  (box, "Drafts", "Drafts"),
                                  (box, far, theirs("cat", "Pool"))):
        what = "REPLACE in %s by one in %s: " % (source, target)
        with_order(bob, source)
        bob.ask("SELECT " + source)
        had = subjects_of(s, "bob", where)
        got = bob.ask(b'REPLACE 2 %s (\\Flagged) "01-Jan-2020 10:00:00 +0000" '
                      % target.encode() + literal(text("new")))
        tap.ok(re.match(rb"\* OK \[APPENDUID \d+ \d+\]", got[0][0]) and
               got[0][1] == b"* 2 EXPUNGE" and got[1].startswith(b"OK "),
               what + "done", got)
        tap.equal(subjects_of(s, "bob", where), had + ["new"], what + "added")
        tap.equal(subjects_of(s, "bob", source.strip('"')), ["o0", "o2"],
                  what + "removed")
        uid = bob.ask("FETCH 2 (UID)")[0][0].split()[-1].strip(b")").decode()
        bob.send("r UID REPLACE %s %s {%d}\r\n" % (uid, target,
                                                   len(text("wait"))))
        tap.starts(bob.line(), b"+ ", what + "a literal that waits")
        bob.send(text("wait") + b"\r\n")
        tap.starts(bob.until("r")[-1], b"r OK", what + "and comes")
        tap.equal(subjects_of(s, "bob", where), had + ["new", "wait"],
                  what + "is added")
        for command, want in (("REPLACE 9", b"BAD"), ("REPLACE 1:2", b"BAD"),
                              ("UID REPLACE 99", b"NO [EXPUNGEISSUED]")):
            tap.starts(bob.ask(command.encode() + b" " + target.encode() +
                               b" " + literal(text("no")))[1], want,
                       what + command)
        bob.ask("NOOP")
        tap.equal(subjects_of(s, "bob", where), had + ["new", "wait"],
                  what + "nothing more")
        bob.ask("UNSELECT")
    bob.ask("SELECT Own")
    tap.starts(bob.ask(b"REPLACE 1 " + q(theirs("ann", "None")).encode() +
                       b" " + literal(text("no")))[1], b"NO [TRYCREATE]",
               "to a folder that is not there")
    cat.ask("SETACL Pool bob lr")
    tap.starts(bob.ask(b"REPLACE 1 " + far.encode() + b" " +
                       literal(text("no")))[1], b"NO [NOPERM]", "without right")
    ann.ask("SETACL Pool bob lri")
    had = subjects_of(s, "bob", "Drafts")
    bob.ask("SELECT " + box)
    tap.starts(bob.ask(b"REPLACE 1 Drafts " + literal(text("no")))[1],
               b"NO [", "without the right to remove")
    tap.equal(subjects_of(s, "bob", "Drafts"), had, "nothing is added")
    bob.ask("EXAMINE Own")
    tap.starts(bob.ask(b"REPLACE 1 " + box.encode() + b" " +
                       literal(text("no")))[1], b"NO [READ-ONLY]",
               "opened for reading")
    bob.ask("UNSELECT")
    for r, folders in (ann, ["Pool"]), (bob, ["Own", "Drafts"]), (cat, ["Pool"]):
        for folder in folders:
            r.ask("DELETE " + folder)
        r.close()


def with_order(r, folder):
    """Three messages o0, o1, o2 again."""
    r.ask("SELECT " + folder)
    r.ask("STORE 1:* +FLAGS (\\Deleted)")
    r.ask("EXPUNGE")
    r.ask("UNSELECT")
    for n in range(3):
        r.ask(b"APPEND %s " % folder.encode() + literal(text("o%d" % n)))


def subjects_of(s, user, folder):
    """In a session of their own."""
    r = s.session(user)
    got = subjects(r, folder)
    r.close()
    return got


def selected(s):
    """A folder that is open: changes, IDLE, extensions, and its end."""
    ann, bob = s.session("ann"), s.session("bob")
    ann.ask("CREATE Live")
    ann.ask("SETACL Live bob lrswite")
    for n in range(5):
        ann.ask(b"APPEND Live " + literal(text("l%d" % n)))
    box = q(theirs("ann", "Live"))
    bob.ask("SELECT INBOX")
    got = bob.ask("SELECT " + box)
    tap.ok(got[0][0].startswith(b"* OK [CLOSED]") and b"* 5 EXISTS" in got[0],
           "SELECT", got)
    ann.ask(b"APPEND Live " + literal(text("l5")))
    tap.ok(b"* 6 EXISTS" in bob.ask("NOOP")[0], "a change is told")
    got = bob.ask("UID SEARCH RETURN (SAVE ALL) SUBJECT l2")[0]
    tap.ok(got[0].endswith(b"UID ALL 3"), "a search", got)
    tap.equal(len(bob.ask("FETCH $ (UID)")[0]), 1, "and its result")
    tap.equal(len(bob.ask("THREAD REFERENCES UTF-8 ALL")[0]), 1, "THREAD")
    tap.equal(bob.ask("SORT (REVERSE SUBJECT) UTF-8 1:3")[0][0],
              b"* SORT 3 2 1", "SORT")
    tap.starts(bob.ask("ESEARCH IN (selected) ALL")[1], b"OK", "ESEARCH here")
    tap.starts(bob.ask("ESEARCH IN (selected personal) ALL")[1],
               b"NO [CANNOT]", "not here and elsewhere")
    bob.send("i IDLE\r\n")
    tap.starts(bob.line(), b"+ ", "IDLE")
    ann.ask(b"APPEND Live " + literal(text("l6")))
    tap.equal(bob.line(), b"* 7 EXISTS\r\n", "news while idle")
    bob.send("DONE\r\n")
    tap.starts(bob.until("i")[-1], b"i OK", "its end")
    got = bob.ask("STATUS INBOX (MESSAGES)")[0]
    tap.starts(got[0], b'* STATUS "INBOX"', "one's own folders meanwhile")
    got = bob.ask("STATUS %s (MESSAGES)" % box)[0]
    tap.ok(b"MESSAGES 7" in got[0], "and the selected one", got)
    tap.starts(bob.ask("SELECT INBOX")[0][0], b"* OK [CLOSED]", "another one")
    # QRESYNC goes through
    bob.ask("ENABLE QRESYNC")
    got = bob.ask("SELECT " + box)[0]
    validity = re.search(rb"UIDVALIDITY (\d+)", b" ".join(got)).group(1)
    modseq = re.search(rb"HIGHESTMODSEQ (\d+)", b" ".join(got)).group(1)
    bob.ask("UNSELECT")
    ann.ask("SELECT Live")
    ann.ask("STORE 2 +FLAGS (\\Flagged)")
    ann.ask("STORE 1 +FLAGS (\\Deleted)")
    ann.ask("EXPUNGE")
    got = bob.ask("SELECT %s (QRESYNC (%s %s))" % (
        box, validity.decode(), modseq.decode()))[0]
    tap.ok(b"* VANISHED (EARLIER) 1" in got and any(
        b"FETCH" in line and b"\\Flagged" in line for line in got),
        "QRESYNC", got)
    # deleting what is selected
    tap.starts(bob.ask("CLOSE")[1], b"OK", "CLOSE")
    tap.starts(bob.ask("FETCH 1 UID")[1], b"BAD", "nothing is selected")
    # rights that end
    bob.ask("SELECT " + box)
    ann.ask("SETACL Live bob l")
    bob.send("n NOOP\r\n")
    got = bob.until("n") + [bob.line()]
    tap.ok(got[-1].startswith(b"* BYE"),
           "who may not read it any more is out", got)
    bob.close()
    ann.ask("SETACL Live bob lrt")
    bob = s.session("bob")
    bob.ask("SELECT " + box)
    bob.send("i IDLE\r\n")
    tap.starts(bob.line(), b"+ ", "IDLE, and then")
    ann.ask("SETACL Live bob lrs")
    ann.ask("STORE 1 +FLAGS (\\Answered)")
    got = [bob.line() for _ in range(3)]
    tap.ok(b"PERMANENTFLAGS (\\Seen)" in got[1] and b"Answered" in got[2],
           "other rights are told while idle", got)
    ann.ask("DELETEACL Live bob")
    ann.ask(b"APPEND Live " + literal(text("hidden")))
    ann.ask("STORE 1 +FLAGS (\\Draft)")
    got = bob.until("i") + [bob.line()]
    tap.ok(got[-1].startswith(b"* BYE") and not any(
        word in line for line in got for word in (b"EXISTS", b"FETCH")),
        "who may not read it any more is told nothing while idle", got)
    bob.close()
    ann.ask("DELETE Live")
    ann.close()


def put_aside(s):
    """What is no access list grants nothing, and is not in its owner's way."""
    ann, bob = s.session("ann"), s.session("bob")
    ann.ask("CREATE Hurt")
    ann.ask("SETACL Hurt bob lr")
    ann.ask("CREATE Also")    # so that he goes on finding her
    ann.ask("SETACL Also bob lr")
    box = q(theirs("ann", "Hurt"))
    folder = s.path("mail/ann/Maildir/.Hurt")
    where = os.path.join(folder, "posthorn-acl")
    with open(where, "rb") as f:
        good = f.read()

    def put(data, mode, root):
        with open(where, "wb") as f:
            f.write(data)
        if ROOT and not root:
            os.chown(where, UID["ann"], UID["ann"])
        os.chmod(where, mode)

    def remove():
        if os.path.lexists(where):
            os.unlink(where)

    def fifo(mode):
        os.mkfifo(where, mode)

    def directory(mode):
        os.mkdir(where, mode)
    for name, make, args in (
            ("of mode 0", put, (good, 0, False)),
            ("a FIFO", fifo, (0o644,)),
            ("a FIFO of mode 0", fifo, (0,)),
            ("a directory of mode 0", directory, (0,)),
            ("another's of mode 0600", put, (good, 0o600, True)),
            ("another's", put, (good, 0o644, True)))[
                :6 if ROOT else 4]:
        ann.ask("SETACL Hurt bob lr")
        tap.starts(bob.ask("STATUS %s (MESSAGES)" % box)[1], b"OK",
                   "a good list, and then one")
        had = len(os.listdir(folder))
        os.unlink(where)
        make(*args)
        tap.starts(bob.ask("STATUS %s (MESSAGES)" % box)[1],
                   b"NO [NONEXISTENT]", name + " grants nothing")
        if make == fifo:
            remove()    # whether it can be renamed, the kernel says
        else:
            tap.equal([os.path.lexists(where), len(os.listdir(folder))],
                      [False, had], "and is put aside")
        make(*args)
        tap.equal(ann.ask("GETACL Hurt"), (
            [b'* ACL "Hurt" "ann@example.test" ' + ALL],
            b"OK Getacl completed."), "the owner may go on")
        remove()
        make(*args)
        tap.starts(ann.ask("DELETEACL Hurt cat")[1], b"OK", "and write")
    for name in "Hurt", "Also":
        ann.ask("DELETE " + name)
    ann.close()
    bob.close()


def hints(s):
    """Who has to look where: no more than what is granted."""
    ann = s.session("ann")
    shares = os.path.join(s.path("state"), "accountd", "shares")

    def noted():
        found = os.listdir(shares) if os.path.isdir(shares) else ()
        return sorted(name for name in found if os.listdir(os.path.join(shares, name)))
    ann.ask("CREATE One")
    ann.ask("CREATE Two")
    had = noted()
    for command, want in (
            ("SETACL One -bob x", []), ("SETACL One -anyone x", []),
            ("DELETEACL One -bob", []), ("DELETEACL One -anyone", []),
            ("SETACL One bob lr", ["bob"]), ("SETACL One -bob r", ["bob"]),
            ("DELETEACL One -bob", ["bob"]), ("SETACL Two bob l", ["bob"]),
            ("SETACL One -bob l", ["bob"]), ("DELETEACL One bob", ["bob"]),
            ("SETACL Two bob -l", []), ("SETACL One -bob -l", []),
            ("LISTRIGHTS One bob", []), ("DELETEACL One bob", []),
            ("SETACL One ann lr", []), ("SETACL One anyone l", ["anyone"]),
            ("SETACL Two bob l", ["anyone", "bob"]), ("DELETE Two", ["anyone"]),
            ("DELETEACL One anyone", [])):
        ann.ask(command)
        tap.equal(noted(), sorted(had + [
            name if name == "anyone" else address(name) for name in want]),
            "after " + command)
    ann.ask("DELETE One")
    ann.close()


def names(s):
    """Whom a name means, and what is said if that is nobody."""
    ann = s.session("ann")
    ann.ask("CREATE Box")
    for command, want in (
            ("SETACL Box bob lr", "OK Setacl completed, of bob@example.test."),
            ("SETACL Box bob@example.test lr", "OK Setacl completed."),
            ("SETACL Box -BOB x", "OK Setacl completed, of -bob@example.test."),
            ("SETACL Box bbo lr", "NO [CANNOT] There is no such user: name "
             "users with their domain, as ann@example.test."),
            ("SETACL Box bob@other.test lr",
             "NO [CANNOT] There is no such user."),
            ("LISTRIGHTS Box bbo", "NO [CANNOT] There is no such user: name "
             "users with their domain, as ann@example.test."),
            ("DELETEACL Box bbo", "OK Deleteacl completed: who was named is "
             "not in the list."),
            ("DELETEACL Box bob", "OK Deleteacl completed, of "
             "bob@example.test.")):
        tap.equal(ann.ask(command)[1].decode(), want, command)
    tap.equal(ann.ask("LISTRIGHTS Box ann")[0],
              [b'* LISTRIGHTS "Box" "ann" ' + ALL], "the owner by a bare name")
    ann.ask("DELETE Box")
    ann.close()


def faults(s):
    """What is wrong is said where the administrator looks."""
    ann, bob = s.session("ann"), s.session("bob")
    ann.ask("CREATE Box")
    ann.ask("SETACL Box bob lr")
    box = q(theirs("ann", "Box"))
    s.put_users("not a user")
    wait_for(lambda: ann.ask("SETACL Box zip lr")[1].startswith(
        b"NO [UNAVAILABLE]"))
    tap.ok(s.wait_log("accountd: zip@example.test is not found, but may be in "
                      "what is not understood: %s:4" % s.path("users")),
           "a line of the users file that is not understood")
    with open(s.path("users")) as f:
        good = f.read()
    with open(s.path("users.new"), "w") as f:
        f.write(good.replace("ann@example.test:", "ann@example.test:x:y:", 1))
    os.rename(s.path("users.new"), s.path("users"))

    def refused():
        return once(s, "bob", "SELECT " + box).startswith(
            b"NO [UNAVAILABLE]")
    wait_for(refused)
    tap.ok(s.wait_log("accountd: %s: the line of ann@example.test is not "
                      "understood" % s.path("users")), "that of the owner")
    tap.ok("accountd cannot be asked" not in s.read_log(),
           "accountd can be asked")
    s.put_users()
    tap.ok(wait_for(lambda: not refused()), "it is mended")
    ann.ask("DELETE Box")
    ann.close()
    bob.close()


def compressed(s):
    ann, bob = s.session("ann"), s.session("bob")
    ann.ask("CREATE Zip")
    ann.ask("SETACL Zip bob lr")
    ann.ask(b"APPEND Zip " + literal(text("zip", "y" * 100000)))
    tap.starts(bob.ask("COMPRESS DEFLATE")[1], b"OK", "COMPRESS")
    out, into = zlib.compressobj(wbits=-15), zlib.decompressobj(-15)

    def ask(command):
        bob.sock.sendall(out.compress(b"z %s\r\n" % command.encode()) +
                         out.flush(zlib.Z_SYNC_FLUSH))
        got = b""
        while b"\r\nz " not in b"\r\n" + got:
            got += into.decompress(bob.sock.recv(65536))
        return got
    ask("SELECT " + q(theirs("ann", "Zip")))
    tap.ok(b"y" * 100000 in ask("FETCH 1 BODY.PEEK[]"),
           "then all is compressed")
    bob.close()
    ann.ask("DELETE Zip")
    ann.close()


def heard(r, word):
    """What comes unasked, up to the line with WORD."""
    got = []
    while not got or word not in got[-1]:
        try:
            got.append(r.line())
        except OSError:
            got.append(b"")
        if not got[-1]:
            tap.ok(False, "there is to be " + word.decode(), got)
            break
    return got


def news(s):
    """NOTIFY in another user's folder."""
    ann, bob = s.session("ann"), s.session("bob")
    ann.ask("CREATE Live")
    ann.ask("CREATE Other")
    ann.ask("SETACL Live bob lrswite")
    ann.ask("SETACL Other bob lr")
    box = q(theirs("ann", "Live"))
    for n in range(3):
        ann.ask(b"APPEND Live " + literal(text("n%d" % n)))
    ann.ask("SELECT Live")
    # before the folder is selected, and after
    for before in True, False:
        command = ("NOTIFY SET (SELECTED (MessageNew (UID BODY.PEEK[HEADER."
                   "FIELDS (SUBJECT)]) MessageExpunge FlagChange)) "
                   "(personal (MessageNew MessageExpunge))")
        if before:
            is_ok(bob, command, "NOTIFY, and then SELECT")
        bob.ask("SELECT " + box)
        if not before:
            is_ok(bob, command, "NOTIFY in a selected folder")
        ann.ask(b"APPEND Live " + literal(text("new")))
        got = heard(bob, b"Subject: new")
        tap.ok(b"EXISTS" in got[0], "a new message is told, with what was "
               "asked for", got)
        ann.ask("STORE 1 +FLAGS (\\Flagged)")
        got = heard(bob, b"Flagged")
        tap.ok(b"* 1 FETCH" in got[-1], "flags are", got)
        ann.ask("STORE 1 -FLAGS (\\Flagged)")
        ann.ask("STORE 2 +FLAGS (\\Deleted)")
        ann.ask("EXPUNGE")
        tap.equal(heard(bob, b"EXPUNGE")[-1], b"* 2 EXPUNGE\r\n",
                  "removals are")
        # one's own folders meanwhile
        once(s, "bob", b"APPEND INBOX " + literal(text("mine")))
        tap.starts(heard(bob, b"STATUS")[-1], b'* STATUS "INBOX"',
                   "and one's own folders")
        is_ok(bob, "NOTIFY NONE", "NOTIFY NONE")
        ann.ask(b"APPEND Live " + literal(text("unheard")))
        tap.equal(bob.ask("NOOP")[0], [], "then nothing is")
        got = is_ok(bob, "NOTIFY SET (SELECTED-DELAYED (MessageNew "
                    "MessageExpunge))", "NOTIFY again")
        tap.ok(any(line.endswith(b"EXISTS") for line in got),
               "what was not told is", got)
        ann.ask("STORE 1 +FLAGS (\\Deleted)")
        ann.ask("EXPUNGE")
        ann.ask(b"APPEND Live " + literal(text("more")))
        got = heard(bob, b"EXISTS")
        tap.ok(not any(b"EXPUNGE" in line for line in got),
               "EXPUNGE is delayed", got)
        tap.ok(b"* 1 EXPUNGE" in bob.ask("NOOP")[0], "to a command")
        tap.starts(bob.ask("UNSELECT")[1], b"OK", "UNSELECT")
        ann.ask(b"APPEND Live " + literal(text("past")))
        tap.equal(bob.ask("NOOP")[0], [], "what is not selected is not told")
        is_ok(bob, "NOTIFY NONE", "NOTIFY NONE")
    # in IDLE, and copies from there meanwhile
    is_ok(bob, "NOTIFY SET (SELECTED (MessageNew (UID) MessageExpunge))",
          "NOTIFY of UIDs")
    bob.ask("SELECT " + box)
    ann.ask(b"APPEND Live " + literal(text("late")))
    bob.ask("COPY 1 INBOX")
    bob.ask("NOOP")
    bob.ask("CREATE Copies")
    bob.ask("COPY 1:2 Copies")
    tap.ok(b"MESSAGES 2)" in bob.ask("STATUS Copies (MESSAGES)")[0][0],
           "copies are of what was asked for")
    bob.ask("DELETE Copies")
    bob.send("i IDLE\r\n")
    tap.starts(bob.line(), b"+ ", "IDLE")
    ann.ask(b"APPEND Live " + literal(text("idle")))
    heard(bob, b"EXISTS")
    bob.send("DONE\r\n")
    bob.until("i")
    # rights that end
    ann.ask("SETACL Live bob l")
    ann.ask(b"APPEND Live " + literal(text("hidden")))
    tap.equal([line[:5] for line in heard(bob, b"BYE")], [b"* BYE"],
              "who may not read it any more hears nothing")
    bob.close()
    # what another command asks of that session does not swallow news
    bob = s.session("bob")
    ann.ask("SETACL Live bob lrs")
    bob.ask("SELECT " + box)
    ann.ask(b"APPEND Live " + literal(text("listed")))
    got = bob.ask('LIST "" "*"')[0] + bob.ask("NOOP")[0]
    tap.equal(sum(line.endswith(b"EXISTS") for line in got), 1,
              "LIST does not lose a change")
    ann.ask(b"APPEND Live " + literal(text("enabled")))
    bob.ask("ENABLE CONDSTORE")
    got = bob.ask("NOOP")[0]
    tap.equal(sum(line.endswith(b"EXISTS") for line in got), 1,
              "nor does ENABLE")
    tap.ok(not any(b"ENABLED" in line for line in got), "which is told once",
           got)
    ann.ask(b"APPEND Live " + literal(text("before")))
    bob.send("i IDLE\r\n")
    tap.starts(bob.line(), b"+ ", "IDLE")
    heard(bob, b"EXISTS")    # what was before it
    bob.send("DONE\r\n")
    bob.until("i")
    for folder in "Live", "Other":
        ann.ask("DELETE " + folder)
    ann.close()
    bob.close()


def revoked(s):
    """A folder that was closed looks as if it had never been open, also when
    its owner's session has ended."""
    for given, want in (None, b"NO [NONEXISTENT]"), ("l", b"NO [NOPERM]"):
        for opened in "SELECT", "EXAMINE", "STATUS":
            ann, bob = s.session("ann"), s.session("bob")
            ann.ask("CREATE Box")
            ann.ask("CREATE Two")
            ann.ask("SETACL Box bob lr")
            ann.ask("SETACL Two bob lr")
            box, two = q(theirs("ann", "Box")), q(theirs("ann", "Two"))
            bob.ask("%s %s%s" % (opened, box, " (MESSAGES)"
                                 if opened == "STATUS" else ""))
            ann.ask("SETACL Box bob " + given if given else
                    "DELETEACL Box bob")
            tap.starts(bob.ask("SELECT " + box)[1], want,
                       "%s, revoked, and SELECT" % opened)
            tap.starts(bob.ask("SELECT " + two)[1], b"OK", "another one is "
                       "open")
            bob.ask("UNSELECT")
            end_visits(s)
            tap.starts(bob.ask("SELECT " + box)[1], want,
                       "and so when the owner's session has ended")
            bob.ask("SELECT " + two)
            bob.ask("UNSELECT")
            end_visits(s)
            tap.starts(bob.ask("STATUS %s (MESSAGES)" % two)[1], b"OK",
                       "what is open can be asked for")
            for folder in "Box", "Two":
                ann.ask("DELETE " + folder)
            ann.close()
            bob.close()


def end_visits(s):
    """Ends all sessions of owners that others are in."""
    visits = [int(pid) for pid in re.findall(
        r"imapd\[(\d+)\]: debug: imap: session: user=\S+, visitor=\w",
        s.read_log())]
    for pid in visits:
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
    wait_for(lambda: not any(os.path.exists("/proc/%d" % pid)
                             for pid in visits))


def restarts(s):
    """accountd restarts, and forgets who has opened what."""
    ann, bob = s.session("ann"), s.session("bob")
    ann.ask("CREATE Kept")
    ann.ask("SETACL Kept bob lr")
    box = q(theirs("ann", "Kept"))
    tap.equal(s.posthorn("reload").returncode, 0, "a reload")
    tap.starts(bob.ask("SELECT " + box)[1], b"OK", "a session from before it")
    shares = os.path.join(s.path("state"), "accountd", "shares")
    tap.ok(os.path.isdir(shares), "what is open is kept")
    for name in os.listdir(shares):
        for owner in os.listdir(os.path.join(shares, name)):
            os.unlink(os.path.join(shares, name, owner))
    bob.close()
    bob = s.session("bob")
    tap.starts(bob.ask("SELECT " + box)[1], b"NO [NONEXISTENT]",
               "without it nothing is found")
    done = s.posthorn("mailbox", "acl", "ann@example.test")
    tap.equal((done.returncode, done.stdout),
              (0, "Kept: bob@example.test lr\n"), "posthorn mailbox acl")
    tap.starts(bob.ask("SELECT " + box)[1], b"OK", "makes it anew")
    bob.close()
    ann.ask("DELETE Kept")
    ann.close()


LINES = ("disable_plaintext_auth=no", "mailbox_autocreate=",
         "authcheck_incoming=no")


def run(parts, *lines):
    with Sharers(*LINES, *lines) as suite:
        for part in parts:
            part(suite)
        tap.ok(not re.search("ended by signal (?!15)", suite.read_log()),
               "nothing crashes")


run((lists, rights, beside_dovecot, flags, listing, copies, replaced,
     selected, put_aside, hints, names, faults, compressed, news, revoked, restarts),
    "debug_log=yes")
# put aside whenever it waits, a session finds the others again
run((listing, copies, selected), "imap_hibernate_at_once=yes")
tap.done()
