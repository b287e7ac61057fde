"""The model: what every session together may believe of two mailboxes.

A message is made from its token; the token's class says who may do what:

    kept    nobody removes it, its owner alone stores its flags: it must be
            there, whole, with the flags that the owner was last told
    free    anybody may do anything; once somebody has, it may be anywhere
    edited  another program changes the file in place, nobody removes it: it
            is there, and is a new message when its size is another

Findings are what no order of the acts explains.
"""
import hashlib
import re
import sys
import threading
import time

CLASSES = ("kept", "kept", "kept", "free", "free", "free", "free", "edited")
TOKEN = re.compile(rb"^X-Token: (\S+?)\r?$", re.M)


def kind(token):
    return CLASSES[int(token.rsplit(".", 1)[1]) % len(CLASSES)]


def text(token):
    n = int(token.rsplit(".", 1)[1])
    line = hashlib.sha256(token.encode()).hexdigest()
    body = "".join("%s %d %s\r\n" % (token, i, line)
                   for i in range((1, 4, 40, 300)[n // 8 % 4]))
    return ("From: <a@client.test>\r\nTo: <alice@example.test>\r\n"
            "Subject: %s\r\nX-Token: %s\r\n\r\n%s" % (
                token, token, body)).encode()


def token_of(raw):
    found = TOKEN.search(raw)
    return found.group(1).decode() if found else None


class Book:
    def __init__(self, files):
        self.files = files          # which have a token, for people
        self.lock = threading.Lock()
        self.count = 0
        self.findings = []
        self.acts = {}              # (who, what): how often
        self.edited = -1e9          # when a file was written to in place
        self.promised = set()       # tokens that are in, once the queue is
        self.token = {}             # (folder, UID): token
        self.gone = set()           # (folder, UID) that were told as gone
        self.flags = {}             # (folder, UID): what the owner was told
        self.validity = {}
        self.notes = {}             # (folder, entry): what its owner was told

    def new_token(self, who):
        with self.lock:
            self.count += 1
            return "%s.%d" % (who, self.count)

    def promise(self, token):
        with self.lock:
            self.promised.add(token)

    def finding(self, who, fmt, *words):
        with self.lock:
            self.findings.append("%s: %s" % (who, fmt % words))
            if len(self.findings) <= 40:
                print("#", self.findings[-1][:400], file=sys.stderr,
                      flush=True)

    def act(self, who, what):
        with self.lock:
            self.acts[who, what] = self.acts.get((who, what), 0) + 1

    def edits_since(self, when):
        with self.lock:
            return self.edited >= when

    def edit(self):
        with self.lock:
            self.edited = time.monotonic()

    def last_uid(self, folder):
        with self.lock:
            return max((uid for where, uid in self.token
                        if where == folder), default=0)

    def known(self, who, folder, uid, token):
        """WHO has read TOKEN in that place."""
        with self.lock:
            before = self.token.setdefault((folder, uid), token)
        if before != token:
            self.finding(who, "%s UID %d was %s, is %s", folder, uid, before,
                         token)

    def numbered(self, who, folder, validity):
        with self.lock:
            before = self.validity.setdefault(folder, validity)
        if before != validity:
            self.finding(who, "%s: UIDVALIDITY was %d, is %d", folder, before,
                         validity)

    def heard_gone(self, who, folder, uid):
        with self.lock:
            self.gone.add((folder, uid))
            token = self.token.get((folder, uid))
        if token and kind(token) == "kept":
            self.finding(who, "%s UID %d (%s), which nobody removes, is told "
                         "as gone", folder, uid, token)

    # when all is quiet

    def compare(self, views):
        """VIEWS: {who: {folder: {UID: flags}}}, of all sessions."""
        for folder in {f for view in views.values() for f in view}:
            parts = {who: view[folder] for who, view in views.items()
                     if folder in view}
            first = sorted(parts)[0]
            for who in sorted(parts)[1:]:
                self.agree(folder, first, parts[first], who, parts[who])
            self.judge(folder, parts[first])
        self.find_lost(views)

    def compare_notes(self, who, folder, there):
        """THERE: {entry: value} of a folder, all that GETMETADATA has."""
        with self.lock:
            told = {entry: value for (where, entry), value in
                    self.notes.items() if where == folder and value}
        if there != told:
            self.finding(who, "%s: annotations are %s, it was told of %s",
                         folder, there, told)

    def agree(self, folder, one, a, other, b):
        for uid in sorted(set(a) ^ set(b)):
            self.finding("all", "%s UID %d: only %s has it, not %s", folder,
                         uid, *((one, other) if uid in a else (other, one)))
        for uid in set(a) & set(b):
            if a[uid] != b[uid]:
                self.finding("all", "%s UID %d: %s says %s, %s says %s",
                             folder, uid, one, sorted(a[uid]), other,
                             sorted(b[uid]))

    def judge(self, folder, now):
        for place in self.gone:
            if place[0] == folder and place[1] in now:
                self.finding("all", "%s UID %d was told as gone, and is there",
                             *place)
        for (where, uid), flags in self.flags.items():
            if where == folder and uid in now and flags != now[uid] - {
                    "\\Seen"}:
                self.finding("all", "%s UID %d (%s) was told to have %s, has "
                             "%s", folder, uid, self.token[where, uid],
                             sorted(flags), sorted(now[uid]))

    def find_lost(self, views):
        there = set()
        for view in views.values():
            for folder, uids in view.items():
                there |= {self.token.get((folder, uid)) for uid in uids}
        for token in sorted(self.promised - there):
            if kind(token) != "free":
                self.finding("all", "%s is lost; files: %s; without a token: "
                             "%s", token, self.files(token), [
                                 (who, folder, uid)
                                 for who, view in views.items()
                                 for folder, uids in view.items()
                                 for uid in uids
                                 if (folder, uid) not in self.token])
                self.promised.discard(token)
