"""What happens while crash-check records: a day of a small mail server.

Messages come in by SMTP, LMTP, submission and sendmail(1), are delivered,
relayed, deferred, held and bounced; IMAP and POP3 sessions change mailboxes.
Whatever a client is told is written into the record as a fact (fact.h), just
after it was told; what it will ask for, just before.
"""
import fcntl
import os
import re
import struct
import subprocess
import sys
import threading
import time

from instance import wait_for
from smtppeer import Peer

MAGIC = 0x48534352
BASE_DIR, BASE_FILE, FACT, END_DIR, END_FILE = 1, 2, 3, 15, 16
TOP = 2 ** 64 - 1
FLAGS = {"\\Seen": 1, "\\Answered": 2, "\\Flagged": 4, "\\Deleted": 8,
         "\\Draft": 16, "Work": 256}     # fact.h
LIST = "team@localhost.example.test"    # an alias for alice and bob


class Record:
    def __init__(self, path):
        self.fd = os.open(path, os.O_WRONLY | os.O_APPEND)

    def put(self, kind, data=b"", ino=0, folder=0, name="", mtime=0):
        name = os.fsencode(name)
        head = struct.pack("=IIQQQQqqqqIHHQII", MAGIC, kind,
                           96 + len(name) + len(data), ino, folder, 0, 0, 0,
                           mtime, 0, os.getpid(), len(name), 0, len(data),
                           1, 0)
        os.write(self.fd, head + name + data)

    def fact(self, *words):
        self.put(FACT, " ".join(map(str, words)).encode())

    def base(self, suite):
        """What is there now, as it will be taken for durable."""
        self.trees(suite, BASE_DIR, BASE_FILE)

    def end(self, suite):
        """What is there, so that a gap in the record is seen."""
        self.trees(suite, END_DIR, END_FILE)

    def trees(self, suite, *kinds):
        # the lock of record-put.c: nothing changes meanwhile
        fcntl.lockf(self.fd, fcntl.LOCK_EX)
        self.tree(suite.QUEUE, "spool", TOP, *kinds)
        self.tree(suite.MAILROOT, "mail", TOP, *kinds)
        self.tree(suite.path("state/accountd"), "accountd", TOP, *kinds)
        fcntl.lockf(self.fd, fcntl.LOCK_UN)

    def tree(self, path, name, folder, of_dir, of_file):
        st = os.stat(path)
        if not os.path.isdir(path):
            with open(path, "rb") as f:
                self.put(of_file, f.read(), st.st_ino, folder, name)
            return
        self.put(of_dir, b"", st.st_ino, folder, name, st.st_mtime_ns)
        for inner in sorted(os.listdir(path)):
            self.tree(os.path.join(path, inner), inner, st.st_ino, of_dir,
                      of_file)


def flag_bits(text):
    return sum(bit for name, bit in FLAGS.items() if name in text)


class Session:
    """An IMAP session that writes down what it hears."""

    def __init__(self, story, user, folder="INBOX"):
        self.story, self.fact, self.user = story, story.record.fact, user
        s = story.suite
        self.m = s.imap(user, s.PASS2 if user == s.USER2 else s.PASS1)
        self.m.enable("CONDSTORE")
        self.messages = {}      # UID: token
        self.see_made()
        self.select(folder)

    def see_made(self):
        """What the account got by itself."""
        assert any(b"Drafts" in row for row in self.m.lsub()[1])
        for verb, word in (("subscrib", "yes"), ("us", "\\Drafts")):
            self.fact(verb + "ing", self.user, "Drafts", word)
            self.fact(verb + "ed", self.user, "Drafts", word)
        self.fact("numbers", self.user, "Drafts", 0, 0, 0)

    def code(self, name):
        value = self.m.response(name)[1][-1]
        return int(value) if value else 0

    def select(self, folder):
        self.folder = folder
        assert self.m.select(folder)[0] == "OK"
        self.validity = self.code("UIDVALIDITY")
        self.fact("numbers", self.user, folder, self.validity,
                  self.code("UIDNEXT"), self.code("HIGHESTMODSEQ"))
        self.look()

    def look(self):
        self.messages = {}
        self.m.noop()
        kind, data = self.m.uid(
            "FETCH", "1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (X-CRASH)])")
        for part in data or []:
            if not isinstance(part, tuple):
                continue
            head = part[0].decode()
            uid = int(re.search(r"UID (\d+)", head).group(1))
            words = part[1].decode().split()
            token = words[1] if len(words) > 1 else "a-bounce"
            self.messages[uid] = token
            self.have(self.folder, self.validity, uid, token)
            self.fact("flags", self.user, self.folder, uid,
                      flag_bits(re.search(r"FLAGS \(([^)]*)\)",
                                          head).group(1)))

    def have(self, folder, validity, uid, token):
        self.fact("have", self.user, folder, validity, uid, token)

    def store(self, uids, how, *flags):
        for uid in uids:
            self.fact("flagging", self.user, self.folder, uid)
        kind, data = self.m.uid("STORE", ",".join(map(str, uids)), how,
                                "(%s)" % " ".join(flags))
        assert kind == "OK"
        for part in data:
            text = part.decode() if isinstance(part, bytes) else ""
            got = re.search(r"FLAGS \(([^)]*)\).*UID (\d+)", text) or \
                re.search(r"UID (\d+).*FLAGS \(([^)]*)\)", text)
            if got:
                a, b = got.groups()
                uid, names = (a, b) if a.isdigit() else (b, a)
                self.fact("flags", self.user, self.folder, uid,
                          flag_bits(names))

    def append(self, folder, lines=3):
        token = self.story.token(lines, "-", [self.user])
        text = self.story.text(token, lines)
        assert self.m.append(folder, "(\\Seen)", None, text)[0] == "OK"
        self.appended(folder, [token])

    def appended(self, folder, tokens):
        validity, uids = self.m.response("APPENDUID")[1][-1].decode().split()
        for uid, token in zip(numbers(uids), tokens):
            self.have(folder, int(validity), uid, token)
            self.fact("promised", token)

    def send_texts(self, command, folder, count):
        """COMMAND with COUNT new messages behind it. Their tokens."""
        tokens = [self.story.token(3, "-", [self.user]) for _ in range(count)]
        tag = self.m._new_tag()
        self.m.send(b"%s %s %s" % (tag, command.encode(), folder.encode()))
        for token in tokens:
            text = self.story.text(token, 3)
            self.m.send(b" {%d+}\r\n%s" % (len(text), text))
        self.m.send(b"\r\n")
        assert self.m._command_complete("APPEND", tag)[0] == "OK"
        self.appended(folder, tokens)

    def replace(self, uid, folder):
        self.fact("erasing", self.messages[uid], self.user)
        self.fact("leaving", self.user, self.folder, uid)
        self.send_texts("UID REPLACE %d" % uid, folder, 1)
        self.fact("gone", self.user, self.folder, uid)
        del self.messages[uid]

    def copy(self, uids, folder, move=False):
        for uid in uids:
            self.fact("copying", self.messages[uid], self.user)
            if move:
                self.fact("leaving", self.user, self.folder, uid)
        kind, data = self.m.uid("MOVE" if move else "COPY",
                                ",".join(map(str, uids)), folder)
        assert kind == "OK"
        validity, old, new = self.m.response("COPYUID")[1][-1].decode().split()
        for uid, to in zip(numbers(old), numbers(new)):
            self.have(folder, int(validity), to, self.messages[uid])
            if move:
                self.fact("gone", self.user, self.folder, uid)
                del self.messages[uid]

    def expunge(self, uids):
        self.store(uids, "+FLAGS", "\\Deleted")
        for uid in uids:
            self.fact("erasing", self.messages[uid], self.user)
            self.fact("leaving", self.user, self.folder, uid)
        assert self.m.uid("EXPUNGE", ",".join(map(str, uids)))[0] == "OK"
        for uid in uids:
            self.fact("gone", self.user, self.folder, uid)
            del self.messages[uid]

    def annotate(self, folder, word):
        """A comment of some sectors. FOLDER "-": of the account."""
        self.fact("annotating", self.user, folder, word)
        assert self.m.xatom(
            "SETMETADATA", '""' if folder == "-" else folder,
            '(/private/comment "%s")' % ((word + " ") * 300))[0] == "OK"
        self.fact("annotated", self.user, folder, word)

    def grant(self, folder, rights):
        """RIGHTS "-": none any more."""
        self.fact("granting", self.user, folder, rights)
        kind, _ = self.m.deleteacl(folder, "anyone") if rights == "-" else \
            self.m.setacl(folder, "anyone", rights)
        assert kind == "OK"
        self.fact("granted", self.user, folder, rights)

    def subscribe(self, on):
        """To INBOX."""
        self.fact("subscribing", self.user, "INBOX", "yes" if on else "-")
        act = self.m.subscribe if on else self.m.unsubscribe
        assert act("INBOX")[0] == "OK"
        self.fact("subscribed", self.user, "INBOX", "yes" if on else "-")

    def create(self, name, use=None):
        words = [name]
        if use:
            self.fact("using", self.user, name, use)
            words.append("(USE (%s))" % use)
        assert self.m.xatom("CREATE", *words)[0] == "OK"
        if use:
            self.fact("used", self.user, name, use)
        self.fact("numbers", self.user, name, 0, 0, 0)

    def end(self):
        self.m.logout()


def numbers(text):
    for part in text.split(","):
        first, _, last = part.partition(":")
        yield from range(int(first), int(last or first) + 1)


class Watch:
    """Another session, which asks for numbers while a mailbox changes."""

    def __init__(self, story, user, folder="INBOX"):
        self.story, self.user, self.folder = story, user, folder
        self.m = story.suite.imap(user)
        self.over, self.heard = False, 0
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.over:
            text = self.m.status(
                self.folder, "(UIDVALIDITY UIDNEXT)")[1][0].decode()
            number = [re.search(name + r" (\d+)", text).group(1)
                      for name in ("UIDVALIDITY", "UIDNEXT")]
            self.story.record.fact("numbers", self.user, self.folder,
                                   *number, 0)
            self.heard += 1
            time.sleep(0.01)
        self.m.logout()

    def end(self):
        self.over = True
        self.thread.join()
        assert self.heard > 0


# What any program may do in a Maildir: tmp, sync, new, sync.
FOREIGN = """
import os, sys
maildir, owner = sys.argv[1:3]
if os.getuid() == 0:
    os.setgid(int(owner))
    os.setuid(int(owner))
for name in sys.argv[3:]:
    fd = os.open(maildir + "/tmp/" + name, os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(fd, sys.stdin.buffer.read())
    os.fsync(fd)
    os.rename(maildir + "/tmp/" + name, maildir + "/new/" + name)
    d = os.open(maildir + "/new", os.O_RDONLY)
    os.fsync(d)
"""


class Sink(Peer):
    """The next host: takes, defers and refuses by the recipient's name."""

    def __init__(self, story, port):
        self.story = story
        self.down = True
        super().__init__("127.0.0.1", port, {".": self.taken})

    def taken(self):
        text = self.messages[-1]
        text = text if isinstance(text, str) else text.decode()
        if "To: <bad@" in text:
            return "550 5.1.1 no such user"
        if "To: <later@" in text and self.down:
            return "451 4.3.0 later"
        self.story.record.fact(
            "sunk", re.search(r"X-Crash: (\S+)", text).group(1))
        return "250 2.0.0 taken"


class Story:
    def __init__(self, suite, record, port, library, commands):
        """LIBRARY records; COMMANDS is the folder of sendmail."""
        self.suite, self.record, self.library = suite, record, library
        self.commands = commands
        self.count = 0
        self.ids = {}       # queue ids of tokens
        self.lock = threading.Lock()
        self.sink = Sink(self, port)

    def address(self, user):
        return user if "@" in user else self.suite.address(user)

    def token(self, lines, sender, rcpts):
        with self.lock:
            self.count += 1
            token = "t%d" % self.count
        for r in rcpts:
            self.record.fact("mail", token, lines, sender, self.address(r))
        return token

    def text(self, token, lines, to="someone@example.test"):
        rows = ["From: <alice@example.test>", "To: <%s>" % to,
                "Date: Tue, 24 Nov 2026 02:00:00 +0000",
                "Message-ID: <%s@client.test>" % token,
                "Subject: " + token, "X-Crash: %s %d" % (token, lines), ""]
        rows += ["%s line %06d of %d: as it was sent" % (token, i, lines)
                 for i in range(lines)]
        return ("\r\n".join(rows) + "\r\n%s end\r\n" % token).encode()

    def send(self, rcpts, lines=3, connection=None, sender=None, by=None,
             options=()):
        """BY an alias of RCPTS, or by their addresses."""
        sender = sender or "friend@elsewhere.test"
        token = self.token(lines, sender, rcpts)
        to = [by] if by else [self.address(r) for r in rcpts]
        c = connection or self.suite.smtp()
        c.ehlo_or_helo_if_needed()
        c.mail(sender)
        for r in to:
            assert c.rcpt(r, options)[0] == 250
        code, reply = c.data(self.text(token, lines, to[0]))
        assert code == 250
        self.record.fact("promised", token)
        self.ids[token] = reply.decode().split()[-1]
        if not connection:
            c.quit()
        return token

    def sendmail(self, rcpt):
        token = self.token(3, "root", [rcpt])
        subprocess.run([self.suite.SENDMAIL, "-i", self.address(rcpt)],
                       input=self.text(token, 3).replace(b"\r\n", b"\n"),
                       check=True, timeout=60)
        self.record.fact("promised", token)

    def sendmail_alone(self, rcpt):
        """As if the suite did not run: into the drop folder."""
        token = self.token(3, "root", [rcpt])
        conf = self.suite.path("alone.conf")
        with open(self.suite.CONF) as f:
            text = re.sub(r"(?m)^run_directory.*", "run_directory = /nowhere",
                          f.read())
        with open(conf, "w") as f:
            f.write(text)
        subprocess.run(
            [os.path.join(self.commands, "sendmail"), "-i",
             self.address(rcpt)], check=True, timeout=60,
            input=self.text(token, 3).replace(b"\r\n", b"\n"),
            env=dict(os.environ, POSTHORN_CONFIG=conf, CRASH_RECORD_ALL="1",
                     LD_PRELOAD=self.library))
        self.record.fact("promised", token)

    def foreign(self, user):
        """Another program delivers."""
        token = self.token(3, "-", [user])
        maildir = os.path.join(self.suite.MAILROOT, user, "Maildir")
        env = dict(os.environ, LD_PRELOAD=self.library, CRASH_RECORD_ALL="1")
        subprocess.run(
            [sys.executable, "-c", FOREIGN, maildir,
             str(os.stat(maildir).st_uid), "%.6f.foreign" % time.time()],
            input=self.text(token, 3).replace(b"\r\n", b"\n"), check=True,
            timeout=60, env=env)
        self.record.fact("promised", token)

    def relay(self, name, lines=3, *options):
        with self.suite.submission() as c:
            return self.send([name + "@far.test"], lines, c,
                             self.suite.address(), options=options)

    def flow(self, rounds):
        """Mail that comes in meanwhile."""
        with self.suite.smtp() as c:
            for i in range(rounds):
                self.send(["alice"] if i % 3 else ["alice", "bob"],
                          1 + 40 * (i % 4), c)

    def mail_comes(self):
        self.send(["alice"])
        self.send(["alice", "bob"], 20)
        self.send(["bob"], 2000)
        self.send(["alice", "bob"], by=LIST)
        self.sendmail("alice")
        self.sendmail_alone("bob")
        with self.suite.smtp() as c:
            for i in range(4):
                self.send(["alice", "bob"][i % 2:][:1], i, c)

    def mail_leaves(self):
        self.relay("ok", 3, "NOTIFY=SUCCESS,FAILURE")
        self.relay("later")
        self.relay("bad")
        held = self.relay("later")
        self.suite.posthorn("queue", "hold", self.ids[held])
        self.suite.wait_log("status=deferred", 20)
        return held

    def mailbox_changes(self):
        self.foreign("alice")
        a = Session(self, "alice")
        watch = Watch(self, "alice")
        others = threading.Thread(target=self.flow, args=(6,))
        others.start()
        a.m.create("Kept")
        uids = sorted(a.messages)
        a.store(uids[:2], "+FLAGS", "\\Seen")
        a.store(uids[1:3], "+FLAGS", "\\Flagged", "\\Answered")
        a.append("Kept")
        a.append("Kept", 300)
        a.append("INBOX")
        a.annotate("INBOX", "one")
        a.grant("INBOX", "lr")
        a.copy(uids[:2], "Kept")
        a.annotate("INBOX", "two")
        a.grant("INBOX", "lrs")
        a.copy(uids[2:3], "Kept", move=True)
        a.expunge(uids[3:4])
        others.join()
        self.foreign("alice")
        a.look()
        a.store(sorted(a.messages)[-2:], "+FLAGS", "\\Seen")
        watch.end()
        a.select("Kept")
        a.store(sorted(a.messages)[:1], "-FLAGS", "\\Seen")
        a.end()

    def pop_session(self):
        b = Session(self, "bob")
        first = sorted(b.messages)[0]
        b.end()
        p = self.suite.pop3(self.suite.USER2, self.suite.PASS2)
        p.retr(1)
        self.record.fact("erasing", b.messages[first], "bob")
        self.record.fact("leaving", "bob", "INBOX", first)
        p.dele(1)
        p.quit()
        self.record.fact("gone", "bob", "INBOX", first)

    def run(self):
        self.mail_comes()
        held = self.mail_leaves()
        self.mailbox_changes()
        self.pop_session()
        self.sink.down = False
        self.suite.posthorn("queue", "release", self.ids[held])
        self.flow(6)
        self.drain()

    def drain(self):
        """Until the queue is empty, and what has time is done."""
        self.suite.posthorn("queue", "release", "ALL")
        self.suite.posthorn("queue", "flush", "ALL")
        wait_for(lambda: "Mail queue is empty" in subprocess.run(
            [self.suite.MAILQ], capture_output=True, text=True,
            timeout=60).stdout, 20)
        for user in ("alice", "bob"):
            Session(self, user).end()
        time.sleep(1.5)     # names of files follow the flags
