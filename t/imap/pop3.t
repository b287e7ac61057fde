#!/usr/bin/env python3
"""POP3 in a whole suite: Python's poplib, fetchmail, getmail and curl, and the
dialogue by hand."""
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
import poplib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from alone import Tap, wait_for
from instance import Instance

tap = Tap()
ok, equal = tap.ok, tap.equal
poplib._MAXLINE = 100000


def message(number, body):
    return (f"From: a@remote.test\r\nTo: alice@example.test\r\n"
            f"Subject: message {number}\r\nMessage-ID: <{number}@remote.test>\r\n\r\n"
            ).encode() + body


BODIES = [
    b"one line\r\n",
    b".\r\n..\r\n.a dot\r\n\r\n.\r\n",
    b"",
    b"no empty line at the end\r\nx\r\n" * 3,
    b"x" * 900 + b"\r\n" + b"y" * 70 + b"\r\n\r\n\r\nz\r\n",
    b"".join(b"%06d %s\r\n" % (i, b"." * (i % 70)) for i in range(30000)),
    "gr\xfc\xdfe\r\n".encode("latin-1"),
]


def deliver(s, bodies, start=0):
    with s.smtp() as c:
        for i, body in enumerate(bodies):
            c.sendmail("a@remote.test", [s.address()], message(start + i, body))
    return wait_for(lambda: count(s) >= start + len(bodies), 30)


def maildir(s):
    return os.path.join(s.MAILROOT, s.USER1, "Maildir")


def count(s):
    return sum(len(os.listdir(os.path.join(maildir(s), d))) for d in ("new", "cur")
               if os.path.isdir(os.path.join(maildir(s), d)))


class Line:
    """The dialogue by hand."""

    def __init__(self, s, port, tls=True):
        self.sock = socket.create_connection((s.HOST, port), 15)
        if tls:
            self.sock = s.context().wrap_socket(self.sock, server_hostname="localhost")
        self.f = self.sock.makefile("rb")
        self.greeting = self.line()

    def line(self):
        return self.f.readline().decode().rstrip("\r\n")

    def ask(self, text):
        self.sock.sendall(text.encode() + b"\r\n")
        return self.line()

    def login(self, s):
        self.ask("USER " + s.USER1)
        return self.ask("PASS " + s.PASS1)

    def many(self):
        lines = []
        while (line := self.line()) not in (".", ""):
            lines.append(line)
        return lines

    def starttls(self, s):
        reply = self.ask("STLS")
        self.sock = s.context().wrap_socket(self.sock, server_hostname="localhost")
        self.f = self.sock.makefile("rb")
        return reply


def test_poplib(s):
    p = s.pop3()
    n, size = p.stat()
    equal(n, len(BODIES), "STAT counts the messages")
    sizes = {int(a): int(b) for a, b in (l.split() for l in p.list()[1])}
    equal(sum(sizes.values()), size, "LIST adds up to STAT")
    ids = [l.split()[1] for l in p.uidl()[1]]
    ok(len(set(ids)) == n and all(re.fullmatch(rb"[\x21-\x7e]{1,70}", i) for i in ids),
       "UIDL: different, and of the right form")
    whole = exact = tops = True
    for i in range(1, n + 1):
        _, lines, octets = p.retr(i)
        text = b"".join(l + b"\r\n" for l in lines)
        number = int(re.search(rb"Subject: message (\d+)", text)[1])
        whole &= text.split(b"\r\n\r\n", 1)[1] == BODIES[number]
        exact &= len(text) == sizes[i]
        header = text.split(b"\r\n\r\n", 1)[0] + b"\r\n\r\n"
        body = BODIES[number].splitlines(True)
        for k in (0, 1, 2, 5, 40000):
            top = b"".join(l + b"\r\n" for l in p.top(i, k)[1])
            tops &= top == header + b"".join(body[:k])
    ok(whole, "RETR gives each body byte for byte")
    ok(exact, "… of exactly the octets that LIST said")
    ok(tops, "TOP gives the header and so many lines")
    p.dele(1)
    p.dele(3)
    equal(p.stat()[0], n - 2, "deleted messages are not counted")
    ok(all(l.split()[0] not in (b"1", b"3") for l in p.list()[1]), "nor listed")
    for call in (lambda: p.retr(1), lambda: p.dele(3), lambda: p.list(1), lambda: p.uidl(1),
                 lambda: p.top(1, 1), lambda: p.retr(99), lambda: p.retr(0)):
        try:
            call()
            ok(False, "a deleted or unknown message is refused")
        except poplib.error_proto as e:
            ok(str(e).startswith("b'-ERR"), f"refused: {e}")
    p.rset()
    equal(p.stat(), (n, size), "RSET takes the deletions back")
    p.dele(2)
    p.close()
    p = s.pop3()
    equal(p.stat()[0], n, "without QUIT nothing is deleted")
    equal([l.split()[1] for l in p.uidl()[1]], ids, "UIDL stays the same")
    p.dele(2)
    p.dele(7)
    p.quit()
    equal(count(s), n - 2, "QUIT deletes the files")
    p = s.pop3()
    left = [i for k, i in enumerate(ids) if k not in (1, 6)]
    equal([l.split()[1] for l in p.uidl()[1]], left, "… of just these messages")
    p.retr(1)
    p.quit()
    m = s.imap()
    m.select("INBOX")
    seen = m.search(None, "SEEN")[1][0].split()
    ok(seen, "what was retrieved is marked as seen")
    m.logout()


def languages(c):
    ok(c.ask("LANG").startswith("+OK") and c.many() == ["en English"], "LANG lists English")
    ok(c.ask("LANG *").startswith("+OK en ") and c.ask("LANG EN").startswith("+OK en "),
       "and accepts it")
    ok(c.ask("LANG de").startswith("-ERR") and c.ask("LANG en-GB").startswith("-ERR"),
       "and no other")


def test_dialogue(s):
    c = Line(s, s.POP3_PORT, tls=False)
    ok(c.greeting.startswith("+OK "), "the greeting")
    c.ask("CAPA")
    capa = c.many()
    ok("STLS" in capa and "USER" not in capa and not any(x.startswith("SASL") for x in capa),
       f"without TLS no passwords are on offer: {capa}")
    ok(c.ask("USER alice").startswith("-ERR"), "… nor taken")
    ok(c.ask("AUTH PLAIN AGEAYg==").startswith("-ERR"), "… by AUTH neither")
    ok(c.starttls(s).startswith("+OK"), "STLS")
    c.ask("CAPA")
    capa = c.many()
    ok("STLS" not in capa and "USER" in capa and "SASL PLAIN LOGIN" in capa, "CAPA under TLS")
    ok("LANG" in capa and "UTF8" not in capa, "LANG, and no UTF8")
    languages(c)
    ok(c.ask("UTF8").startswith("-ERR"), "UTF8 is refused")
    ok(c.ask("STLS").startswith("-ERR"), "STLS once")
    ok(c.ask("PASS x").startswith("-ERR"), "PASS wants USER first")
    ok(c.ask("STAT").startswith("-ERR"), "STAT wants a login")
    ok(c.ask("USER " + s.USER1).startswith("+OK"), "USER")
    reply = c.ask("PASS wrong")
    ok(reply.startswith("-ERR [AUTH]"), f"a wrong password: {reply}")
    ok(c.login(s).startswith("+OK"), "and the right one on the same connection")
    ok(c.ask("NOOP") == "+OK", "NOOP")
    languages(c)
    for bad in ("LIST x", "LIST 1 2", "TOP 1", "TOP 1 -1", "RETR", "UIDL 1 1", "STAT 1", "FROB",
                "RETR 99999999999999999999", "DELE +1", "", " "):
        ok(c.ask(bad).startswith("-ERR"), f"refused: {bad!r}")
    ok(c.ask("list 1").startswith("+OK 1 "), "commands in any case")
    ok(c.ask("QUIT").startswith("+OK") and c.line() == "", "QUIT")

    # injected before TLS
    c = Line(s, s.POP3_PORT, tls=False)
    c.sock.sendall(b"STLS\r\nUSER alice\r\nPASS x\r\n")
    ok(c.line().startswith("+OK"), "commands injected behind STLS …")
    try:
        t = s.context().wrap_socket(c.sock, server_hostname="localhost")
        t.sendall(b"NOOP\r\n")
        reply = t.recv(100)
        ok(reply.startswith(b"-ERR unknown"), "… have no effect")
    except OSError as e:
        ok(True, f"… break the handshake: {e}")

    import base64
    plain = base64.b64encode(f"\0{s.USER1}\0{s.PASS1}".encode()).decode()
    c = Line(s, s.POP3S_PORT)
    ok(c.ask("AUTH PLAIN " + plain).startswith("+OK"), "AUTH PLAIN with an initial response")
    c.ask("QUIT")
    c = Line(s, s.POP3S_PORT)
    equal(c.ask("AUTH PLAIN"), "+ ", "AUTH PLAIN asks")
    ok(c.ask(plain).startswith("+OK"), "… and takes the answer")
    c = Line(s, s.POP3S_PORT)
    equal(c.ask("AUTH LOGIN"), "+ VXNlcm5hbWU6", "AUTH LOGIN asks for the name")
    equal(c.ask(base64.b64encode(s.USER1.encode()).decode()), "+ UGFzc3dvcmQ6", "… the password")
    ok(c.ask(base64.b64encode(s.PASS1.encode()).decode()).startswith("+OK"), "… and is content")
    c = Line(s, s.POP3S_PORT)
    c.ask("AUTH PLAIN")
    ok(c.ask("*").startswith("-ERR"), "a cancelled AUTH")
    ok(c.ask("AUTH CRAM-MD5").startswith("-ERR"), "an unknown mechanism")
    ok(c.ask("AUTH") == "+OK" and c.many() == ["PLAIN", "LOGIN"], "AUTH alone lists them")

    # pipelining, across the hand-over
    c = Line(s, s.POP3S_PORT)
    c.sock.sendall(f"USER {s.USER1}\r\nPASS {s.PASS1}\r\nSTAT\r\nUIDL 1\r\nLIST\r\nQUIT\r\n".encode())
    replies = [c.line() for _ in range(4)]
    ok(all(r.startswith("+OK") for r in replies) and replies[2].startswith("+OK 5 "),
       f"a whole session in one packet: {replies}")
    equal(len(c.many() or []), 6, "… LIST in it")
    ok(c.line().startswith("+OK") and c.line() == "", "… to its QUIT")
    c = Line(s, s.POP3S_PORT)
    c.sock.sendall(f"AUTH PLAIN\r\n{plain}\r\nSTAT\r\nQUIT\r\n".encode())
    replies = [c.line() for _ in range(4)]
    ok(replies[0] == "+ " and all(r.startswith("+OK") for r in replies[1:]), f"also by AUTH: {replies}")

    # rubbish
    c = Line(s, s.POP3S_PORT)
    ok(c.ask("USER " + "x" * 3000).startswith("-ERR"), "a long line is refused")
    c.sock.sendall(b"USER a\0b\r\n")
    ok(c.line().startswith("-ERR"), "a NUL is refused")
    c.sock.sendall(b"\x80\xff\x01\r\n")
    ok(c.line().startswith("-ERR"), "bytes that mean nothing are refused")
    c.sock.sendall(b"z" * 200000)
    ok(c.line().startswith("-ERR") and c.line() == "", "a line without end ends the connection")
    for before in ([], ["STLS"], ["AUTH LOGIN"]):
        c = Line(s, s.POP3S_PORT if "AUTH LOGIN" in before else s.POP3_PORT, "AUTH LOGIN" in before)
        if before == ["STLS"]:
            c.starttls(s)
        elif before:
            c.ask(before[0])
        c.sock.sendall(b"z" * 200000)
        equal([c.line(), c.line()], ["-ERR line too long", ""], f"it learns why, after {before}")
    c = Line(s, s.POP3S_PORT)
    for _ in range(10):
        c.ask("FROB")
    ok(c.line() == "", "who says nothing but rubbish is sent away")


def test_others(s):
    box = os.path.join(s.dir, "fetched")
    rc = os.path.join(s.dir, "fetchmailrc")
    with open(rc, "w") as f:
        f.write(f"poll localhost protocol pop3 port {s.POP3S_PORT} uidl timeout 20\n"
                f"  user {s.USER1} password {s.PASS1} ssl sslcertfile {s.CA_FILE} sslcertck\n"
                f"  keep mda \"cat >> {box}\"\n")
    os.chmod(rc, 0o600)
    run = lambda *a, **k: subprocess.run(a, capture_output=True, text=True, timeout=60, **k)
    home = dict(os.environ, HOME=s.dir, FETCHMAILHOME=s.dir)
    if shutil.which("fetchmail"):
        r = run("fetchmail", "-f", rc, "--nosyslog", "-v", env=home)
        with open(box, errors="replace") as f:
            got = f.read().count("\nSubject: message ")
        ok(r.returncode == 0 and got == 5, f"fetchmail fetches 5 messages: {got}")
        r = run("fetchmail", "-f", rc, "--nosyslog", env=home)
        equal(r.returncode, 1, "… and none the second time")
        with open(rc, "w") as f:
            f.write(f"poll localhost protocol pop3 port {s.POP3_PORT} timeout 20\n"
                    f"  user {s.USER1} password {s.PASS1} sslproto TLS1.2+ sslcertfile {s.CA_FILE} sslcertck\n"
                    f"  fetchall keep mda \"cat >> {box}.2\"\n")
        r = run("fetchmail", "-f", rc, "--nosyslog", env=home)
        equal(r.returncode, 0, "fetchmail with STLS")
    if shutil.which("getmail"):
        with open(s.dir + "/getmailrc", "w") as f:
            f.write(f"[retriever]\ntype = SimplePOP3SSLRetriever\nserver = localhost\n"
                    f"port = {s.POP3S_PORT}\nusername = {s.USER1}\npassword = {s.PASS1}\n"
                    f"ca_certs = {s.CA_FILE}\n[destination]\ntype = MDA_external\n"
                    "path = /bin/cat\nallow_root_commands = true\n[options]\nverbose = 2\n")
        r = run("getmail", "-g", s.dir, "-r", s.dir + "/getmailrc", env=home)
        ok(r.returncode == 0 and "5 messages" in r.stdout, "getmail fetches 5 messages")
    if shutil.which("curl"):
        r = run("curl", "-sS", "--cacert", s.CA_FILE, "--user", f"{s.USER1}:{s.PASS1}",
                f"pop3s://localhost:{s.POP3S_PORT}/1")
        ok(r.returncode == 0 and "Subject: message" in r.stdout, "curl retrieves a message")
        r = run("curl", "-sS", "--ssl-reqd", "--cacert", s.CA_FILE, "--user", f"{s.USER1}:{s.PASS1}",
                f"pop3://localhost:{s.POP3_PORT}/")
        ok(r.returncode == 0 and len(r.stdout.splitlines()) == 5, "curl lists by STLS")


def test_concurrent(s):
    a, b = s.pop3(), s.pop3()
    n = a.stat()[0]
    a.dele(1)
    a.quit()
    equal(b.stat()[0], n, "another session keeps its numbers")
    b.retr(2)
    try:
        b.retr(1)
        ok(True, "what another session deleted may still be there")
    except poplib.error_proto as e:
        ok("deleted" in str(e), f"what another session deleted is told: {e}")
    b.dele(1)
    b.dele(2)
    b.quit()
    equal(count(s), n - 2, "deleting a message that is gone is no error")
    deliver(s, [b"new\r\n"], start=n - 2)
    c = s.pop3()
    equal(c.stat()[0], n - 1, "new mail is in the next session")
    c.quit()
    sessions = [s.pop3() for _ in range(20)]
    ok(all(p.stat()[0] == n - 1 for p in sessions), "20 sessions at once")
    for p in sessions:
        p.quit()


def test_users(s):
    p = s.pop3(s.USER2, s.PASS2)
    equal(p.stat(), (0, 0), "another user's mailbox is empty")
    ok(p.list()[1] == [] and p.uidl()[1] == [], "… and lists nothing")
    p.quit()
    begun = time.monotonic()
    try:
        s.pop3(s.USER2, s.PASS1)
        ok(False, "a password opens one mailbox only")
    except poplib.error_proto as e:
        ok("[AUTH]" in str(e), f"a password opens one mailbox only: {e}")
    ok(s.PASS1 not in s.read_log() and s.PASS2 not in s.read_log(), "no password is in the log")


def test_unreadable(s):
    """One message that cannot be read; a file that others cut."""
    s.pop3(s.USER2, s.PASS2).quit()
    folder = os.path.join(s.MAILROOT, s.USER2, "Maildir")
    owner = os.stat(folder)
    paths = [os.path.join(folder, "cur", f"16000000{i:02}.M1P1.host:2,") for i in range(4)]
    for i, path in enumerate(paths):
        with open(path, "wb") as f:
            f.write(b"Subject: %d\r\n\r\n" % i + b"y" * 30000)
        os.chown(path, owner.st_uid, owner.st_gid)
        os.chmod(path, 0 if i == 1 else 0o600)
    p = s.pop3(s.USER2, s.PASS2)
    listed = [int(l.split()[0]) for l in p.list()[1]]
    equal(len(listed), 3, "one that cannot be read does not shut the mailbox")
    for i in listed:
        ok(p.retr(i)[1], f"RETR {i}")
    try:
        p.retr(10 - sum(listed))
        ok(False, "RETR of what cannot be read")
    except poplib.error_proto as e:
        ok(b"-ERR [SYS/TEMP]" in e.args[0], f"RETR of what cannot be read: {e}")
    for i in listed:
        p.dele(i)
    p.quit()
    equal([os.path.exists(path) for path in paths], [False, True, False, False],
          "QUIT deletes what was to be deleted, and nothing else")
    os.unlink(paths[1])


def test_quit(s):
    """QUIT is answered when all is done: who comes then finds it free."""
    p = s.pop3(s.USER2, s.PASS2)
    p.quit()
    folder = os.path.join(s.MAILROOT, s.USER2, "Maildir")
    owner = os.stat(folder)
    new = os.path.join(folder, "new")
    paths = [os.path.join(new, f"15{i:08}.M1P1.host") for i in range(1500)]
    for path in paths:
        with open(path, "wb") as f:
            f.write(b"Subject: x\r\n\r\n")
        os.chown(path, owner.st_uid, owner.st_gid)
    p = s.pop3(s.USER2, s.PASS2)
    for i in range(len(paths)):
        p.dele(i + 1)
    p.quit()
    equal([f for f in os.listdir(new) if f.startswith("15")], [], "QUIT is answered when all is done")
    p = s.pop3(s.USER2, s.PASS2)
    equal(p.stat()[0], 0, "and the next login works at once")
    p.quit()


def test_foreign(s):
    """Files of other programs: LF line ends, none at the end, no body."""
    p = s.pop3(s.USER2, s.PASS2)
    p.quit()
    folder = os.path.join(s.MAILROOT, s.USER2, "Maildir")
    owner = os.stat(folder)
    texts = [b"Subject: lf\n\n.dot\n..\n.\nno end", b"Subject: mixed\r\n\nlf\ncrlf\r\n",
             b"no header at all", b"", b"Subject: only header\n",
             b"Subject: long\n\n" + b"y" * 70000 + b"\n.\n",
            b"Subject: a\rFrom: b\rc\n\nb\rc\r\r\n.d\n\r.\n",
            b"Subject: CR at the end\n\n\r.\r\n.\r", b"\r", b"\r\r\n"]
    # a line end and a dot where a buffer ends
    texts += [b"a: b\n\n" + b"y" * (65536 - 7 - i) + b"\r\n.\r\n.\n\r." for i in range(8)]
    for i, text in enumerate(texts):
        path = os.path.join(folder, "new", f"17000000{i:02}.M1P1.host")
        with open(path, "wb") as f:
            f.write(text)
        os.chown(path, owner.st_uid, owner.st_gid)
    ids = None
    for again in ("", ", again"):
        p = s.pop3(s.USER2, s.PASS2)
        sizes = [int(l.split()[1]) for l in p.list()[1]]
        wires = [re.sub(rb"\r?\n", b"\r\n", t) for t in texts]
        equal(sizes, [len(w) for w in wires], "LIST counts each line end as two octets" + again)
        lines = [b"".join(l + b"\r\n" for l in p.retr(i + 1)[1]) for i in range(len(texts))]
        equal(lines, [w + (b"\r\n" if w and not w.endswith(b"\n") else b"") for w in wires],
              "RETR gives them with CRLF, the last line whole" + again)
        m = s.imap(s.USER2, s.PASS2)
        m.select("INBOX", readonly=True)
        shown = [m.fetch(str(i + 1), "(RFC822.SIZE BODY.PEEK[])")[1] for i in range(len(texts))]
        m.logout()
        got = [d[0][1] if isinstance(d[0], tuple) else b"" for d in shown]
        equal(got, wires, "IMAP shows the same text" + again)
        equal([int(re.search(rb"RFC822.SIZE (\d+)", d[0][0] if isinstance(d[0], tuple) else d[0])[1])
               for d in shown], sizes, "… of the same size" + again)
        tops = [b"".join(l + b"\r\n" for l in p.top(i + 1, 0)[1]) for i in range(len(texts))]
        equal(tops, [re.sub(rb"(?s)(\r\n\r\n).*", rb"\1", l) for l in lines], "TOP 0" + again)
        was, ids = ids, p.uidl()[1]
        ok(was in (None, ids), "UIDL" + again)
        p.quit()


with Instance() as suite:
    ok(deliver(suite, BODIES), "messages are delivered")
    test_poplib(suite)
    test_dialogue(suite)
    test_others(suite)
    test_concurrent(suite)
    test_users(suite)
    test_foreign(suite)
    p = suite.pop3(suite.USER2, suite.PASS2)
    for line in p.list()[1]:
        p.dele(int(line.split()[0]))
    p.quit()
    test_unreadable(suite)
    test_quit(suite)
    if "-v" in sys.argv:
        print(suite.read_log())
tap.done()
