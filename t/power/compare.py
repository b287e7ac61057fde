"""What is there after a cut, beside what was promised.

`look` reads all folders of a user over IMAP; `compare` gives findings, each
(kind, text); `adopt` makes what is there the model of the next round. A
command that had no answer may have been done or not, message by message.
"""
from ledger import Folder, judge
from load import Refused, fetch, has_metadata, notes

LOST, HALF, BACK, FLAG, UIDS, FOLDER, NOTE, READ = (
    "lost", "half", "came back", "flags", "UIDs", "folder", "annotations",
    "not readable")


class Seen:
    """A folder as it is: known is {UID: (token, flags, whole?)}."""

    def __init__(self, m, name):
        kind, data = m.select(name, readonly=True)
        if kind != "OK":
            raise Refused("SELECT %s: %s" % (name, data))
        self.validity = int(m.response("UIDVALIDITY")[1][0])
        self.next = int(m.response("UIDNEXT")[1][0])
        self.known = {}
        for uid, flags, raw in fetch(m, "1:*") if data != [b"0"] else ():
            token, whole = judge(raw)
            self.known[uid] = (token, frozenset(flags), whole)
        self.notes = notes(m, name) if has_metadata(m) else {}


def look(m):
    """{name: Seen} of all folders."""
    kind, data = m.list()
    names = [line.decode().rsplit(" ", 1)[1].strip('"') for line in data]
    seen = {name: Seen(m, name) for name in names}
    m.logout()
    return seen


def compare(box, seen, ledger):
    return Comparison(box, seen, ledger).all()


class Comparison:
    """Of BOX with SEEN (of `look`); what was sent is in LEDGER."""

    def __init__(self, box, seen, ledger):
        self.box, self.seen, self.ledger = box, seen, ledger
        self.word, *self.args = box.pending or (None,)
        self.found = []
        self.twice = 0
        self.model = set(box.tokens())

    def add(self, kind, text, *words):
        self.found.append((kind, "%s: %s" % (self.box.user, text % words)))

    def all(self):
        self.names()
        for name in set(self.seen) & set(self.box.folders):
            self.folder(name, self.box.folders[name], self.seen[name])
        self.promised()
        for token in self.box.half:
            self.add(HALF, "%s was read in part", token)
        return self.found, self.twice

    # folders

    def names(self):
        model, there = set(self.box.folders), set(self.seen) | {"INBOX"}
        may_go, may_come = set(), set()
        if self.word == "create":
            may_come = {self.args[0]}
        elif self.word == "delete":
            may_go = {self.args[0]}
        elif self.word == "rename":
            self.half_renamed(*self.args)
            return
        for name in model - there - may_go:
            self.add(FOLDER, "%s is gone", name)
        for name in there - model - may_come - {"INBOX"}:
            self.add(FOLDER, "%s is there again", name)

    def half_renamed(self, old, new):
        if (old in self.seen) + (new in self.seen) != 1:
            self.add(FOLDER, "RENAME %s %s: %s", old, new, sorted(self.seen))
        elif new in self.seen:
            self.box.folders[new] = self.box.folders.pop(old)
        self.word = None
        self.names()

    # messages

    def folder(self, name, model, seen):
        if model.validity not in (None, seen.validity):
            self.add(UIDS, "%s: UIDVALIDITY was %d, is %d", name,
                     model.validity, seen.validity)
        if seen.next < model.next:
            self.add(UIDS, "%s: UIDNEXT was at least %d, is %d", name,
                     model.next, seen.next)
        self.annotations(name, model, seen)
        for uid, (token, flags) in model.known.items():
            self.message(name, uid, token, flags, seen.known.get(uid))
        for uid, (token, flags, whole) in seen.known.items():
            if not whole:
                self.add(HALF, "%s: UID %d (%s)", name, uid, token)
            elif uid not in model.known:
                self.news(name, model, uid, token)

    def annotations(self, name, model, seen):
        may = [dict(model.notes)]
        if self.word == "annotate" and self.args[0] == name:
            model.note(*self.args[1:])
            may.append(model.notes)
        if seen.notes not in may:
            self.add(NOTE, "%s had %s, has %s", name, may, seen.notes)

    def message(self, name, uid, token, flags, now):
        if now is None:
            if not self.may_be_gone(name, uid, token):
                self.add(LOST, "%s: UID %d (%s)", name, uid, token)
            return
        if now[2] and now[0] != token:
            self.add(UIDS, "%s: UID %d was %s, is %s", name, uid, token,
                     now[0])
        may = {flags}
        if self.word == "store" and self.args[0] == name:
            may.add(frozenset(self.args[1].get(uid, flags)))
        # RETR may set one
        if now[1] not in may and not self.box.by_pop:
            self.add(FLAG, "%s: UID %d (%s) had %s, has %s", name, uid, token,
                     sorted(flags), sorted(now[1]))

    def may_be_gone(self, name, uid, token):
        if token in self.box.twins:
            return True
        if self.word == "pop":
            return token in self.args[0]
        return (self.word in ("expunge", "move") and self.args[0] == name
                and uid in self.args[1])

    def news(self, name, model, uid, token):
        if token in self.box.twins:
            return
        if uid in model.gone or uid < model.looked:
            self.add(BACK, "%s: UID %d (%s)", name, uid, token)
        elif name == "INBOX" and token in self.ledger.sent[self.box.user]:
            if token in self.box.erased - self.box.twins:
                self.add(BACK, "%s: UID %d, %s had been expunged", name, uid,
                         token)
            self.twice += token in self.model
            self.model.add(token)
        elif not self.may_have_come(name, token):
            self.add(BACK, "%s: UID %d (%s) is not from here", name, uid,
                     token)

    def may_have_come(self, name, token):
        if self.word == "append":
            return self.args == [name, token]
        return (self.word in ("copy", "move") and self.args[2] == name
                and token in self.args[3])

    def promised(self):
        there = {token for folder in self.seen.values()
                 for token, _, _ in folder.known.values()}
        may_go = set(self.box.erased)
        if self.word == "expunge":
            may_go |= set(self.args[2])
        if self.word == "pop":
            may_go |= set(self.args[0])
        if self.word == "delete" and self.args[0] not in self.seen:
            may_go |= {token for token, _ in
                       self.box.folders[self.args[0]].known.values()}
        wanted = self.ledger.promised[self.box.user] - self.box.twins
        for token in sorted(wanted - there - may_go):
            self.add(LOST, "%s was accepted", token)
        if self.word == "move":
            for token in sorted(set(self.args[3]) - there - wanted):
                self.add(LOST, "%s was being moved", token)


def adopt(box, seen, ledger):
    there = set()
    for name, now in seen.items():
        folder = box.folders.setdefault(name, Folder())
        folder.validity, folder.next = now.validity, now.next
        folder.looked = now.next
        folder.notes = now.notes
        folder.gone |= set(folder.known) - set(now.known)
        folder.known = {uid: (token, flags)
                        for uid, (token, flags, _) in now.known.items()}
        tokens = [token for token, _, _ in now.known.values()]
        there |= set(tokens)
        if box.by_pop:
            box.twins |= {t for t in tokens if tokens.count(t) > 1}
    for name in set(box.folders) - set(seen):
        del box.folders[name]
    box.pending = None
    # what is lost was reported, and is not reported again
    box.erased |= ledger.promised[box.user] - there
    box.erased -= there
