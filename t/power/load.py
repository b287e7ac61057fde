"""Clients that work until the power goes: senders, and for each user one
session, IMAP or POP3. Each is a thread; an error ends its present connection,
`stop` its life.

An answer that is heard when the cut has begun is none: while a file system is
shut down its syncs may be told a success that a real cut would have told
nobody.
"""
import imaplib
import poplib
import random
import re
import smtplib
import subprocess
import threading
import time

from ledger import Folder, judge, text

ERRORS = (OSError, EOFError, smtplib.SMTPException, imaplib.IMAP4.error,
          poplib.error_proto)
ENTRIES = "/private/comment", "/private/vendor/cut/a", "/shared/comment"
FLAGS = ("\\Seen", "\\Flagged", "\\Answered", "\\Draft", "$Label")


class Client(threading.Thread):
    def __init__(self, peer, ledger, seed, name, stop):
        super().__init__(daemon=True, name=name)
        self.peer, self.ledger, self.stop = peer, ledger, stop
        self.rng = random.Random("%s %s" % (seed, name))
        self.failure = None
        self.begun = threading.Event()  # it is served

    def run(self):
        while not self.stop.is_set():
            try:
                self.work()
            except ERRORS as e:
                self.failure = repr(e)
                time.sleep(0.05)


class Sender(Client):
    """SMTP: many messages over a connection."""

    def work(self):
        with self.peer.smtp() as c:
            self.begun.set()
            while not self.stop.is_set():
                users = self.rng.sample(self.peer.users,
                                        self.rng.choice((1, 1, 1, 2)))
                token = self.ledger.token(self.name)
                to = [self.peer.address(user) for user in users]
                self.ledger.sending(users, token)
                c.sendmail("a@client.test", to, text(token, to[0]))
                if not self.stop.is_set():
                    self.ledger.accepted(users, token)


class Command(Client):
    """sendmail(1)"""

    def work(self):
        self.begun.set()
        user = self.rng.choice(self.peer.users)
        token = self.ledger.token(self.name)
        to = self.peer.address(user)
        self.ledger.sending([user], token)
        done = subprocess.run(
            [*self.peer.sendmail, "-i", "-f", "a@client.test", to],
            input=text(token, to).replace(b"\r\n", b"\n"), timeout=60,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if done.returncode == 0 and not self.stop.is_set():
            self.ledger.accepted([user], token)


class Refused(Exception):
    """NO, BAD, or too late: what the server has done is not known."""


class Pop(Client):
    """POP3: reads some messages of the INBOX that nobody else changes, and
    removes them. BOX is its model."""

    def __init__(self, peer, ledger, seed, box, stop):
        super().__init__(peer, ledger, seed, "pop-" + box.user, stop)
        self.box = box
        box.folders.setdefault("INBOX", Folder())

    def run(self):
        """Until a QUIT has no answer: see Session."""
        while not self.stop.is_set() and not self.box.pending:
            try:
                self.work()
            except ERRORS as e:
                self.failure = repr(e)
            time.sleep(0.05)

    def work(self):
        p = self.peer.pop3(self.box.user)
        try:
            self.begun.set()
            count = p.stat()[0]
            some = self.rng.sample(range(1, count + 1), min(count, 4))
            tokens = [self.take(p, n) for n in some]
            if not tokens or self.stop.is_set():
                return
            self.box.pending = ("pop", tokens)
            p.quit()
            if not self.stop.is_set():
                self.gone(tokens)
        finally:
            p.close()

    def take(self, p, number):
        raw = b"".join(line + b"\r\n" for line in p.retr(number)[1])
        token, whole = judge(raw)
        if not whole:
            self.box.half.append(token)
        p.dele(number)
        return token

    def gone(self, tokens):
        folder = self.box.folders["INBOX"]
        for uid, (token, _) in list(folder.known.items()):
            if token in tokens:
                del folder.known[uid]
                folder.gone.add(uid)
        self.box.erased |= set(tokens)
        self.box.pending = None
        self.box.acts += 1


class Session(Client):
    """All that a client does to mailboxes; BOX is its model of them."""

    def __init__(self, peer, ledger, seed, box, stop):
        super().__init__(peer, ledger, seed, "imap-" + box.user, stop)
        self.box = box
        self.refused = None
        self.acts = [(self.look, 4), (self.append, 6), (self.store, 6),
                     (self.copy, 3), (self.move, 4), (self.expunge, 4),
                     (self.create, 1), (self.rename, 1), (self.delete, 1),
                     (self.annotate, 2)]

    def run(self):
        """One connection: what became of a command without an answer is
        found out after the cut, not before."""
        try:
            self.work()
        except ERRORS as e:
            self.failure = repr(e)
        except Refused as e:
            self.refused = str(e)

    def work(self):
        self.m, self.selected = self.peer.imap(self.box.user), None
        if not has_metadata(self.m):
            self.acts.pop()
        self.select("INBOX")
        self.begun.set()
        acts, weights = zip(*self.acts)
        while not self.stop.is_set():
            self.rng.choices(acts, weights)[0]()

    def ask(self, pending, call, *words):
        """One command that changes something; its data."""
        self.box.pending = pending
        kind, data = call(*words)
        self.box.history.append("%s %s %s" % (
            kind, pending, {name: self.m.untagged_responses.get(name)
                            for name in ("COPYUID", "APPENDUID")}))
        if kind != "OK":
            raise Refused("%s: %s %s" % (pending[0], kind, data))
        self.in_time()
        return data

    def in_time(self):
        if self.stop.is_set():
            raise Refused("the cut has begun")

    def settled(self):
        self.box.pending = None
        self.box.acts += 1

    def uid(self, pending, *words):
        return self.ask(pending, self.m.uid, *words)

    # what a command tells of

    def folder(self, name=None):
        return self.box.folders.setdefault(name or self.selected, Folder())

    def select(self, name):
        kind, data = self.m.select(name)
        if kind != "OK":
            raise Refused("SELECT %s: %s" % (name, data))
        self.in_time()
        self.selected = name
        self.folder().validity = int(self.m.response("UIDVALIDITY")[1][0])
        self.learn()

    def learn(self):
        """The messages that came in since."""
        folder = self.folder()
        found = fetch(self.m, "%d:*" % folder.looked)
        self.in_time()
        for uid, flags, raw in found:
            if uid >= folder.looked and uid not in folder.known:
                folder.know(uid, judge(raw)[0], flags)
        folder.looked = folder.next

    def copied(self, to):
        """What COPYUID says, as {UID there: UID here}."""
        data = self.m.response("COPYUID")[1][-1]
        if not data:
            return {}
        validity, here, there = data.decode().split()
        self.folder(to).validity = int(validity)
        return dict(zip(numbers(there), numbers(here)))

    def some(self):
        """A few of the messages here."""
        known = sorted(self.folder().known)
        if not known:
            return []
        at = self.rng.randrange(len(known))
        return known[at:at + self.rng.choice((1, 1, 2, 5))]

    def other(self):
        names = sorted(self.box.folders)
        return self.rng.choice(names)

    # the acts

    def look(self):
        if self.rng.random() < 0.5:
            self.select(self.other())
        else:
            self.m.noop()
            self.learn()

    def append(self):
        token = self.ledger.token(self.name)
        flags = self.rng.sample(FLAGS, self.rng.choice((0, 1, 2)))
        to = self.other()
        self.ask(("append", to, token), self.m.append, to,
                 "(%s)" % " ".join(flags), None, text(token, "x@y.test"))
        data = self.m.response("APPENDUID")[1][-1].split()
        folder = self.folder(to)
        folder.validity = int(data[0])
        folder.know(int(data[1]), token, flags)
        self.settled()

    def store(self):
        uids = self.some()
        if not uids:
            return
        sign = self.rng.choice("+-")
        flags = self.rng.sample(FLAGS, self.rng.choice((1, 2)))
        folder = self.folder()
        after = {}
        for uid in uids:
            token, had = folder.known[uid]
            after[uid] = had | set(flags) if sign == "+" else had - set(flags)
        self.uid(("store", self.selected, after), "STORE",
                 ",".join(map(str, uids)), sign + "FLAGS",
                 "(%s)" % " ".join(flags))
        for uid, now in after.items():
            folder.know(uid, folder.known[uid][0], now)
        self.settled()

    def transfer(self, word):
        uids, to = self.some(), self.other()
        folder = self.folder()
        if not uids or to == self.selected:
            return None
        tokens = [folder.known[uid][0] for uid in uids]
        self.uid((word, self.selected, uids, to, tokens), word.upper(),
                 ",".join(map(str, uids)), to)
        for there, here in self.copied(to).items():
            self.folder(to).know(there, *folder.known[here])
        return uids

    def copy(self):
        self.transfer("copy")
        self.settled()

    def move(self):
        for uid in self.transfer("move") or []:
            del self.folder().known[uid]
            self.folder().gone.add(uid)
        self.settled()

    def expunge(self):
        """Marks and removes some, by UID: others' marks stay."""
        uids, folder = self.some(), self.folder()
        if not uids:
            return
        words = ",".join(map(str, uids))
        after = {uid: folder.known[uid][1] | {"\\Deleted"} for uid in uids}
        self.uid(("store", self.selected, after), "STORE", words, "+FLAGS",
                 "(\\Deleted)")
        for uid, now in after.items():
            folder.know(uid, folder.known[uid][0], now)
        tokens = [folder.known[uid][0] for uid in uids]
        self.uid(("expunge", self.selected, uids, tokens), "EXPUNGE", words)
        for uid in uids:
            del folder.known[uid]
            folder.gone.add(uid)
        self.box.erased |= set(tokens) - set(self.box.tokens())
        self.settled()

    def new_name(self):
        return "F%d" % self.rng.randrange(10 ** 6)

    def create(self):
        if len(self.box.folders) > 8:
            return
        name = self.new_name()
        self.ask(("create", name), self.m.create, name)
        self.folder(name)
        self.settled()

    def mine(self):
        """A folder that may go: not INBOX, not the present one."""
        names = sorted(set(self.box.folders) - {"INBOX", self.selected})
        return self.rng.choice(names) if names else None

    def rename(self):
        old, new = self.mine(), self.new_name()
        if not old:
            return
        self.ask(("rename", old, new), self.m.rename, old, new)
        self.box.folders[new] = self.box.folders.pop(old)
        self.settled()

    def delete(self):
        name = self.mine()
        if not name or len(self.box.folders) < 4:
            return
        self.ask(("delete", name), self.m.delete, name)
        tokens = {t for t, _ in self.box.folders.pop(name).known.values()}
        self.box.erased |= tokens - set(self.box.tokens())
        self.settled()

    def annotate(self):
        name = self.rng.choice(sorted(self.box.folders))
        entry, value = self.rng.choice(ENTRIES), "%d" % self.rng.randrange(
            10 ** self.rng.choice((3, 200)))
        if self.rng.random() < 0.2:
            value = None
        self.ask(("annotate", name, entry, value), self.m.xatom,
                 "SETMETADATA", name, "(%s %s)" % (
                     entry, '"%s"' % value if value else "NIL"))
        self.folder(name).note(entry, value)
        self.settled()


def has_metadata(m):
    return b"METADATA" in m.capability()[1][0].split()


def notes(m, name):
    """{entry: value} of the folder NAME."""
    kind, data = m.xatom("GETMETADATA", name, "(%s)" % " ".join(ENTRIES))
    if kind != "OK":
        raise Refused("GETMETADATA %s: %s" % (name, data))
    found = m.response("METADATA")[1]
    return dict(re.findall(r'(/[a-z/]+) "(\d+)"', " ".join(
        line.decode() for line in found if line)))


def numbers(uids):
    """The UIDs of a set like 3:5,9."""
    out = []
    for part in uids.split(","):
        first, _, last = part.partition(":")
        out += range(int(first), int(last or first) + 1)
    return out


def fetch(m, uids, tries=3):
    """(UID, flags, bytes) of messages in the folder that is selected. What
    another program has removed meanwhile may be said with NO (RFC 5530)."""
    kind, data = m.uid("FETCH", uids, "(UID FLAGS BODY.PEEK[])")
    if kind != "OK" and tries:
        m.noop()
        return fetch(m, uids, tries - 1)
    if kind != "OK":
        raise Refused("FETCH: %s" % data)
    return [parse(*part) for part in data if isinstance(part, tuple)]


def parse(head, raw):
    head = head.decode()
    flags = re.search(r"FLAGS \(([^)]*)\)", head).group(1).split()
    return (int(re.search(r"UID (\d+)", head).group(1)),
            set(flags) - {"\\Recent"}, raw)
