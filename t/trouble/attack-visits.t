#!/usr/bin/env python3
"""A session that has been taken over, with its user's uid, its connection and
its seal: what it gets of other users' folders. The test stands between accountd
and imap-session, and so has what the session has."""
import array
import os
import random
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import packet, parse  # noqa: E402
from attack import ROOT, steady, tap  # noqa: E402
from imapsession import Raw  # noqa: E402
from sharers import UID, Sharers, address  # noqa: E402

noise = random.Random(1)


def send(sock, data, fds=()):
    sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                           array.array("i", fds))] if fds else [])


def receive(sock):
    data, control, _, _ = sock.recvmsg(131072, 1024)
    fds = array.array("i")
    for level, kind, part in control:
        fds.frombytes(part[:len(part) - len(part) % 4])
    return data, list(fds)


class Between(threading.Thread):
    """Sees each packet from accountd to imap-session, and passes it on."""

    def __init__(self, s):
        super().__init__(daemon=True)
        path = s.path("run/private/imap-session")
        self.real = path + ".real"
        os.rename(path, self.real)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(path)
        os.chmod(path, 0o777)
        self.listener.listen(16)
        self.seen = []
        self.start()

    def run(self):
        while True:
            ours, _ = self.listener.accept()
            data, fds = receive(ours)
            # the descriptors are kept, as the session has them
            self.seen.append((dict(parse(data)[1]), fds))
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as c:
                c.connect(self.real)
                send(c, data, fds)
                try:
                    ours.sendall(c.recv(4096))
                except OSError:
                    pass
            ours.close()


def as_user(user, call):
    """What CALL gives, run with the uid of USER and no more."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ours)
        if ROOT:
            os.setgroups([])
            os.setresgid(UID[user], UID[user], UID[user])
            os.setresuid(UID[user], UID[user], UID[user])
        try:
            got = call()
        except OSError as e:
            got = "OSError %s" % e.errno
        os.write(theirs, (got or "").encode())
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as f:
        got = f.read()
    os.waitpid(pid, 0)
    return got


def ask(s, verb, attrs, fds):
    """The verb of accountd's answer; "" if it hangs up."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as c:
        c.settimeout(20)
        c.connect(s.path("run/public/accountd"))
        try:
            send(c, packet(verb, *attrs.items()), fds)
            data, got = receive(c)
        except OSError:
            return ""
        for fd in got:
            os.close(fd)
        return parse(data)[0] if data else ""


def seals(s, between):
    """What accountd answers to whom."""
    bob, ann = s.session("bob"), s.session("ann")
    mine, (fd,) = next(x for x in between.seen if x[0]["user"] ==
                       address("bob"))
    theirs, (other,) = next(x for x in between.seen if x[0]["user"] ==
                            address("ann"))
    door, _ = socket.socketpair()
    right = dict(user=address("bob"), kind="login", seal=mine["seal"],
                 owner=address("ann"))
    tap.ok(mine["seal"] != theirs["seal"], "each session has its seal")

    def visit(fds=None, **change):
        attrs = dict(right, **change)
        return as_user("bob", lambda: ask(
            s, "visit", attrs, [fd, door.fileno()] if fds is None else fds))
    tap.equal(visit(), "ok", "whoever has all of the session may visit "
              "whom it may")
    with open(s.path("users")) as file:
        wrong = [
            ("in another's name", dict(user=address("ann")), None),
            ("in a third one's", dict(user=address("cat")), None),
            ("in no name", dict(user=""), None),
            ("with a longer name", dict(user=address("bob") + "x"), None),
            ("of another kind", dict(kind="visit"), None),
            ("of no kind", dict(kind=""), None),
            ("with a seal that is cut", dict(seal=mine["seal"][:-1]), None),
            ("without seal", dict(seal=""), None),
            ("with a seal of zeros", dict(seal="0" * len(mine["seal"])), None),
            ("with another's seal", dict(seal=theirs["seal"]), None),
            ("with another's seal and name",
             dict(seal=theirs["seal"], user=address("ann"),
                  owner=address("bob")), None),
            ("on another connection", {}, [door.fileno(), door.fileno()]),
            ("on another's connection", {}, [other, door.fileno()]),
            ("without connection", {}, []),
            ("without a door", {}, [fd]),
            ("with a file as connection", {},
             [file.fileno(), door.fileno()]),
        ]
        for what, change, fds in wrong:
            tap.equal(visit(fds, **change), "", "not " + what)
    tap.equal([visit(owner=address(user)) for user in ("cat", "zoe")],
              ["none", "none"],
              "who has opened nothing looks like who is not there")
    tap.equal(visit(owner=address("bob")), "none", "nor oneself")
    tap.equal(visit(owner="../" + address("ann")), "none", "nor a path")
    # the session that serves ann's folders to bob has a seal, too
    visited, (fd2,) = next(x for x in between.seen if "visitor" in x[0])
    tap.equal(visited["visitor"], address("bob"), "accountd says who comes")
    got = [as_user("ann", lambda: ask(s, "visit", dict(
        user=address("ann"), kind=kind, seal=visited["seal"],
        owner=address("cat")), [fd2, door.fileno()]))
        for kind in ("visit", "login")]
    tap.equal(got, ["", ""], "with which it visits nobody")
    tap.equal(as_user("ann", lambda: ask(s, "owners", dict(
        user=address("ann"), kind="visit", seal=visited["seal"]), [fd2])), "",
        "nor hears of anybody")
    tap.ok("facts" not in visited and "key" not in visited,
           "and cannot be put aside as its owner's")
    # what it says of shares grants nothing
    tap.equal(as_user("bob", lambda: ask(s, "share", dict(
        right, identifier=address("cat")), [fd])), "ok", "a share is noted")
    cat = s.session("cat")
    tap.starts(cat.ask('SELECT "Other Users/%s/INBOX"' % address("bob"))[1],
               b"NO [NONEXISTENT]", "and opens nothing")
    for r in ann, bob, cat:
        r.close()


def doors(s, between):
    """Past accountd."""
    attrs, fds = between.seen[0]
    forged = packet("session", *dict(
        attrs, user=address("ann"), visitor=address("bob"),
        uid=str(UID["ann"]), maildir=s.path("mail/ann/Maildir")).items())

    def forge(path):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as c:
            c.settimeout(20)
            c.connect(path)
            send(c, forged, fds[:1])
            return c.recv(4096).decode()
    if ROOT:
        got = as_user("bob", lambda: forge(between.real))
        tap.ok(not got or got.startswith("OSError"),
               "no session takes a packet that is not accountd's", got)
        got = as_user("bob", lambda: "".join(os.listdir(
            s.path("mail/ann/Maildir"))))
        tap.equal(got, "OSError 13", "another's folder is closed by its mode")
        got = as_user("bob", lambda: "".join(os.listdir(
            s.path("state/accountd"))))
        tap.equal(got, "OSError 13", "and so is accountd's")


def words(s, between):
    """What the session of the owner is told by one that is taken over."""
    bob = s.session("bob")
    mine, (fd,) = [x for x in between.seen if x[0]["user"] ==
                   address("bob")][-1]
    ours, theirs = socket.socketpair()
    tap.equal(as_user("bob", lambda: ask(s, "visit", dict(
        user=address("bob"), kind="login", seal=mine["seal"],
        owner=address("ann")), [fd, theirs.fileno()])), "ok", "a visit")
    theirs.close()
    ours.settimeout(60)
    r = Raw(ours)
    tap.starts(r.greeting, b"visit OK", "it begins")
    top = "Other Users/%s/" % address("ann")
    for command in (
            'SELECT "%sSecret"' % top, 'SELECT "%sINBOX"' % top,
            "SELECT Secret", "SELECT INBOX", 'SELECT "Other Users/%s/INBOX"' %
            address("bob"), 'SELECT "%s../cat"' % top, 'SELECT "%s"' % top,
            'SELECT "%s/Secret"' % top, 'SELECT "%sopen/Secret"' % top,
            'STATUS "%sSecret" (MESSAGES)' % top, "STATUS Secret (MESSAGES)",
            'GETACL "%sopen"' % top, 'SETACL "%sopen" bob lrswipkxtea' % top,
            'SETACL "%sSecret" bob lr' % top, "SETACL Secret bob lr",
            'DELETEACL "%sopen" anyone' % top,
            'CREATE "%snew"' % top, "CREATE new", 'DELETE "%sopen"' % top,
            'RENAME "%sopen" "%snew"' % (top, top),
            'RENAME "%sSecret" "%sopen/x"' % (top, top),
            'GETMETADATA "" /private/comment', "GETMETADATA INBOX /private/x",
            'SETMETADATA "%sopen" (/private/specialuse "\\\\Sent")' % top,
            'SETMETADATA "" (/private/comment "x")',
            "SUBSCRIBE INBOX", "UNSUBSCRIBE INBOX", "NOTIFY SET (SELECTED "
            "(MailboxName))", "GETQUOTA \"User quota\"",
            "GETQUOTAROOT INBOX", "COMPRESS DEFLATE", "NAMESPACE",
            "ESEARCH IN (personal) ALL",
            'ESEARCH IN (mailboxes "%sSecret") ALL' % top,
            "CHOOSE 1", "UID CHOOSE 1:*", "SUBSCRIBED INBOX", 'SUBSCRIBED "Other Users/x/y"',
            'APPEND "%sopen" {3+}\r\na\r\n' % top,
            'APPEND "%sSecret" {3+}\r\na\r\n' % top,
            "APPEND INBOX {3+}\r\na\r\n"):
        got = r.ask(command)
        tap.ok(got[1].startswith((b"NO ", b"BAD ")),
               command.splitlines()[0], got)
    tap.equal(r.ask("ENABLE METADATA")[0], [b"* ENABLED"],
              "it does not hear of annotations")
    r.ask("NOTIFY SET STATUS (personal (MessageNew MessageExpunge FlagChange "
          "MailboxName SubscriptionChange MailboxMetadataChange "
          "ServerMetadataChange)) (subtree (Secret) (MessageNew "
          "MessageExpunge)) (SELECTED (MessageNew (BODY[]) MessageExpunge))")
    ann = s.session("ann")
    for command in ("CREATE told", "SUBSCRIBE told", "DELETE told",
                    "UNSUBSCRIBE told", "APPEND Secret {3+}\r\na\r\n",
                    "SELECT Secret", "STORE 2 +FLAGS (\\Deleted)", "EXPUNGE",
                    'SETMETADATA Secret (/shared/comment "x")',
                    'SETMETADATA Secret (/shared/comment NIL)'):
        tap.starts(ann.ask(command)[1], b"OK", "ann: " +
                   command.splitlines()[0])
    ann.close()
    tap.equal(r.ask("NOOP")[0], [], "NOTIFY tells of no other folder")
    tap.equal([line for line in r.ask('LIST "" "*"')[0]],
              [b'* LIST (\\HasNoChildren) "/" "%sopen"' % top.encode()],
              "LIST")
    tap.equal(r.ask('LSUB "" "*"')[0], [], "LSUB")
    got = r.ask('LIST "" "*" RETURN (METADATA (/private/comment) '
                'SPECIAL-USE)')[0]
    tap.ok(not any(b"mine" in line for line in got), "with annotations", got)
    r.ask('SELECT "%sopen"' % top)
    for command in ("STORE 1 +FLAGS (\\Deleted)", "EXPUNGE", "REMOVABLE",
                    "UID EXPUNGE 1:*", 'COPY 1 "%sSecret"' % top,
                    "COPY 1 Secret", 'MOVE 1 "%sopen"' % top,
                    'REPLACE 1 "%sSecret" {3+}\r\na\r\n' % top,
                    'APPEND "%sopen" CATENATE (URL "/Secret/;UID=1")' % top):
        got = r.ask(command)
        tap.ok(got[1].startswith((b"NO ", b"BAD ")), "selected: " +
               command.splitlines()[0], got)
    tap.equal(r.ask("UID CHOOSE 1:*")[0], [b"* CHOSEN 1"], "numbers are of "
              "the folder")
    tap.equal(r.ask("FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[0],
              [b"* 1 FETCH (BODY[HEADER.FIELDS (SUBJECT)] {17}\r\n"
               b"Subject: open\r\n\r\n)"], "it gets what is open to it")
    # noise
    for _ in range(300):
        line = bytes(noise.choice(b"()\"{}\\%*+ ABCDELSTU01\xff&")
                     for _ in range(noise.randrange(60)))
        r.send(b"n " + line + b"\r\n")
    r.sock.close()
    bob.close()


def crowds(s, between):
    """Those who have no seal at all."""
    for data, fds in [
            (b"", []), (b"x", []), (b"\0", []), (bytes(5000), []),
            (noise.randbytes(4000), []), (b"A" * 131072, []),
            (b"visit\0", [0] * 16), (b"visit\0=\0", []),
            (b"visit\0" + b"a=b\0" * 2100, []),
            (b"shares\0user=a\0identifier=b\0", []),
            (b"auth\0mechanism=PLAIN\0", []), (b"lookup\0name=ann\0", [])]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as c:
            c.settimeout(20)
            c.connect(s.path("run/public/accountd"))
            try:
                send(c, data, fds)
                got = c.recv(1000)
            except OSError:
                got = b""
            tap.equal(got, b"", "no answer to %r" % data[:20])
    held = []
    for _ in range(250):
        c = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        c.connect(s.path("run/public/accountd"))
        held.append(c)
    tap.ok(s.session("ann").ask("NOOP")[1].startswith(b"OK"),
           "logins go on while many do nothing there")
    for c in held:
        c.close()


with Sharers("disable_plaintext_auth=no", "mailbox_autocreate=",
           "authcheck_incoming=no") as suite:
    owner = suite.session("ann")
    owner.ask("CREATE Secret")
    owner.ask("CREATE open")
    owner.ask('SETMETADATA open (/private/comment "mine")')
    owner.ask("APPEND Secret {17+}\r\nSubject: hid\r\n\r\n\r\n")
    owner.ask("APPEND open {17+}\r\nSubject: open\r\n\r\n")
    owner.ask("SETACL open %s lr" % address("bob"))
    middle = Between(suite)
    for part in (seals, doors, words, crowds):
        part(suite, middle)
        steady(suite, part.__name__)
    got = owner.ask("GETACL open")[0]
    tap.ok(got[0].endswith(b'"bob@example.test" lr'), "all is as it was", got)
    tap.equal(owner.ask("STATUS Secret (MESSAGES)")[0],
              [b'* STATUS "Secret" (MESSAGES 1)'], "nothing has come or gone")
tap.done()
