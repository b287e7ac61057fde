"""A client that asks by NOTIFY (RFC 5465) for all that happens in both folders,
and mostly listens. The numbers of the selected one change as in any session;
what it was told last of the other one, and of annotations, must be so when all is
quiet."""
import re
import select
import time

from actors import FLAGS, FOLDERS, Actor
from book import kind
from session import Gone, Session

TOLD = re.compile(rb'\* STATUS "?([A-Za-z]+)"? \((.*)\)$')
ITEMS = "MESSAGES UIDNEXT UIDVALIDITY UNSEEN HIGHESTMODSEQ"
NUMBERS = re.compile((r"(%s) (\d+)" % ITEMS.replace(" ", "|")).encode())
EVENTS = "(MessageNew MessageExpunge FlagChange)"
NOTED = re.compile(rb'\* METADATA "?([A-Za-z]+)"? /')
LATE = 20       # seconds; without the feed a session looks every ten


class Listening(Session):
    def __init__(self, suite, book, name):
        self.told = {}      # folder: what STATUS said last
        self.noted = {}     # folder: annotations
        super().__init__(suite, book, name)
        self.ask("ENABLE CONDSTORE")

    def hear(self, line, command):
        if b"[CLOSED]" in line:
            self.change()
        super().hear(line, command)
        found = TOLD.match(line.rstrip(b"\r\n"))
        if found:
            self.told[found.group(1).decode()] = dict(
                NUMBERS.findall(found.group(2)))
            self.book.act(self.name, "STATUS")
        found = NOTED.match(line)
        if found:
            # they are read when they are needed
            self.noted.pop(found.group(1).decode(), None)
            self.book.act(self.name, "METADATA")

    def look_at_notes(self):
        """{folder: {entry: value}}, of which it was not told of changes."""
        for folder in FOLDERS:
            if folder not in self.noted:
                self.noted[folder] = None   # it may change while it is read
                now = self.notes(folder)
                if folder in self.noted:
                    self.noted[folder] = now
        return self.noted

    def hear_fetch(self, n, line):
        """What is new comes with its token."""
        super().hear_fetch(n, line)
        self.read_token(line)

    def select(self, folder, word="SELECT"):
        """Until it is closed, what is told is of the former folder."""
        self.to = folder
        if not self.folder:
            self.change()
        if not self.ask("%s %s" % (word, folder))[1]:
            raise Gone
        self.learn()

    def change(self):
        """Of the folder that is left this is known, and what differs is told:
        by STATUS."""
        if self.folder:
            told = self.told[self.folder] = {
                b"MESSAGES": b"%d" % len(self.view)}
            flags = [self.flags.get(uid) for uid in self.view]
            if None not in flags:   # it may not have asked yet
                told[b"UNSEEN"] = b"%d" % sum("\\Seen" not in f
                                              for f in flags)
        self.view, self.flags, self.folder = [], {}, self.to

    def listen(self, seconds):
        """To what comes without a command: EXPUNGE waits for one."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            left = max(0, until - time.monotonic())
            if not self.raw.waiting() and not select.select(
                    [self.raw.sock], [], [], left)[0]:
                return
            line = self.raw.line()
            if not line:
                self.finding("the connection ends")
                raise Gone
            self.hear(line.rstrip(b"\r\n"), "FETCH")
            self.book.act(self.name, "hears")


class Listener(Actor):
    session = None

    def act(self):
        try:
            if not self.session:
                self.session = Listening(self.suite, self.book, self.name)
                self.begin()
            self.rng.choice(self.acts)(self)
        except Gone:
            self.session = None

    def begin(self):
        self.session.select(self.rng.choice(FOLDERS))
        self.session.ask(
            "NOTIFY SET STATUS (selected-delayed (MessageNew (FLAGS BODY.PEEK["
            "HEADER.FIELDS (X-TOKEN)]) MessageExpunge FlagChange)) "
            "(mailboxes (%s) %s) (personal (MailboxMetadataChange))" % (
                " ".join(FOLDERS), EVENTS))
        self.session.look_at_notes()

    def listen(self):
        self.session.listen(self.rng.uniform(0.1, 1.0))

    def noop(self):
        self.session.ask("NOOP")
        self.session.learn()

    def store(self):
        """Its own changes are no news."""
        some = [m for m in self.session.tokens() if kind(m[2]) == "free"]
        for n, uid, token in some[:1]:
            self.session.ask("UID STORE %d %sFLAGS (%s)" % (
                uid, self.rng.choice("+-"), self.rng.choice(
                    FLAGS + ("\\Seen",))))

    def read_notes(self):
        self.session.look_at_notes()

    def reselect(self):
        """The one that was told of is selected, and the other way round."""
        self.session.select(self.rng.choice(FOLDERS))

    def leave(self):
        self.session.end()
        self.session = None

    acts = [listen, listen, listen, noop, store, store, read_notes,
            reselect, leave]

    def settled(self):
        try:
            if not self.session:
                return {}
            self.compare()
            return {self.session.folder: self.session.settle()}
        except Gone:
            self.session = None
            return {}

    def compare(self):
        """What is known by NOTIFY, and what another session is told now."""
        s = Session(self.suite, self.book, self.name + "-asks")
        other = next(f for f in FOLDERS if f != self.session.folder)
        until = time.monotonic() + LATE
        while True:
            self.session.ask("NOOP")
            known = (self.session.told.get(other),
                     self.session.look_at_notes())
            there = self.there(s, other, known[0] or ())
            if known == there or time.monotonic() > until:
                break
            time.sleep(0.1)
        if known != there:
            self.session.finding("%s: NOTIFY told of %s, there is %s", other,
                                 known, there)
        s.end()

    def there(self, s, folder, items):
        """The same by questions: ITEMS of the status, all annotations."""
        now = {}
        for line in s.ask("STATUS %s (%s)" % (folder, ITEMS))[0]:
            if TOLD.match(line):
                now = dict(NUMBERS.findall(line))
        return ({item: now.get(item) for item in items},
                {name: s.notes(name) for name in FOLDERS})
