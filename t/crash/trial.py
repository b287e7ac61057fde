"""Mail on all its ways, while faults.t has calls fail and kills.t kills
processes; and what must be there afterwards."""
import imaplib
import os
import poplib
import re
import smtplib
import subprocess
import threading

from instance import Instance, wait_for
from smtppeer import Peer

LINES = 40
ERRORS = (OSError, EOFError, smtplib.SMTPException, imaplib.IMAP4.error,
          poplib.error_proto)


def body(token):
    return "".join("%s line %d: as it was sent\r\n" % (token, i)
                   for i in range(LINES)) + "%s end\r\n" % token


def text(token, sender="a@client.test"):
    return ("From: <%s>\r\nSubject: x\r\nX-Crash: %s\r\n\r\n%s" % (
        sender, token, body(token))).encode()


def token_of(mail):
    found = re.search(r"X-Crash: (\S+)", mail)
    return found.group(1) if found else "?"


class Sink(Peer):
    """The next host: takes all, and gives 250 only for what it has."""

    def __init__(self):
        super().__init__("127.0.0.1", 0)
        self.port = self.listener.getsockname()[1]

    def texts(self):
        return [m if isinstance(m, str) else m.decode()
                for m in list(self.messages)]


BOX = "box@localhost.example.test"     # an alias for a file


def instance(sink):
    suite = Instance("relayhost=[next.test]:%d" % sink.port,
                     "smtp_tls_security_level=none",
                     "minimal_backoff_time=1s", "maximal_backoff_time=2s",
                     zone="next.test. A 127.0.0.1\n")
    os.mkdir(suite.path("out"))
    os.chmod(suite.path("out"), 0o777)
    with open(suite.path("aliases"), "w") as f:
        f.write("box: %s\n" % suite.path("out/box"))
    return suite


def mbox(path):
    """The messages of an mbox, with CRLF."""
    if not os.path.exists(path):
        return []
    with open(path, newline="") as f:
        parts = re.split(r"(?m)^From \S+ .*\n", f.read())
    return [part[:-1].replace("\n", "\r\n") for part in parts[1:]]


class Trial:
    """Each by_… is one client that may be disappointed. It waits with
    `settle` until its message is through or STRUCK says that the fault has
    happened."""

    def __init__(self, suite, sink, tap, struck):
        self.s, self.sink, self.tap, self.struck = suite, sink, tap, struck
        self.lock = threading.Lock()
        self.count = self.tries = self.fired = 0
        self.promised, self.refused = set(), set()
        self.flags = {}     # token: must be \Seen, or must not
        self.trees = {}     # token: what the folder of it may be called
        self.erased, self.erasing = set(), set()
        self.found, self.half, self.wrong, self.inbox = {}, [], [], set()
        self.torn = []

    def token(self):
        with self.lock:
            self.count += 1
            return "f%d" % self.count

    def removed(self):
        return self.s.read_log().count(": removed")

    def settle(self, removed):
        wait_for(lambda: self.struck() or self.removed() > removed, 3, 0.01)

    def send(self, connect, to, sender="a@client.test"):
        token, removed = self.token(), self.removed()
        try:
            with connect() as c:
                c.sendmail(sender, [to], text(token, sender))
                self.promised.add(token)
            self.settle(removed)
        except smtplib.SMTPResponseException as e:
            # what was put off may be there: the client cannot know either
            if e.smtp_code // 100 != 4:
                self.refused.add(token)
        except ERRORS:
            self.settle(removed)

    def by_smtp(self):
        self.send(self.s.smtp, self.s.address())

    def by_submission(self):
        self.send(self.s.submission, self.s.address(), self.s.address())

    def by_relay(self):
        self.send(self.s.submission, "x@far.test", self.s.address())

    def by_file(self):
        self.send(self.s.smtp, BOX)

    def by_sendmail(self, *before):
        """BEFORE: a command that starts it. It waits for five minutes, while
        master lets a pickup that dies again and again rest, and then puts
        the message into the drop folder."""
        token, removed = self.token(), self.removed()
        done = subprocess.run(
            [*before, self.s.SENDMAIL, "-i", self.s.address()], timeout=400,
            input=text(token).replace(b"\r\n", b"\n"), capture_output=True)
        if done.returncode == 0 and b"killed" not in done.stdout:
            self.promised.add(token)
            self.settle(removed)
        return done.stdout.decode()

    def by_imap(self, change=None):
        try:
            m = self.s.imap()
            try:
                (change or self.change_mailbox)(m)
            finally:
                m.logout()
        except ERRORS:
            pass

    def by_folders(self):
        self.by_imap(self.change_folders)

    def change_folders(self, m):
        """RENAME of one with another below it, and of INBOX."""
        token = self.token()
        old, new = "Old" + token, "New" + token
        if m.create(old)[0] != "OK" or m.create(old + "/low")[0] != "OK":
            return
        answer = m.append(old + "/low", None, None, text(token))[0]
        {"OK": self.promised, "NO": self.refused}[answer].add(token)
        self.trees[token] = [old, new]
        answer = m.rename(old, new)[0]
        self.trees[token] = [new if answer == "OK" else old]
        m.rename("INBOX", "Former" + token)

    def change_mailbox(self, m):
        token = self.token()
        answer = m.append("Box", None, None, text(token))[0]
        {"OK": self.promised, "NO": self.refused}[answer].add(token)
        if answer != "OK":
            return
        uid = m.response("APPENDUID")[1][-1].split()[1].decode()
        if m.select("Box")[0] != "OK":
            return
        self.flags[token] = None
        if m.uid("STORE", uid, "+FLAGS", "(\\Seen)")[0] == "OK":
            self.flags[token] = True
        seen, self.flags[token] = self.flags[token], None
        # half a MOVE may come back as a new message
        how = "MOVE" if self.count % 2 else "COPY"
        if m.uid(how, uid, "Other")[0] == "OK":
            self.flags[token] = seen

    def by_pop(self):
        """Removes the first message for good."""
        try:
            p = self.s.pop3()
            try:
                mail = b"\r\n".join(p.retr(1)[1]).decode()
                token = token_of(mail)
                self.erasing.add(token)
                p.dele(1)
                p.quit()
                self.erased.add(token)
            finally:
                p.close()
        except ERRORS:
            pass

    def make_folders(self):
        m = self.s.imap()
        m.create("Box")
        m.create("Other")
        m.logout()

    def read(self, m, folder):
        """(folder, text, seen?) of each message in FOLDER."""
        if m.select(folder, readonly=True)[1] == [b"0"]:
            return
        for part in m.fetch("1:*", "(FLAGS BODY.PEEK[])")[1]:
            if isinstance(part, tuple):
                yield folder, part[1].decode(), b"\\Seen" in part[0]

    def read_all(self):
        """The same of all folders; their names."""
        m = self.s.imap()
        try:
            names = [row.decode().split()[-1].strip('"')
                     for row in m.list()[1]]
            return names, [mail for name in names
                           for mail in self.read(m, name)]
        finally:
            m.logout()

    def torn_trees(self, names):
        """Those that have not one of their names, or not what is below it."""
        return [(token, may) for token, may in sorted(self.trees.items())
                if sum(tree in names and tree + "/low" in names
                       for tree in may) != 1]

    def is_well(self):
        return self.s.posthorn("status").returncode == 0

    def look(self):
        """What is there now: sets found, half, wrong and inbox."""
        self.s.posthorn("queue", "flush", "ALL")
        self.found, self.half, self.wrong = {}, [], []
        self.inbox = set()
        mails = [("next host", m, False) for m in self.sink.texts()]
        mails += [("a file", m, False) for m in mbox(self.s.path("out/box"))]
        try:
            names, there = self.read_all()
        except ERRORS:
            return False
        mails += there
        self.torn = self.torn_trees(names)
        self.inbox = {token_of(m[1]) for m in mails if m[0] == "INBOX"}
        for folder, mail, seen in mails:
            token = token_of(mail)
            self.found[token] = self.found.get(token, 0) + 1
            if not mail.endswith("\r\n\r\n" + body(token)):
                self.half.append(token)
            if self.flags.get(token) and not seen:
                self.wrong.append((token, folder))
        return self.promised - self.erasing <= set(self.found)

    def check(self, name):
        """After the faults."""
        wait_for(self.is_well, 120, 0.1)
        there = wait_for(self.look, 120, 1)
        self.tap.ok(there, "%s: %d promised messages are there (%d of %d)" % (
            name, len(self.promised), self.fired, self.tries))
        if not there:
            print("# lost:", sorted(self.promised - self.erasing -
                                    set(self.found)))
        self.tap.equal(self.half, [], "%s: each is whole" % name)
        self.tap.equal(sorted((self.refused & set(self.found)) |
                              (self.erased & self.inbox)), [],
                       "%s: what was refused, or removed, is not there" % name)
        self.tap.equal(self.wrong, [], "%s: flags are kept" % name)
        self.tap.equal(self.torn, [], "%s: folders are renamed, or not" % name)
        self.tries = self.fired = 0
