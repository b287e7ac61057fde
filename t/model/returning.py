"""A client that keeps what it knows of a folder, loses its connection, and
comes back with QRESYNC (RFC 7162): then it must know what is there, as if it
had asked for everything."""
import re
import time

from actors import FOLDERS, Actor
from book import kind
from session import FLAGS, UID, Gone, Session

MODSEQ = re.compile(rb"[( ]MODSEQ \((\d+)\)")
CODE = re.compile(rb"\[HIGHESTMODSEQ (\d+)\] \S")
VANISHED = re.compile(rb"\* VANISHED (\(EARLIER\) )?([0-9:,]+)$")


class Cache:
    """What outlives the connection."""

    def __init__(self):
        self.validity = self.modseq = None
        self.flags = {}     # UID: set of flags


def ranges(text):
    for part in text.decode().split(","):
        first, _, last = part.partition(":")
        yield int(first), int(last or first)


class Synced(Session):
    def __init__(self, suite, book, name):
        self.modseq, self.seen, self.code = 0, 0, None
        self.modseqs, self.told, self.shown = {}, {}, set()
        self.cache = Cache()
        super().__init__(suite, book, name)
        self.ask("ENABLE QRESYNC")

    # what is heard

    def hear(self, line, command):
        self.command = command
        super().hear(line, command)
        if CODE.search(line):
            self.code = int(CODE.search(line).group(1))
        found = VANISHED.match(line)
        if found:
            self.hear_vanished(found, command)
        if re.match(rb"\* \d+ EXPUNGE", line):
            self.finding("EXPUNGE after ENABLE QRESYNC")

    def hear_vanished(self, found, command):
        earlier = found.group(1) is not None
        if not earlier and command in ("FETCH", "STORE", "SEARCH"):
            self.finding("VANISHED during %s", command)
        for first, last in ranges(found.group(2)):
            known = self.cache.flags if earlier else self.view
            gone = [u for u in known if u and first <= u <= last]
            for uid in gone:
                self.book.heard_gone(self.name, self.folder, uid)
            if earlier:
                if any(u and first <= u <= last for u in self.view):
                    self.finding("VANISHED (EARLIER) of what is there")
                for uid in gone:
                    del self.cache.flags[uid]
                continue
            self.view = [u for u in self.view if u not in gone]
            for uid in range(first, last + 1):
                if uid not in gone:
                    self.hear_unnamed_gone(uid)

    def hear_unnamed_gone(self, uid):
        """UID vanishes, which EXISTS counted and nothing has named: one of
        those between the neighbours that have names."""
        place = None
        for i, known in enumerate(self.view):
            if known is None:
                place = i
            elif known < uid:
                place = None
            else:
                break
        if place is None:
            self.finding("VANISHED %d of what was not there: %s", uid,
                         self.view[-5:])
        else:
            del self.view[place]

    def hear_fetch(self, n, line):
        super().hear_fetch(n, line)
        head = line.split(b"{", 1)[0]
        uid, modseq = UID.search(head), MODSEQ.search(head)
        if not (uid and modseq) and self.command != "FETCH":
            self.finding("FETCH without UID and MODSEQ: %s", line[:200])
        if uid and modseq:
            self.seen = max(self.seen, int(modseq.group(1)))
            self.modseqs[int(uid.group(1))] = int(modseq.group(1))
            self.told[int(uid.group(1))] = int(modseq.group(1))
            if FLAGS.search(head):
                self.shown.add(int(uid.group(1)))

    def ask(self, command):
        self.code, self.seen = None, 0
        self.told, self.shown = {}, set()   # of this command
        result = super().ask(command)
        self.note(self.last)
        return result

    def note(self, last):
        """RFC 7162 section 6: what the client takes for HIGHESTMODSEQ."""
        if CODE.search(last):
            self.code = int(CODE.search(last).group(1))
        if self.code is not None:
            self.modseq = self.code
        else:
            self.modseq = max(self.modseq, self.seen)
        self.code, self.seen = None, 0

    # what it does

    def come_back(self, folder, cache, rng):
        self.view, self.flags, self.folder = [], dict(cache.flags), folder
        self.cache, self.modseq = cache, 0
        how = ""
        if cache.modseq:
            how = " (QRESYNC (%d %d%s))" % (
                cache.validity, cache.modseq, self.known(cache, rng))
        lines, good = self.ask("SELECT %s%s" % (folder, how))
        if not good:
            raise Gone
        self.take_over(lines, cache)
        self.compare_all(cache)

    def known(self, cache, rng):
        """The optional arguments: all that is known, and a sample of it."""
        uids = sorted(cache.flags)
        how = " 1:%d" % uids[-1] if uids and rng.random() < 0.6 else ""
        if uids and rng.random() < 0.4:
            some = sorted(rng.sample(range(len(uids)), min(3, len(uids))))
            how += " (%s %s)" % (",".join(str(n + 1) for n in some),
                                 ",".join(str(uids[n]) for n in some))
        return how

    def take_over(self, lines, cache):
        found = re.search(rb"\[UIDVALIDITY (\d+)\]", b" ".join(lines))
        cache.validity = int(found.group(1))
        uids = sorted(cache.flags)
        if len(uids) > len(self.view):
            self.finding("%s: %d messages are known, there are %d: %s",
                         self.folder, len(uids), len(self.view), uids)
            raise Gone
        for n, uid in enumerate(uids):
            if self.view[n] not in (None, uid):
                self.finding("%s: message %d is UID %s, not %d", self.folder,
                             n + 1, self.view[n], uid)
            self.view[n] = uid

    def compare_all(self, cache):
        """The list of all must be what was known, except for what came later,
        and the flags, except for what changed later."""
        told = self.modseq
        before, flags = list(self.view), dict(self.flags)
        if not before:
            return
        lines, good = self.ask("UID FETCH 1:* (FLAGS MODSEQ)")
        listed = {int(UID.search(u).group(1)): u for u in lines
                  if UID.search(u) and FLAGS.search(u)}
        unknown = before.count(None)
        extra = sorted(set(listed) - set(before))
        if sorted(set(before) - {None} - set(listed)) or len(
                extra) != unknown:
            self.finding("%s: after QRESYNC it knows %s, there is %s",
                         self.folder, before, sorted(listed))
        for uid in set(listed) & set(before):
            now = set(FLAGS.search(listed[uid]).group(1).decode().split())
            now -= {"\\Recent"}
            changed = int(MODSEQ.search(listed[uid]).group(1))
            if now != flags.get(uid) and changed <= told:
                self.finding("%s UID %d: after QRESYNC %s, it has %s, at %d "
                             "of %d", self.folder, uid, flags.get(uid), now,
                             changed, told)

    def lose(self):
        """The connection; what is known is kept."""
        self.cache.modseq, self.cache.flags = self.modseq, {}
        for uid in self.view:
            if uid not in self.flags:
                break       # it looks for what is new from here on
            self.cache.flags[uid] = self.flags[uid]
        self.raw.close()

    def store_if(self, uids, since, sign, silent, flag):
        """Nothing that has changed since is changed. What a silent one has
        changed is not told."""
        before = dict(self.modseqs)
        lines, good = self.ask(
            "UID STORE %s (UNCHANGEDSINCE %d) %s" % (
                ",".join(map(str, uids)), since,
                "%sFLAGS%s (%s)" % (sign, silent, flag)))
        found = re.search(rb"\[MODIFIED ([0-9:,]+)\]", self.last)
        modified = set()
        for first, last in ranges(found.group(1)) if found else ():
            modified |= set(range(first, last + 1))
        for uid in modified:
            if self.told.get(uid, since) <= since:
                self.finding("UID %d is MODIFIED since %d, and is told to be "
                             "at %s", uid, since, self.told.get(uid))
        # what is not told of is gone
        for uid in set(self.told) & set(uids) - modified:
            if before.get(uid, 0) > since:
                self.finding("UID %d was at %d, and is not MODIFIED since %d",
                             uid, before[uid], since)
        for uid in set(self.told) & set(uids) - modified - self.shown:
            if sign == "+":
                self.flags[uid] = self.flags.get(uid, set()) | {flag}
            else:
                self.flags[uid] = self.flags.get(uid, set()) - {flag}
        self.book.act(self.name, "MODIFIED" if modified else "UNCHANGED")


class Returner(Actor):
    def __init__(self, world, name):
        super().__init__(world, name)
        self.cache = {folder: Cache() for folder in FOLDERS}

    def session(self, folder):
        s = Synced(self.suite, self.book, self.name)
        s.come_back(folder, self.cache[folder], self.rng)
        return s

    def act(self):
        try:
            s = self.session(self.rng.choice(FOLDERS))
            self.book.act(self.name, "returns")
            for n in range(self.rng.randrange(6)):
                self.rng.choice(self.acts)(self, s)
            s.lose()
        except Gone:
            pass

    def free(self, s):
        uids = [uid for n, uid, token in s.tokens()
                if kind(token) == "free"]
        return self.rng.sample(uids, min(len(uids), 4))

    def noop(self, s):
        s.ask("NOOP")

    def fetch(self, s):
        s.ask("FETCH 1 FLAGS") if s.view else s.ask("NOOP")

    def since(self, s):
        s.ask("UID FETCH 1:* (FLAGS) (CHANGEDSINCE %d)" % max(1, s.modseq))

    def search(self, s):
        s.ask("UID SEARCH MODSEQ %d" % s.modseq)

    def store(self, s):
        uids = sorted(self.free(s))
        if uids:
            s.store_if(uids, self.rng.choice(
                [s.modseq, min(s.modseqs.get(u, 1) for u in uids)]),
                self.rng.choice("+-"), self.rng.choice(("", ".SILENT")),
                self.rng.choice(("\\Flagged", "$Two", "\\Deleted")))

    def expunge(self, s):
        s.ask("EXPUNGE")

    def idle(self, s):
        s.raw.send(b"i IDLE\r\n")
        s.hear(s.raw.line(), "IDLE")
        time.sleep(self.rng.uniform(0, 0.4))
        s.raw.send(b"DONE\r\n")
        *lines, last = s.raw.until("i")
        for line in lines:
            s.hear(line.rstrip(b"\r\n"), "IDLE")
        s.note(last)

    acts = [noop, noop, fetch, since, search, store, store, store, expunge,
            idle]

    def settled(self):
        """What it knows after coming back, without the list of all."""
        view = {}
        try:
            for folder in FOLDERS:
                s = self.session(folder)
                view[folder] = {u: s.flags[u] for u in s.view}
                s.lose()
        except Gone:
            pass
        return view
