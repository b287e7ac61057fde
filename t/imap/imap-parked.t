#!/usr/bin/env python3
"""Sessions without a process: parked in mailbox-feed, and back. First what a
client sees, with the whole suite; then a program in the place of mailbox-feed
that keeps nothing of what it promised, and gets nothing for it."""
import array
import base64
import os
import re
import socket
import subprocess
import sys
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Folder, Tap, packet, parse, wait_for  # noqa: E402
from imapsession import Compressed, Deflated, Raw, Sessions  # noqa: E402
from instance import Instance  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
tap = Tap()
MESSAGE = b"Subject: x\r\n\r\nbody\r\n"


def parks(s):
    return s.read_log().count("session parked")


def all_parked(s):
    """Has each session that began or came back been parked?"""
    log = s.read_log()
    return log.count("session parked") == \
        log.count("imap: session:") + log.count("session resumed")


def park(s, act):
    """Does ACT, after which all sessions are parked."""
    before = parks(s)
    got = act()
    tap.ok(wait_for(lambda: parks(s) > before and all_parked(s)),
           "it is parked")
    return got


def deliver(s, subject):
    with s.smtp() as smtp:
        smtp.sendmail("a@elsewhere.test", [s.address()],
                      "From: <a@elsewhere.test>\r\nSubject: %s\r\n\r\n"
                      "body\r\n" % subject)


def log_in(s, port="IMAP_PORT", user=None):
    sock = s.raw(getattr(s, port))
    r = Raw(sock)
    park(s, lambda: tap.starts(
        r.ask("LOGIN %s %s" % (user or s.USER1, s.PASS1))[1], b"OK",
        "a login"))
    return r


def idle(s, r, tag="i"):
    r.send("%s IDLE\r\n" % tag)
    tap.equal(r.line(), b"+ idling\r\n", "IDLE")


def whole_suite():
    with Instance("imap_hibernate_timeout=1s", "debug_log=yes",
                  "disable_plaintext_auth=no") as s:
        r = log_in(s)
        park(s, lambda: tap.starts(r.ask("SELECT INBOX")[1], b"OK",
                                   "a command wakes it"))
        park(s, lambda: idle(s, r))
        deliver(s, "one")
        tap.equal(r.line(), b"* 1 EXISTS\r\n", "a new message wakes it")
        tap.equal(r.line(), b"* 1 RECENT\r\n", "and is told")
        tap.ok(s.wait_log("session parked", times=parks(s) + 1),
               "it is parked again, still in IDLE")
        r.send("DONE\r\n")
        tap.equal(r.line(), b"i OK Idle completed.\r\n",
                  "the end of IDLE, with its tag")
        tap.equal(r.ask("FETCH 1 (UID FLAGS)")[0],
                  [b"* 1 FETCH (UID 1 FLAGS (\\Recent))"],
                  "what was recent is still")

        park(s, lambda: idle(s, r))
        subprocess.run(["kill", "-9", str(s.pid_of("accountd"))], check=True)
        deliver(s, "two")
        tap.equal(r.line(), b"* 2 EXISTS\r\n",
                  "accountd was killed meanwhile: the next one knows the "
                  "session")
        r.line()
        r.send("DONE\r\n")
        r.line()

        park(s, lambda: idle(s, r))
        done = s.posthorn("reload")
        tap.equal(done.returncode, 0, "a reload")
        deliver(s, "three")
        tap.equal(r.line(), b"* 3 EXISTS\r\n", "loses no parked session")
        r.line()
        r.send("DONE\r\n")
        r.line()

        crowd = [log_in(s) for _ in range(3)]
        for x in crowd:
            x.ask("SELECT INBOX")
            idle(s, x)
        deliver(s, "four")
        tap.equal([x.line() for x in crowd], [b"* 4 EXISTS\r\n"] * 3,
                  "all sessions of a folder hear of it")
        for x in crowd:
            x.line()
            x.close()

        s.stop()
        tap.equal(r.line(), b"* BYE Server is shutting down\r\n",
                  "one that is parked is told of the server's end")
        tap.equal(r.line(), b"", "which is the connection's")
        wrong = re.findall(r".*(?:cannot go on|is refused|not come back).*",
                           s.read_log())
        tap.equal(wrong, [], "no session was lost")


def change_users(s, lines):
    """In one step, as posthorn-users(5) asks for."""
    path = s.path("users")
    with open(path + ".new", "w") as f:
        f.write("".join(x + "\n" for x in lines))
    os.chmod(path + ".new", 0o600)
    os.chown(path + ".new", os.stat(path).st_uid, -1)
    os.rename(path + ".new", path)


def account_changes(s):
    """What was true at the login is not any more when a session comes back."""
    with open(s.path("users")) as f:
        lines = f.read().splitlines()
    alice = lines[0].split(":")

    def line(name, changed={}):
        fields = ["%s@%s" % (name, s.DOMAIN)] + alice[1:] + [""]
        fields[5] = s.path("mail/" + name)
        for at, value in changed.items():
            fields[at] = value
        return ":".join(fields)

    other = lines[1].split(":")[1]  # bob's hash
    changes = {  # of a line; None: it goes
        "password": ({1: other}, "the password was changed"),
        "compressed": ({1: other}, "the password was changed"),
        "moved": ({5: s.path("mail/moved-new")}, "mail is elsewhere now"),
        "gone": (None, "the user is gone"),
        "quota": ({7: "userdb_quota_rule=*:storage=5M"}, None)}
    change_users(s, lines + [line(name) for name in changes])
    tap.equal(s.posthorn("reload").returncode, 0, "more users")
    sessions = {}
    for name in changes:
        r = log_in(s, user="%s@%s" % (name, s.DOMAIN))
        if name == "compressed":
            tap.starts(r.ask("COMPRESS DEFLATE")[1], b"OK", name)
            r.sock = Deflated(r.sock)
            r.file = r.sock.makefile("rb")
        park(s, lambda: tap.starts(r.ask("SELECT INBOX")[1], b"OK", name))
        sessions[name] = r
    change_users(s, lines + [line(name, changed) for name, (changed, _) in
                             changes.items() if changed is not None])
    for name, (_, why) in changes.items():
        r = sessions[name]
        if why:
            r.send("n NOOP\r\n")
            tap.starts(r.line(), b"* BYE [UNAVAILABLE] The account has",
                       name + ": a parked session ends")
            tap.equal(r.line(), b"", "and the connection")
            tap.ok(s.wait_log("user=%s@%s, client=127.0.0.1: " %
                              (name, s.DOMAIN)) and why in s.read_log(),
                   "the log says why")
        else:
            tap.ok(b"* QUOTA" in b"".join(r.ask('GETQUOTAROOT INBOX')[0]),
                   name + ": counts from now on")
    change_users(s, lines)


def changed():
    with Instance("imap_hibernate_timeout=1s", "debug_log=yes",
                  "disable_plaintext_auth=no") as s:
        account_changes(s)


def limits():
    with Instance("imap_hibernate_at_once=yes", "debug_log=yes",
                  "disable_plaintext_auth=no",
                  "smtpd_client_connection_count_limit=3") as s:
        held = [log_in(s) for _ in range(3)]
        r = Raw(s.raw(s.IMAP_PORT))
        tap.starts(r.ask("LOGIN %s %s" % (s.USER1, s.PASS1))[1], b"NO",
                   "parked sessions count: no user has more than the limit")
        held.pop().close()
        tap.ok(wait_for(lambda: r.ask("LOGIN %s %s" % (
            s.USER1, s.PASS1))[1].startswith(b"OK"), 20),
            "until one ends")


def short_of_processes():
    with Instance("imap_hibernate_at_once=yes", "debug_log=yes",
                  "disable_plaintext_auth=no", "imap_process_limit=2") as s:
        crowd = []
        for _ in range(8):
            crowd.append(log_in(s))
            park(s, lambda: (crowd[-1].ask("SELECT INBOX"),
                             idle(s, crowd[-1])))
        deliver(s, "one")
        tap.equal([x.line() for x in crowd], [b"* 1 EXISTS\r\n"] * 8,
                  "8 sessions come back through 2 processes")


def append(r, folder):
    r.send("x APPEND %s {%d+}\r\n" % (folder, len(MESSAGE)))
    r.send(MESSAGE + b"\r\n")
    r.until("x")


def renamed():
    with Sessions(park=True) as s:
        r, o = s.raw(), s.raw()
        r.ask("CREATE one")
        append(r, "one")
        r.ask("SELECT one")
        o.ask("RENAME one two")
        tap.starts(r.ask("FETCH 1:* FLAGS")[1], b"OK",
                   "a folder that is renamed meanwhile stays selected")
        append(o, "two")
        tap.ok(b"* 2 EXISTS" in r.ask("NOOP")[0], "and goes on")
        o.ask("DELETE two")
        tap.starts(r.ask("SELECT INBOX")[1], b"OK",
                   "one that is removed can be left")
        o.ask("CREATE three")
        append(o, "three")
        r.ask("SELECT three")
        o.ask("DELETE three")
        o.ask("CREATE three")
        tap.starts(r.ask("FETCH 1:* FLAGS")[1], b"NO [UNAVAILABLE]",
                   "one that is another now cannot be used")
        tap.starts(r.line(), b"* BYE [UNAVAILABLE] The mailbox was",
                   "and the session ends")
        tap.ok(s.accountd.resumed > 5 and s.accountd.refused == 0,
               "all of this parked")


def numbers():
    with Sessions(park=True) as s:
        r, o = s.raw(), s.raw()
        for i in range(5):
            s.put(MESSAGE)
        r.ask("SELECT INBOX")
        o.ask("SELECT INBOX")
        o.ask("UID STORE 2 +FLAGS (\\Deleted)")
        o.ask("EXPUNGE")
        tap.equal(r.ask("FETCH 5 UID")[0][:1], [b"* 5 FETCH (UID 5)"],
                  "numbers hold until an EXPUNGE may be told")
        tap.ok(b"EXPUNGEISSUED" in r.ask("FETCH 2 BODY[]")[1],
               "and what is gone is gone")
        got = r.ask("NOOP")[0]
        tap.ok(b"* 2 EXPUNGE" in got, "then it is told", got)
        tap.equal(r.ask("FETCH 4 UID")[0][:1], [b"* 4 FETCH (UID 5)"],
                  "and the others move up")
        r.ask("SEARCH RETURN (SAVE) UID 3:4")
        tap.equal(r.ask("UID SEARCH $")[0], [b"* SEARCH 3 4"],
                  "$ is what it was")


def compressed():
    with Sessions(park=True) as s:
        r, o = Compressed(s), s.raw()
        r.ask("SELECT INBOX")
        before = s.accountd.resumed
        for i in range(5):
            tap.starts(r.ask("NOOP")[1], b"OK", "under COMPRESS")
        r.send("i IDLE\r\n")
        r.line()
        append(o, "INBOX")
        tap.equal((r.line(), r.line()), (b"* 1 EXISTS\r\n",
                                         b"* 1 RECENT\r\n"), "and in IDLE")
        append(o, "INBOX")
        tap.equal((r.line(), r.line()), (b"* 2 EXISTS\r\n",
                                         b"* 2 RECENT\r\n"), "and again")
        r.send("DONE\r\n")
        tap.starts(r.line(), b"i OK", "DONE")
        tap.starts(r.ask("FETCH 1 BODY.PEEK[]")[1], b"OK", "FETCH")
        tap.ok(s.accountd.resumed > before, "it was parked, too",
               "%d %d" % (before, s.accountd.resumed))
        # what ends in the middle of a byte stays where it is
        r.sock.sock.sendall(r.sock.out.compress(b"p NOOP\r\n") +
                            r.sock.out.flush(zlib.Z_PARTIAL_FLUSH))
        tap.starts(r.until("p")[-1], b"p OK", "a part of a byte")
        tap.starts(r.ask("NOOP")[1], b"OK", "and the rest of it")
        r.ask("SELECT INBOX")
        park(s.folder, lambda: r.ask("NOOP"))
        s.feed.stop()
        tap.equal(r.line(), b"* BYE Server is shutting down\r\n",
                  "the last word is compressed, too")


# mailbox-feed alone, with a test in the place of the session and of accountd.

def text(words):
    return base64.b64encode(words).decode()


def leave(feed, fd, *words, end=True, **change):
    """Parks FD; the answer, "" if there is none."""
    attrs = dict(facts="Zm9v", state="c3RhdGU=", seal="c2VhbA==",
                 wait="1000", say=text(b"* OK Here\r\n"),
                 stop=text(b"* BYE Stop\r\n"),
                 refused=text(b"* BYE Refused\r\n"))
    attrs.update(change)
    attrs = {n: v for n, v in attrs.items() if v is not None}
    with feed.connect() as c:
        for w in words or (packet("session", ("user", "joe")),):
            c.send(w)
            if not c.recv(1000):
                return ""
        send(c, packet("park", *attrs.items()), fd)
        try:
            got = c.recv(1000)
        except ConnectionError:
            got = b""
        if got and not end:
            c.send(packet("back"))
            c.send(packet("watch"))
        return parse(got)[0] if got else ""


def feed_alone():
    f = Folder()
    accountd = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    accountd.bind(os.path.join(f.private, "accountd"))
    accountd.listen(16)
    accountd.settimeout(60)
    feed = f.start("mailbox-feed", "feed", chroot=False, also=("feed-all",))
    ours, theirs = socket.socketpair()
    ours.settimeout(60)
    for what, change in (
            ("no seal", dict(seal=None)), ("no text", dict(say=None)),
            ("an empty text", dict(stop="")), ("no time", dict(wait=None)),
            ("a negative time", dict(wait="-5")),
            ("a long text", dict(say=text(b"x" * 300))),
            ("a large state", dict(state="A" * 110000))):
        tap.equal(leave(feed, theirs.fileno(), **change), "",
                  "refused: " + what)
    tap.equal(leave(feed, None), "", "refused: no connection")
    tap.equal(leave(feed, theirs.fileno(), packet("session", ("user", "a")),
                    packet("session", ("user", "b"))), "",
              "refused: a second user")
    tap.equal(leave(feed, theirs.fileno(), end=False), "parked", "parked")
    ours.send(b"x")
    tap.equal(leave(feed, theirs.fileno()), "parked",
              "taken back, and parked again")
    for answer, then in (("later", "another offer"), ("ok", "the end")):
        c, _ = accountd.accept()
        data, fds, _, _ = socket.recv_fds(c, 131072, 4)
        tap.equal((parse(data), len(fds)),
                  (("resume", [("facts", "Zm9v"), ("state", "c3RhdGU="),
                               ("seal", "c2VhbA==")]), 1),
                  "a byte: accountd gets all")
        c.send(packet(answer))
        c.close()
        os.close(fds[0])
    theirs.recv(1)
    tap.equal(leave(feed, theirs.fileno()), "parked", "silence")
    tap.equal([ours.recv(11), ours.recv(11)], [b"* OK Here\r\n"] * 2,
              "is broken now and then")
    ours.send(b"x")
    c, _ = accountd.accept()
    c.recv(131072)
    c.close()
    tap.equal(ours.recv(10), b"", "no answer of accountd's: the connection "
              "ends")
    ours, theirs = socket.socketpair()
    ours.settimeout(60)
    leave(feed, theirs.fileno())
    ours.send(b"x")
    c, _ = accountd.accept()
    c.recv(131072)
    c.send(packet("refused"))
    tap.equal([ours.recv(15), ours.recv(15)], [b"* BYE Refused\r\n", b""],
              "accountd refuses: the client is told")
    c.close()
    ours, theirs = socket.socketpair()
    ours.settimeout(60)
    leave(feed, theirs.fileno(), last="yes", say=text(b"* BYE\r\n"))
    theirs.close()
    tap.equal([ours.recv(7), ours.recv(7)], [b"* BYE\r\n", b""],
              "a last word")
    ours, theirs = socket.socketpair()
    ours.settimeout(60)
    leave(feed, theirs.fileno(), wait="60000")
    theirs.close()
    feed.stop()
    tap.equal([ours.recv(12), ours.recv(7)], [b"* BYE Stop\r\n", b""],
              "and the one when the suite stops")
    accountd.close()
    f.end()


# A program in the place of mailbox-feed.

def send(c, data, fd=None):
    fds = [] if fd is None else [
        (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
    c.sendmsg([data], fds)


class Forger:
    """The neighbours of a real accountd and a real imap-session."""

    def __init__(self):
        self.folder = Folder(["imap_hibernate_at_once = yes"])
        f = self.folder
        uid = 65534 if os.getuid() == 0 else os.getuid()
        mail = f.path("mail")
        os.makedirs(mail)
        os.chown(mail, uid, -1)
        crypt = subprocess.run(["openssl", "passwd", "-6", "secret"],
                               capture_output=True, text=True).stdout.strip()
        f.write("users", "".join(
            "%s@v.test:{CRYPT}%s:%d:%d::%s/%s:\n" % (
                name, crypt, uid, uid, mail, name)
            for name in ("ann", "bob")))
        f.configure(["virtual_mailbox_domains = v.test",
                     "mail_user = %d" % uid,
                     "virtual_users_file = " + f.path("users"),
                     "local_users = no", "imap_hibernate_at_once = yes"])
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(os.path.join(f.private, "feed"))
        self.listener.listen(16)
        self.listener.settimeout(60)
        self.accountd = f.start("accountd", chroot=False)
        self.sessions = f.start("imapd", "imap-session", chroot=False)

    def log_in(self, user):
        """(the client's side, the packet `park`, the descriptor with it)."""
        ours, theirs = socket.socketpair()
        ours.settimeout(60)
        with self.accountd.connect() as c, theirs:
            send(c, packet("auth", ("mechanism", "PLAIN"), ("response",
                 base64.b64encode(b"\0%s@v.test\0secret" % user).decode()),
                 ("service", "imap"), ("client", "192.0.2.1"),
                 ("session", "imap"), ("tag", "a")), theirs.fileno())
            feed, _ = self.listener.accept()
            feed.settimeout(60)
            tap.equal(parse(feed.recv(131072)),
                      ("session", [("user", user.decode() + "@v.test"),
                                    ("client", "192.0.2.1")]),
                      "a session says whose it is")
            feed.send(packet("session", ("parked", "0"), ("here", "0")))
            tap.equal(parse(c.recv(131072))[0], "ok", "a login")
        r = Raw(ours)
        data, fds, _, _ = socket.recv_fds(feed, 131072, 4)
        verb, attrs = parse(data)
        tap.equal((verb, len(fds)), ("park", 1), "a session that parks")
        feed.send(packet("parked"))
        tap.equal(feed.recv(100), b"", "its process ends")
        feed.close()
        return r, dict(attrs), fds[0]

    def resume(self, attrs, fd):
        """accountd's answer, "" if there is none."""
        given = [(n, attrs[n]) for n in ("facts", "state", "seal")
                 if n in attrs]
        with self.accountd.connect() as c:
            send(c, packet("resume", *given), fd)
            try:
                got = c.recv(131072)
            except ConnectionError:
                return ""
        return parse(got)[0] if got else ""


def alter(text, find, by):
    """The same length, in base64."""
    data = base64.b64decode(text)
    assert find in data and len(find) == len(by)
    return base64.b64encode(data.replace(find, by)).decode()


def forged():
    f = Forger()
    ann, park_a, fd_a = f.log_in(b"ann")
    bob, park_b, fd_b = f.log_in(b"bob")
    own, other = socket.socketpair()
    key = base64.b64encode(b"\0" * 32).decode()
    for name, attrs, fd in (
            ("another user's name", dict(park_a, facts=alter(
                park_a["facts"], b"user=ann", b"user=bob")), fd_a),
            ("another user's mail", dict(park_a, facts=alter(
                park_a["facts"], b"mail/ann", b"mail/bob")), fd_a),
            ("another user's ticket", dict(park_a, facts=park_b["facts"]),
             fd_a),
            ("another user's session", park_b, fd_a),
            ("a connection of its own", park_a, own.fileno()),
            ("another state", dict(park_a, state=base64.b64encode(
                b"imap\0enabled=15\0").decode()), fd_a),
            ("another seal", dict(park_a, seal=park_b["seal"]), fd_a),
            ("a seal of zeros", dict(park_a, seal=key), fd_a),
            ("no seal", {n: park_a[n] for n in ("facts", "state")}, fd_a),
            ("half a seal", dict(park_a, seal=park_a["seal"][:20]), fd_a),
            ("no facts", {n: park_a[n] for n in ("seal", "state")}, fd_a),
            ("no connection", park_a, None)):
        tap.equal(f.resume(attrs, fd), "", "refused: " + name)
    log = f.folder.read_log()
    tap.ok("resumed" not in log, "nothing was opened")
    tap.ok(log.count("its seal is wrong") >= 7, "and it is in the log", log)
    # without an answer from here it stays in its process
    tap.equal(f.resume(park_a, fd_a), "ok", "what is a session's own goes on")
    tap.starts(ann.ask("NOOP")[1], b"OK", "on its connection")
    f.accountd.stop()
    os.unlink(os.path.join(f.folder.data, "accountd", "key"))
    f.accountd = f.folder.start("accountd", chroot=False)
    tap.equal(f.resume(park_b, fd_b), "",
              "with another first key all seals are wrong")
    f.listener.close()
    f.folder.end()


def others():
    """Other tests, while all sessions park whenever they wait; any test of
    IMAP can be run so."""
    for name in ("imap-session", "imap-rfc3501", "imap-condstore",
                 "imap-rev2", "imap-compress"):
        done = subprocess.run(
            [sys.executable, os.path.join(HERE, name + ".t")],
            env=dict(os.environ, POSTHORN_PARK="yes"), timeout=600,
            capture_output=True, text=True)
        tap.ok(done.returncode == 0, name + " passes with parked sessions",
               done.stderr[-3000:])


whole_suite()
changed()
limits()
short_of_processes()
renamed()
numbers()
compressed()
feed_alone()
forged()
others()
tap.done()
