#!/usr/bin/env python3
"""Users whom another host serves: their IMAP and POP3 sessions are passed on, to
Posthorn and to Dovecot; and what happens if that host is down, says no, cannot
prove who it is, or is this one again."""
import base64
import imaplib
import os
import poplib
import shutil
import smtplib
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from certificate import Authority  # noqa: E402
from instance import Instance, message as mail, wait_for  # noqa: E402
from mailservers import (HASH, PASSWORD, free_ports, wait_port,  # noqa: E402
                         write_dovecot)

tap = Tap()
CLIENT = "127.0.0.5"
DOVECOT = """
ssl = yes
ssl_cert = <{cert}
ssl_key = <{key}
login_trusted_networks = 127.0.0.0/8
passdb {{
  driver = passwd-file
  args = {folder}/masters
  master = yes
  result_success = continue
}}
"""


class Raw:
    def __init__(self, port, source=CLIENT):
        self.s = socket.create_connection(("127.0.0.1", port), timeout=60,
                                          source_address=(source, 0))
        self.f = self.s.makefile("rb")

    def send(self, data):
        self.s.sendall(data)

    def until(self, start):
        """Lines up to one that begins with START."""
        lines = []
        while not lines or not lines[-1].startswith(start):
            lines.append(self.f.readline())
            if not lines[-1]:
                break
        return lines

    def close(self):
        self.f.close()
        self.s.close()


def front(table, *lines, **files):
    return Instance("login_proxy_maps=texthash:$config_directory/proxies",
                    "disable_plaintext_auth=no", *lines, proxies=table,
                    **files)


def login(s, user, password):
    """(what IMAP's LOGIN says, seconds)"""
    r = Raw(s.IMAP_PORT)
    r.until(b"* OK")
    begun = time.monotonic()
    r.send(b"a LOGIN %s %s\r\n" % (user.encode(), password.encode()))
    said = r.until(b"a ")[-1]
    r.close()
    return said.decode().strip(), time.monotonic() - begun


def pop3_login(s, user, password):
    r = Raw(s.POP3_PORT)
    r.until(b"+OK")
    r.send(b"USER %s\r\n" % user.encode())
    r.until(b"+OK")
    r.send(b"PASS %s\r\n" % password.encode())
    said = r.f.readline().decode().strip()
    r.close()
    return said


def pipelined(s, name):
    """All of it is sent before the host has been asked."""
    r = Raw(s.IMAP_PORT)
    before = r.until(b"* OK")[-1]
    body = b"Subject: at once\r\n\r\nhello\r\n"
    r.send(b"a LOGIN %s %s\r\nb SELECT INBOX\r\n"
           b"c APPEND INBOX {%d+}\r\n%s\r\nd FETCH 1 BODY[TEXT]\r\ne LOGOUT\r\n"
           % (s.USER2.encode(), s.PASS2.encode(), len(body), body))
    lines = r.until(b"e ")
    r.close()
    tap.ok([x[:4] for x in lines if x[:2] in (b"a ", b"b ", b"c ", b"d ",
                                              b"e ")] ==
           [b"a OK", b"b OK", b"c OK", b"d OK", b"e OK"] and
           b"hello\r\n" in lines, name, lines)
    after = [x for x in lines if x.startswith(b"a OK")][0]
    tap.ok(b"AUTH=PLAIN" in before and b"AUTH=" not in after and
           b"[CAPABILITY " in after and b" IDLE" in after,
           "the reply says what the host can do", after)
    r = Raw(s.IMAP_PORT)
    r.until(b"* OK")
    r.send(b"a AUTHENTICATE PLAIN\r\n")
    r.until(b"+")
    r.send(base64.b64encode(b"\0%s\0%s" % (s.USER2.encode(),
                                           s.PASS2.encode())) +
           b"\r\nb NOOP\r\n")
    tap.ok(r.until(b"b ")[-1].startswith(b"b OK"),
           "and behind a response of SASL")
    r.close()


def large(s):
    body = b"Subject: large\r\n\r\n" + b"0123456789abcdef" * 4 * 40000
    m = s.imap(s.USER2, s.PASS2)
    m.append("Large", None, None, body) if m.create("Large")[0] == "OK" else 0
    m.select("Large")
    got = m.fetch("1", "(BODY.PEEK[])")[1][0][1]
    tap.ok(got.replace(b"\r\n", b"\n") == body.replace(b"\r\n", b"\n"),
           "2.5 MB there and back")
    m.logout()


def idle(s, back):
    r = Raw(s.IMAP_PORT)
    r.until(b"* OK")
    r.send(b"a LOGIN %s %s\r\nb SELECT INBOX\r\nc IDLE\r\n" %
           (s.USER2.encode(), s.PASS2.encode()))
    r.until(b"+")
    s.posthorn("reload")
    s.wait_log("reload")
    with back.smtp() as c:
        c.sendmail("a@sender.test", [back.address(back.USER2)], mail(
            "a@sender.test", back.address(back.USER2), "while idle"))
    got = r.until(b"* 2 EXISTS")[-1]
    r.send(b"DONE\r\n")
    tap.ok(got.startswith(b"* 2 EXISTS") and
           r.until(b"c ")[-1].startswith(b"c OK"),
           "IDLE, and a reload meanwhile", got)
    tap.equal(login(s, s.USER2, s.PASS2)[0][:4], "a OK",
              "after which logins go on")
    r.send(b"d LOGOUT\r\n")
    r.until(b"d ")
    r.close()


def hosts(s):
    got = s.posthorn("user", "host").stdout
    tap.equal(got, "%s  this host\n%s  mail.example.test, STARTTLS\n" %
              (s.address(), s.address(s.USER2)), "posthorn user host")
    tap.equal(s.posthorn("user", "host", "--json", s.USER2).stdout,
              '[\n{"user": "bob", "host": "mail.example.test, STARTTLS"}\n]\n',
              "for programs")
    tap.equal(s.posthorn("user", "host", "nobody").returncode, 67,
              "of nobody")
    tap.equal(s.posthorn("check").stdout.count("login_proxy_maps"), 0,
              "posthorn check is content")


def to_posthorn():
    with Instance("login_trusted_networks=127.0.0.0/8") as back:
        table = "bob@%s host=mail.%s imap_port=%d pop3_port=%d\n" % (
            back.DOMAIN, back.DOMAIN, back.IMAP_PORT, back.POP3_PORT)
        zone = "mail.%s. IN A 127.0.0.1\n" % back.DOMAIN
        with front(table, "smtp_tls_CAfile=" + back.CA_FILE,
                   zone=zone) as s:
            pipelined(s, "Posthorn: input that came with the login")
            tap.ok(back.wait_log("login: client=%s, service=imap, "
                                 "method=PLAIN, user=%s, tls=yes" %
                                 (CLIENT, back.address("bob"))),
                   "the host hears who the client is, by TLS")
            large(s)
            idle(s, back)
            p = s.pop3(s.USER2, s.PASS2)
            tap.equal(p.stat()[0], 2, "POP3")
            tap.ok(b"while idle" in b"".join(p.retr(2)[1]), "RETR")
            p.quit()
            pop3_login(s, s.USER2, s.PASS2)
            tap.ok(back.wait_log("login: client=%s, service=pop3" % CLIENT),
                   "which says who the client is, too")
            tap.equal(s.imap().select()[1], [b"0"], "others are served here")
            with s.submission(s.USER2, s.PASS2) as c:
                c.sendmail(s.address(s.USER2), [s.address()], mail(
                    s.address(s.USER2), s.address(), "submitted"))
            tap.equal(len(s.wait_messages(1)), 1, "who submits mail here")
            hosts(s)
            tap.ok(s.wait_log("proxied session over: user=%s, service=imap, "
                              "client=%s, host=mail.example.test[127.0.0.1]"
                              ":%d, seconds=" % (s.address("bob"), CLIENT,
                                            back.IMAP_PORT)), "the log")
            stops(s)
            tap.ok(s.PASS2 not in s.read_log() + back.read_log(),
                   "which has no password")


def stops(s):
    r = Raw(s.IMAP_PORT)
    r.until(b"* OK")
    r.send(b"a LOGIN %s %s\r\n" % (s.USER2.encode(), s.PASS2.encode()))
    r.until(b"a ")
    begun = time.monotonic()
    s.stop()
    tap.ok(r.f.readline() == b"" and time.monotonic() - begun < 30,
           "the suite stops without waiting for them")
    r.close()


class Dovecot:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="ph-dove-")
        os.chmod(self.dir, 0o755)
        self.imap, self.imaps, self.pop3 = free_ports(3)
        self.ca = Authority(self)
        cert, key = self.ca.issue("old.example.test")
        os.mkdir(self.path("mail"))
        shutil.chown(self.path("mail"), "mail", "mail")
        self.write("users", "".join("%s:{CRYPT}%s:8:8::%s:\n" % (
            u, HASH, self.path("mail/" + u)) for u in (
                "bob@example.test", "carol@example.test", "dave")))
        self.write("masters", "boss:{CRYPT}%s\n" % HASH)
        write_dovecot(self.path("conf"), DOVECOT, folder=self.dir,
                      run=self.path("run"), imap=self.imap, imaps=self.imaps,
                      pop3=self.pop3, cert=cert, key=key)
        self.process = subprocess.Popen(
            ["dovecot", "-F", "-c", self.path("conf")],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_port(self.imap)
        wait_port(self.pop3)

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)
        os.chmod(self.path(name), 0o644)

    def read_log(self):
        with open(self.path("log"), errors="replace") as f:
            return f.read()

    def end(self):
        self.process.terminate()
        self.process.wait(30)
        shutil.rmtree(self.dir, ignore_errors=True)


# of PASSWORD, too: the user's own line says where
USERS = """alice@example.test:{{CRYPT}}{hash}:::::
bob@example.test:{{CRYPT}}{hash}::::::proxy host=old.example.test hostip=127.0.0.1 imap_port={imap} pop3_port={pop3}
carol@example.test:::::::proxy nopassword host=old.example.test hostip=127.0.0.1 ssl=yes port={imaps}
dave@example.test:{{CRYPT}}{hash}::::::proxy host=old.example.test hostip=127.0.0.1 port={imap} destuser=dave
eve@example.test:{{CRYPT}}$6$x$y::::::proxy host=127.0.0.1 port={imap}
"""
TABLE = """frank@example.test host=127.0.0.1 port={imap}
gina@example.test host=old.example.test hostip=127.0.0.1 port={imap} destuser=bob@example.test master=boss pass={password}
hugo@example.test host=127.0.0.1 port={imap} ssl=nonsense
@example.test nopassword host=old.example.test hostip=127.0.0.1 imap_port={imap} pop3_port={pop3}
"""
MORE = "".join("%s@example.test:{CRYPT}%s:::::\n" % (u, HASH)
               for u in ("frank", "gina", "hugo"))


def to_dovecot():
    d = Dovecot()
    words = {"imap": d.imap, "imaps": d.imaps, "pop3": d.pop3, "hash": HASH,
             "password": PASSWORD}
    try:
        users = tempfile.NamedTemporaryFile("w", delete=False)
        with users as f:
            f.write(USERS.format(**words) + MORE)
        os.chmod(users.name, 0o644)
        with front(TABLE.format(**words), "smtp_tls_CAfile=" + d.ca.cert,
                   "virtual_users_file=" + users.name) as s:
            answers(s, d)
            secrets(s, d)
    finally:
        os.unlink(users.name)
        d.end()


def answers(s, d):
    m = s.imap("bob", PASSWORD)
    m.append("INBOX", None, None, b"Subject: x\r\n\r\nx\r\n")
    tap.equal(m.select()[1], [b"1"], "Dovecot: a user's line says where")
    offers = m.capability()[1][0]
    tap.ok(b"SORT=DISPLAY" in offers and b"UIDBATCHES" not in offers,
           "its capabilities, not ours", offers)
    m.logout()
    p = s.pop3("bob", PASSWORD)
    tap.equal(p.stat()[0], 1, "POP3")
    p.quit()
    login(s, "bob", PASSWORD)
    tap.ok(wait_for(lambda: "rip=%s" % CLIENT in d.read_log()),
           "it hears who the client is, by Dovecot's words", d.read_log())
    m = s.imap("carol", PASSWORD)
    tap.equal(m.select()[1], [b"0"],
              "TLS first, and the password is checked there")
    m.logout()
    tap.equal(login(s, "dave", PASSWORD)[0][:4], "a OK", "another name there")
    m = s.imap("gina", PASSWORD)
    tap.equal(m.select()[1], [b"1"], "a master user logs in for the user")
    m.logout()
    tap.equal(login(s, "gina", "wrong")[0],
              "a NO [AUTHENTICATIONFAILED] Authentication failed.",
              "whose own password is needed")
    tap.starts(login(s, "frank", PASSWORD)[0], "a NO [UNAVAILABLE]",
               "the certificate must prove the host's name")
    tap.starts(login(s, "hugo", PASSWORD)[0], "a NO [UNAVAILABLE]",
               "words that are not understood lead nowhere, not here")
    said = s.posthorn("check").stdout
    tap.ok("proxies:3: ssl wants yes" in said and
           "proxies holds a password, and everybody may read it" in said,
           "and posthorn check names them", said)
    with s.submission("carol", PASSWORD):
        tap.ok(True, "submission: the host is asked for the password")
    try:
        s.submission("carol", "wrong")
        tap.ok(False, "and says no")
    except smtplib.SMTPAuthenticationError as e:
        tap.equal(e.smtp_code, 535, "and says no")


def secrets(s, d):
    """Who exists is not told, here or there."""
    login(s, "carol", "wrong")
    wrong = login(s, "bob", "wrong")
    there = login(s, "carol", "wrong2")
    nobody = login(s, "nobody", "wrong")
    tap.ok(wrong[0] == there[0] == nobody[0] ==
           "a NO [AUTHENTICATIONFAILED] Authentication failed.",
           "one answer for all names", (wrong, there, nobody))
    tap.ok(wrong[1] > 1.5, "after the time that a host takes", wrong)
    tap.ok(pop3_login(s, "bob", "wrong3") ==
           pop3_login(s, "nobody", "wrong3"), "in POP3, too")
    tap.ok(s.posthorn("user", "host", "zoe@example.test").stdout.endswith(
        "old.example.test, STARTTLS, which checks the password\n"),
        "names that are not here belong there")
    tap.starts(login(s, "zoe@elsewhere.test", "x")[0],
               "a NO [AUTHENTICATIONFAILED]", "but only in our domains")
    tap.ok("zoe@elsewhere" not in d.read_log(), "the others are not sent")
    tap.ok("pass=" not in s.read_log() and "=%s" % PASSWORD not in
           s.read_log(), "no secret is in the log")


class Fake:
    """A host that says what it is told to, and keeps what it hears."""

    def __init__(self, *says):
        self.says = says
        self.heard = b""
        self.s = socket.create_server(("127.0.0.1", 0))
        self.port = self.s.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        self.open = []
        while True:
            try:
                c, _ = self.s.accept()
            except OSError:
                return
            self.open.append(c)
            threading.Thread(target=self.talk, args=(c,),
                             daemon=True).start()

    def talk(self, c):
        for line in self.says:
            try:
                c.sendall(line)
                self.heard += c.recv(4096)
            except OSError:
                return


def trouble():
    """No user waits long, and no password goes where it should not."""
    closed, = free_ports(1)
    silent, plain = Fake(), Fake(b"* OK hello\r\n", b"P1 NO no TLS\r\n")
    early = Fake(b"* OK hello\r\n", b"P1 OK go\r\nP2 OK injected\r\n")
    bye = Fake(b"* BYE busy\r\n")
    endless = Fake(*[b"* OK hello\r\n"] + [b"* x\r\n" * 1000] * 20)
    mean = Fake(b"* OK [CAPABILITY AUTH=PLAIN SASL-IR] x\r\n",
                b"P4 NO [ALERT] \x1b[2Jgo away\r\n")
    hosts = {"closed": closed, "silent": silent.port, "plain": plain.port,
             "early": early.port, "bye": bye.port, "endless": endless.port}
    table = "".join("%s@example.test host=127.0.0.1 port=%d proxy_timeout=4\n"
                    % (u, p) for u, p in hosts.items())
    table += ("mean@example.test host=127.0.0.1 port=%d ssl=no\n"
              "myself@example.test host=127.0.0.1 imap_port=IMAP "
              "pop3_port=POP3 ssl=no\n"
              "maybe@example.test proxy_maybe host=node1.example.test\n"
              % mean.port)
    names = list(hosts) + ["mean", "myself", "maybe"]
    users = "".join("%s@example.test:{CRYPT}%s:::::\n" % (u, HASH)
                    for u in names)
    users += ("wrong@example.test:{CRYPT}%s::::::proxy host=127.0.0.1 port=x\n"
              % HASH)
    with front(table, "auth_proxy_self=node1.example.test",
               "virtual_users_file=$config_directory/people",
               people=users) as s:
        os.chmod(s.path("people"), 0o644)
        with open(s.path("proxies")) as f:
            text = f.read()
        with open(s.path("new"), "w") as f:
            f.write(text.replace("IMAP", str(s.IMAP_PORT)).replace(
                "POP3", str(s.POP3_PORT)))
        os.rename(s.path("new"), s.path("proxies"))
        for user, seconds in (("closed", 3), ("plain", 3), ("early", 3),
                              ("bye", 3), ("endless", 20), ("silent", 20)):
            got = login(s, user, PASSWORD)
            tap.ok(got[0].startswith("a NO [UNAVAILABLE]") and
                   got[1] < seconds, "a host that is %s" % user, got)
        tap.starts(pop3_login(s, "closed", PASSWORD), "-ERR [SYS/TEMP]",
                   "POP3")
        for fake in (plain, early, bye, silent):
            tap.ok(PASSWORD.encode() not in fake.heard and
                   b"AUTHENTICATE" not in fake.heard,
                   "no password without TLS", fake.heard)
        down(s)
        tap.equal(login(s, "mean", PASSWORD)[0],
                  "a NO [ALERT] ?[2Jgo away",
                  "the host's own reply, if the password was right here")
        tap.starts(login(s, "myself", PASSWORD)[0], "a NO [UNAVAILABLE]",
                   "a loop ends: IMAP")
        tap.starts(pop3_login(s, "myself", PASSWORD), "-ERR [SYS/TEMP]",
                   "POP3")
        tap.equal(login(s, "maybe", PASSWORD)[0][:4], "a OK",
                  "who may be here, and is")
        tap.starts(login(s, "wrong", PASSWORD)[0], "a NO [UNAVAILABLE]",
                   "a line that is not understood leads nowhere")
        tap.ok("port is not a number" in s.posthorn("check").stdout,
               "and posthorn check names it")


def down(s):
    """While one login tries a silent host, others need not wait."""
    said = []

    def some():
        each = [threading.Thread(target=lambda: said.append(
            login(s, "silent", PASSWORD)[0])) for _ in range(4)]
        for t in each:
            t.start()
        for t in each:
            t.join()
        return "could not be reached a moment ago" in s.read_log()
    tap.ok(wait_for(some) and all(x.startswith("a NO [UNAVAILABLE]")
                                  for x in said),
           "many logins at a host that is down", said)


def many():
    with Instance() as back:
        table = "bob@%s host=127.0.0.1 port=%d\n" % (back.DOMAIN,
                                                     back.IMAP_PORT)
        with front(table, "smtp_tls_CAfile=" + back.CA_FILE,
                   "mail_max_userip_connections=2") as s:
            mine = [s.imap(s.USER2, s.PASS2) for _ in range(2)]
            tap.starts(login_from(s, "127.0.0.1"), "a NO [LIMIT]",
                       "mail_max_userip_connections holds")
            mine.pop().logout()
            tap.ok(wait_for(lambda: login_from(s, "127.0.0.1").startswith(
                "a OK")), "until one has ended")
            mine.pop().logout()


def login_from(s, source):
    r = Raw(s.IMAP_PORT, source)
    r.until(b"* OK")
    r.send(b"a LOGIN %s %s\r\n" % (s.USER2.encode(), s.PASS2.encode()))
    said = r.until(b"a ")[-1].decode()
    r.close()
    return said


to_posthorn()
trouble()
many()
if shutil.which("dovecot") and os.geteuid() == 0:
    to_dovecot()
tap.done()
