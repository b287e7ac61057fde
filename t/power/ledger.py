"""What was sent, and what was promised of it.

A message is made from its token alone (`text`), so that what is read later can
be judged without a copy. Ledger belongs to senders; Box is the model of one
user's mailboxes, kept by the one session that changes them.
"""
import hashlib
import random
import re
import threading

TOKEN = re.compile(rb"^X-Token: ([A-Za-z0-9.-]+)\r?$", re.M)


def body(token):
    rng = random.Random(token)
    size = rng.choice((200, 500, 900, 2000, 3000, 3000, 6000, 9000, 30000))
    line = hashlib.sha256(token.encode()).hexdigest()
    lines = ["%s %d %s" % (token, n, line) for n in range(size // 76 + 1)]
    return "\r\n".join(lines) + "\r\n%s end\r\n" % token


def text(token, to):
    return ("From: <a@client.test>\r\nTo: <%s>\r\nSubject: cut %s\r\n"
            "X-Token: %s\r\n\r\n%s" % (to, token, token, body(token))).encode()


def judge(raw):
    """(token, whole?) of a message as it was read; token None: no header."""
    head = raw.split(b"\r\n\r\n", 1)[0]
    found = TOKEN.search(head + b"\r")
    if not found:
        return None, False
    token = found.group(1).decode()
    return token, raw.endswith(b"\r\n\r\n" + body(token).encode())


class Ledger:
    """Tokens by user: promised, or perhaps there."""

    def __init__(self, users):
        self.lock = threading.Lock()
        self.promised = {user: set() for user in users}
        self.sent = {user: set() for user in users}
        self.count = 0

    def token(self, who):
        with self.lock:
            self.count += 1
            return "%s.%d" % (who, self.count)

    def sending(self, users, token):
        with self.lock:
            for user in users:
                self.sent[user].add(token)

    def accepted(self, users, token):
        with self.lock:
            for user in users:
                self.promised[user].add(token)

    def total(self):
        return sum(len(tokens) for tokens in self.promised.values())


class Folder:
    def __init__(self):
        self.validity = None
        self.next = 1           # above all UIDs that were told of
        self.looked = 1         # all messages below it are known
        self.known = {}         # UID: (token, flags)
        self.gone = set()       # UIDs expunged, and the client told
        self.notes = {}         # entry: value

    def know(self, uid, token, flags):
        self.known[uid] = (token, frozenset(flags))
        self.next = max(self.next, uid + 1)

    def note(self, entry, value):
        self.notes.pop(entry, None)
        if value:
            self.notes[entry] = value


class Box:
    """FOLDERS by name; PENDING is the command that has no answer yet, as
    (word, what is needed to judge), or None."""

    def __init__(self, user, by_pop=False):
        self.user, self.by_pop = user, by_pop
        self.half = []          # tokens that a session was given in part
        self.twins = set()      # that came twice: POP3 cannot tell them apart
        self.folders = {}
        self.pending = None
        self.erased = set()     # tokens that are nowhere any more
        self.history = []       # of commands and answers, for people
        self.acts = 0           # commands that were answered OK

    def tokens(self):
        return [token for folder in self.folders.values()
                for token, _ in folder.known.values()]
