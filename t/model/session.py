"""An IMAP session that holds the server to its numbers: what is untagged
changes a list of messages as RFC 3501 says, and nothing else may."""
import os
import re
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from imapsession import Raw  # noqa: E402
from book import token_of  # noqa: E402

EXPLAINED = {
    "STORE": ("EXPUNGEISSUED", "MODIFIED"),
    "COPY": ("EXPUNGEISSUED", "TRYCREATE", "NONEXISTENT"),
    "MOVE": ("EXPUNGEISSUED", "TRYCREATE", "NONEXISTENT"),
    # NONEXISTENT: another session deletes it just then
    "CREATE": ("ALREADYEXISTS", "NONEXISTENT"), "DELETE": ("NONEXISTENT",),
    "RENAME": ("NONEXISTENT", "ALREADYEXISTS"), "STATUS": (),
}
# a file may be written to so long, in seconds, before a reader gives up
EDITING = 4
# these leave numbers as they are until they are done: section 7.4.1
NO_EXPUNGE = ("FETCH", "STORE", "SEARCH")
UNTAGGED = re.compile(rb"\* (\d+) (EXISTS|RECENT|EXPUNGE|FETCH)")
UID = re.compile(rb"[( ]UID (\d+)")
FLAGS = re.compile(rb"[( ]FLAGS \(([^)]*)\)")
NOTES = "/private/vendor/model"
NOTE = re.compile(r'(/\S+) (?:NIL|"([^"]*)")')


class Gone(Exception):
    """The connection has ended, or the mailbox cannot be opened."""


class Session:
    def __init__(self, suite, book, name):
        self.book, self.name = book, name
        sock = socket.create_connection((suite.HOST, suite.IMAP_PORT), 60)
        sock.settimeout(60)
        self.raw = Raw(sock)
        self.folder, self.view = None, []       # UIDs, None: not known yet
        self.read_only = False
        self.flags = {}
        self.ask("LOGIN %s %s" % (suite.address(), suite.PASS1))

    def finding(self, fmt, *words):
        self.book.finding(self.name, fmt, *words)

    def end(self):
        try:
            self.raw.ask("LOGOUT")
        except OSError:
            pass
        self.raw.close()

    def ask(self, command):
        """(untagged lines, True if OK). What is not OK must be explained."""
        words = command.upper().split()
        word = words[1] if words[0] == "UID" else words[0]
        begun = time.monotonic()
        try:
            lines, last = self.raw.ask(command)
        except OSError as e:
            self.finding("%s: %s", command[:80], e)
            raise Gone
        for line in lines:
            self.hear(line, words[0])
        self.last = last
        if not last:
            self.finding("%s: the connection ends: %s", command[:80],
                         lines[-1:])
            raise Gone
        self.book.act(self.name, word)
        if last.startswith(b"OK"):
            # a FETCH of what another session expunged
            return lines, not last.startswith(b"OK [EXPUNGEISSUED]")
        if not self.explained(word, last, begun):
            self.finding("%s: %s", command[:80], last.decode()[:200])
        return lines, False

    def explained(self, word, answer, begun):
        code = re.match(rb"NO \[([A-Z-]+)", answer)
        code = code.group(1).decode() if code else None
        return (code in EXPLAINED.get(word, ()) or
                code == "READ-ONLY" and self.read_only or
                code == "UNAVAILABLE" and word == "FETCH" and
                self.book.edits_since(begun - EDITING))

    def hear(self, line, command):
        if line.startswith(b"* BYE"):
            self.finding("%s: %s", command, line.decode()[:200])
        found = UNTAGGED.match(line)
        if not found:
            return
        n, what = int(found.group(1)), found.group(2)
        if what == b"EXISTS":
            if n < len(self.view):
                self.finding("EXISTS went from %d to %d", len(self.view), n)
            self.view += [None] * (n - len(self.view))
        elif what == b"EXPUNGE":
            self.hear_expunge(n, command)
        elif what == b"FETCH":
            self.hear_fetch(n, line)

    def hear_expunge(self, n, command):
        if command in NO_EXPUNGE:
            self.finding("EXPUNGE during %s", command)
        if not 1 <= n <= len(self.view):
            self.finding("EXPUNGE %d of %d", n, len(self.view))
            return
        uid = self.view.pop(n - 1)
        if uid:
            self.book.heard_gone(self.name, self.folder, uid)

    def hear_fetch(self, n, line):
        if not 1 <= n <= len(self.view):
            self.finding("FETCH %d of %d", n, len(self.view))
            return
        head = line.split(b"{", 1)[0]
        uid, flags = UID.search(head), FLAGS.search(head)
        if uid:
            now = int(uid.group(1))
            if self.view[n - 1] not in (None, now):
                self.finding("message %d was UID %d, is UID %d", n,
                             self.view[n - 1], now)
            self.view[n - 1] = now
        if flags and self.view[n - 1]:
            self.flags[self.view[n - 1]] = set(
                flags.group(1).decode().split()) - {"\\Recent"}

    # what a client does

    def select(self, folder, word="SELECT"):
        self.view, self.flags, self.folder = [], {}, folder
        self.read_only = word == "EXAMINE"
        lines, good = self.ask("%s %s" % (word, folder))
        for line in lines:
            found = re.match(rb"\* OK \[UIDVALIDITY (\d+)\]", line)
            if found:
                self.book.numbered(self.name, folder, int(found.group(1)))
        if not good:
            raise Gone
        self.learn()

    def learn(self):
        """UIDs and tokens of what is new."""
        new = [n + 1 for n, uid in enumerate(self.view) if uid is None]
        if new:
            lines, good = self.ask(
                "FETCH %d:%d (UID FLAGS BODY.PEEK[HEADER.FIELDS (X-TOKEN)])" %
                (new[0], new[-1]))
            for line in lines:
                self.read_token(line)
        known = [uid for uid in self.view if uid]
        if known != sorted(set(known)):
            self.finding("UIDs do not ascend: %s", known)

    def read_token(self, line):
        uid, token = UID.search(line.split(b"{", 1)[0]), token_of(line)
        if uid and token:
            self.book.known(self.name, self.folder, int(uid.group(1)), token)

    def tokens(self):
        """(number, UID, token) of all that is known here."""
        with self.book.lock:
            return [(n + 1, uid, self.book.token[self.folder, uid])
                    for n, uid in enumerate(self.view)
                    if uid and (self.folder, uid) in self.book.token]

    def read_all(self):
        """Reads every message, until none is new: a file that another
        program wrote to is found out by this."""
        for tries in range(20):
            self.ask("NOOP")
            self.learn()
            if not self.view or self.ask("FETCH 1:* BODY.PEEK[]")[1]:
                return
        self.finding("%s: not all can be read", self.folder)

    def notes(self, folder):
        """{entry: value}, all that there are."""
        lines, good = self.ask("GETMETADATA (DEPTH infinity) %s (%s)" % (
            folder, NOTES))
        return dict(NOTE.findall(b" ".join(lines).decode()))

    def settle(self):
        """{UID: flags}, when nothing changes any more."""
        self.ask("CHECK")
        self.ask("NOOP")
        self.learn()
        before = list(self.view)
        lines, good = self.ask("FETCH 1:* (UID FLAGS)") if self.view else (
            [], True)
        got = [(int(UID.search(line).group(1)),
                set(FLAGS.search(line).group(1).decode().split()) -
                {"\\Recent"}) for line in lines if UID.search(line)]
        if [uid for uid, flags in got] != before:
            self.finding("FETCH 1:* says %s, it was told of %s",
                         [uid for uid, _ in got], before)
        return dict(got)
