"""Who works on the mailboxes INBOX and Box of one user, each in a thread with
a server process of its own. An actor does one act after the other, and stands
still when asked to (Quiet in model)."""
import os
import poplib
import random
import re
import smtplib
import socket
import threading
import time

from book import kind, text, token_of
from session import NOTES, Gone, Session

FLAGS = ("\\Flagged", "\\Answered", "\\Draft", "$One", "$Two")
FOLDERS = ("INBOX", "Box")
OTHERS = ("Other1", "Other2", "Other3")


class Actor(threading.Thread):
    def __init__(self, world, name):
        super().__init__(daemon=True, name=name)
        self.world, self.book, self.suite = world, world.book, world.suite
        self.rng = random.Random("%s %s" % (world.seed, name))
        self.failed = None

    def run(self):
        try:
            while not self.world.over:
                self.world.rest(self)
                self.act()
        except Exception as e:
            self.failed = e
            self.book.finding(self.name, "ends: %r", e)
        finally:
            self.world.leaves(self)

    def settled(self):
        """{folder: {UID: flags}} when all is quiet; or nothing to say."""
        return {}

    def new(self):
        return self.book.new_token(self.name)


class Mailer(Actor):
    """A full session. OWN: which tokens of the kept are its own."""

    owns, owners = 0, 1
    session = None

    def act(self):
        try:
            if not self.session:
                self.session = Session(self.suite, self.book, self.name)
                self.session.select(self.rng.choice(FOLDERS))
            self.rng.choice(self.acts)(self)
            if self.session and self.session.folder:
                self.session.learn()
        except Gone:
            self.session = None

    def settled(self):
        try:
            if not self.session or not self.session.folder:
                return {}
            return {self.session.folder: self.session.settle()}
        except Gone:
            self.session = None
            return {}

    def pick(self, *kinds):
        """A run of messages of KINDS, by number and by UID."""
        known = [m for m in self.session.tokens() if kind(m[2]) in kinds]
        at = self.rng.randrange(len(known)) if known else 0
        return known[at:at + self.rng.choice((1, 1, 3, 8))]

    def sets(self, messages):
        """How a command names them: by number or UID."""
        if self.rng.random() < 0.5:
            return "", ",".join(str(m[0]) for m in messages)
        return "UID ", ",".join(str(m[1]) for m in messages)

    def on(self, kinds, word, rest):
        messages = self.pick(*kinds)
        if messages:
            how, names = self.sets(messages)
            self.session.ask("%s%s %s %s" % (how, word, names, rest))

    def fetch(self):
        self.on(("kept", "free", "edited"), "FETCH", self.rng.choice((
            "(UID FLAGS)", "(ENVELOPE BODYSTRUCTURE)", "RFC822.SIZE",
            "BODY.PEEK[]", "BODY.PEEK[TEXT]<0.100>", "FULL")))

    def read(self):
        """One that is kept must be as it was sent."""
        for n, uid, token in self.pick("kept")[:1]:
            lines, good = self.session.ask("UID FETCH %d BODY.PEEK[]" % uid)
            got = b"\n".join(lines)
            if good and text(token).strip() not in got:
                self.session.finding("%s UID %d (%s) is not as it was sent",
                                     self.session.folder, uid, token)

    def store(self):
        kind, also = self.rng.choice((("free", ("\\Seen", "\\Deleted")),
                                      ("edited", ("\\Seen",))))
        self.on((kind,), "STORE", "%sFLAGS%s (%s)" % (
            self.rng.choice("+-"), self.rng.choice(("", ".SILENT")),
            self.rng.choice(FLAGS + also)))

    def store_own(self):
        """Flags of one that nobody else may change."""
        mine = [m for m in self.pick("kept")
                if m[1] % self.owners == self.owns]
        for n, uid, token in mine:
            flags = set(self.rng.sample(FLAGS, self.rng.randrange(3)))
            place = self.session.folder, uid
            with self.book.lock:
                self.book.flags.pop(place, None)
            if self.session.ask("UID STORE %d FLAGS.SILENT (%s)" % (
                    uid, " ".join(sorted(flags))))[1]:
                with self.book.lock:
                    self.book.flags[place] = flags

    def append(self):
        token = self.new()
        raw = text(token)
        to = self.rng.choice(FOLDERS)
        if self.session.ask("APPEND %s {%d+}\r\n%s" % (
                to, len(raw), raw.decode()))[1]:
            self.book.promise(token)

    def copy(self):
        self.on(("free",), "COPY", self.rng.choice(FOLDERS + OTHERS))

    def move(self):
        self.on(("free",), "MOVE", self.rng.choice(FOLDERS))

    def expunge(self):
        self.on(("free",), "STORE", "+FLAGS.SILENT (\\Deleted)")
        self.session.learn()
        self.session.ask("EXPUNGE")

    def search(self):
        lines, good = self.session.ask(self.rng.choice((
            "SEARCH UNSEEN", "SEARCH DELETED", "UID SEARCH FLAGGED",
            "SEARCH SUBJECT imap", "UID SEARCH 1:* NOT DELETED")))

    def status(self):
        """What was told before is no news: UIDNEXT is above it."""
        folder = self.rng.choice(FOLDERS)
        before = self.book.last_uid(folder)
        lines, good = self.session.ask(
            "STATUS %s (MESSAGES UIDNEXT UNSEEN)" % folder)
        found = re.search(rb"UIDNEXT (\d+)", b"".join(lines))
        if good and not (found and int(found.group(1)) > before):
            self.session.finding("%s: STATUS says %s, UID %d was there",
                                 folder, lines, before)

    def annotate(self):
        """An entry of its own, beside those of others in one file."""
        place = self.rng.choice(FOLDERS), "%s/%s" % (NOTES, self.name)
        value = self.rng.choice(("", self.new(), self.new()))
        with self.book.lock:
            self.book.notes.pop(place, None)
        if self.session.ask("SETMETADATA %s (%s %s)" % (
                *place, '"%s"' % value if value else "NIL"))[1]:
            with self.book.lock:
                self.book.notes[place] = value

    def read_note(self):
        folder, entry = self.rng.choice(FOLDERS), "%s/%s" % (NOTES, self.name)
        with self.book.lock:
            told = self.book.notes.get((folder, entry), "")
        there = self.session.notes(folder).get(entry, "")
        if there != told:
            self.session.finding("%s: its annotation is %s, it was told of %s",
                                 folder, there, told)

    def noop(self):
        self.session.ask(self.rng.choice(("NOOP", "CHECK")))

    def close(self):
        """Also rotates the journal."""
        self.session.ask("CLOSE")
        self.session.folder = None
        self.session.select(self.rng.choice(FOLDERS))

    def reselect(self):
        self.session.select(self.rng.choice(FOLDERS),
                            self.rng.choice(("SELECT", "EXAMINE")))
        if self.rng.random() < 0.5:
            self.session.select(self.rng.choice(FOLDERS))

    def leave(self):
        self.session.end()
        self.session = None

    def folders(self):
        a, b = self.rng.sample(OTHERS, 2)
        self.session.ask(self.rng.choice((
            "CREATE " + a, "DELETE " + a, "RENAME %s %s" % (a, b))))

    acts = [fetch, fetch, read, store, store, store_own, store_own, append,
            copy, move, expunge, search, status, annotate, read_note, noop, noop, close, reselect,
            leave, folders]


class Examiner(Mailer):
    """Only reads."""

    def act(self):
        try:
            if not self.session:
                self.session = Session(self.suite, self.book, self.name)
                self.session.select("INBOX", "EXAMINE")
            self.rng.choice(self.acts)(self)
            if self.session:
                self.session.learn()
        except Gone:
            self.session = None

    acts = [Mailer.fetch, Mailer.read, Mailer.search, Mailer.status,
            Mailer.noop]


class Idler(Mailer):
    """Listens to INBOX."""

    def act(self):
        try:
            if not self.session:
                self.session = Session(self.suite, self.book, self.name)
                self.session.select("INBOX")
            self.idle(self.rng.uniform(0.1, 1.0))
            self.session.learn()
        except Gone:
            self.session = None
        except OSError as e:
            self.book.finding(self.name, "IDLE: %s", e)
            self.session = None

    def idle(self, seconds):
        raw = self.session.raw
        raw.send(b"i IDLE\r\n")
        self.session.hear(raw.line(), "IDLE")
        time.sleep(seconds)
        raw.send(b"DONE\r\n")
        *lines, last = raw.until("i")
        for line in lines:
            self.session.hear(line, "IDLE")
        self.book.act(self.name, "IDLE")
        if not last.startswith(b"i OK"):
            self.session.finding("IDLE: %s", last.decode()[:200])
            raise Gone


class Popper(Actor):
    def act(self):
        time.sleep(self.rng.uniform(0, 0.2))
        p = poplib.POP3(self.suite.HOST, self.suite.POP3_PORT, timeout=60)
        try:
            p.user(self.suite.address())
            p.pass_(self.suite.PASS1)
            self.work(p)
            p.quit()
            self.book.act(self.name, "POP3")
        except (poplib.error_proto, OSError, EOFError) as e:
            self.book.finding(self.name, "%r", e)
        finally:
            p.close()

    def work(self, p):
        """UIDL first: so it is known what each is."""
        place = {}
        for line in p.uidl()[1]:
            n, name = line.split()
            place[int(n)] = "INBOX", int(name[:8], 16)
        for n in self.rng.sample(sorted(place), min(3, len(place))):
            self.one(p, n, place[n])

    def one(self, p, n, place):
        """A message that another has removed or changed may be refused."""
        with self.book.lock:
            token = self.book.token.get(place)
        try:
            got = p.retr(n)[1] if self.rng.random() < 0.7 else p.top(n, 0)[1]
            self.book.act(self.name, "RETR")
        except poplib.error_proto as e:
            if not (isinstance(e.args[0], bytes) and e.args[0].startswith(
                    b"-ERR")) or token and kind(token) == "kept":
                raise
            self.book.act(self.name, "refused")
            return
        token = token_of(b"\n".join(got))
        if token:
            self.book.known(self.name, *place, token)
        if token and kind(token) == "free" and self.rng.random() < 0.3:
            p.dele(n)
            self.book.act(self.name, "DELE")


class Deliverer(Actor):
    """By SMTP and LMTP in turn."""

    def act(self):
        time.sleep(self.rng.uniform(0, 0.1))
        token = self.new()
        how = self.rng.choice(("SMTP", "LMTP"))
        try:
            with self.connect(how) as c:
                c.sendmail("a@client.test", [self.suite.address()],
                           text(token))
            self.book.promise(token)
            self.book.act(self.name, how)
        except (smtplib.SMTPException, OSError) as e:
            self.book.finding(self.name, "%r", e)

    def connect(self, how):
        if how == "SMTP":
            return self.suite.smtp()
        return smtplib.LMTP(self.suite.LMTP_SOCKET, 0)


class Foreign(Actor):
    """Another program in the same Maildir."""

    def act(self):
        time.sleep(self.rng.uniform(0, 0.1))
        self.maildir = os.path.join(self.suite.MAILROOT, "alice/Maildir")
        try:
            act = self.rng.choice(self.acts)
            act(self)
            self.book.act(self.name, act.__name__)
        except FileNotFoundError:
            pass    # somebody was faster

    def files(self, *kinds):
        found = []
        for sub in ("new", "cur"):
            names = os.listdir(os.path.join(self.maildir, sub))
            self.rng.shuffle(names)
            for name in names[:20]:
                path = os.path.join(self.maildir, sub, name)
                with open(path, "rb") as f:
                    token = token_of(f.read(2048))
                if token and kind(token) in kinds:
                    found.append(path)
        return found

    def deliver(self):
        token = self.new()
        name = "%d.%s.foreign" % (time.time(), token)
        begun = os.path.join(self.maildir, "tmp", name)
        with open(begun, "wb") as f:
            f.write(text(token).replace(b"\r\n", b"\n"))
        st = os.stat(self.maildir)
        os.chown(begun, st.st_uid, st.st_gid)
        os.rename(begun, os.path.join(self.maildir, "new", name))
        self.book.promise(token)

    def flag(self):
        for path in self.files("free", "edited")[:1]:
            base, _, letters = os.path.basename(path).partition(":2,")
            letters = "".join(sorted(set(letters) ^ {
                self.rng.choice("FRSD")}))
            os.rename(path, os.path.join(self.maildir, "cur",
                                         base + ":2," + letters))

    def remove(self):
        for path in self.files("free")[:1]:
            os.unlink(path)

    def edit(self):
        """Longer, shorter, or another text of the same length."""
        for path in self.files("edited")[:1]:
            with open(path, "r+b") as f:
                body = len(f.read().partition(b"\n\n")[2])
                how = self.rng.choice(("longer", "shorter", "other"))
                if how == "shorter" and body > 20:
                    f.truncate(f.tell() - 5)
                elif body > 20:
                    f.seek(0 if how == "longer" else -10, 2)
                    f.write(b"edited..\r\n")
            self.book.edit()

    # a reader waits for a file that is written to: not too often
    acts = [deliver, deliver, flag, flag, flag, flag, remove, remove, edit]


def without_edits():
    Foreign.acts = [act for act in Foreign.acts if act is not Foreign.edit]
