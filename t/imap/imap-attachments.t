#!/usr/bin/env python3
"""SEARCH in text of attachments (fts_decoder): found, kept beside the folder,
and found the same whatever becomes of what was kept."""
import base64
import os
import random
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap, wait_for  # noqa: E402
from imapsession import Sessions  # noqa: E402
import decoding  # noqa: E402

SEED = int(os.environ.get("ATTACHMENTS_SEED") or random.randrange(1 << 30))
TEXTS = "posthorn-texts"
HEAD = 48
DAY = 86400
OCTETS = "application/octet-stream"
tap = Tap()
rng = random.Random(SEED)
print("# ATTACHMENTS_SEED=%d" % SEED)


def part(kind, data, more="", code="base64"):
    body = base64.encodebytes(data) if code == "base64" else data.replace(
        b"\r\n", b"\n")
    return (b"Content-Type: %s\r\nContent-Transfer-Encoding: %s\r\n%s\r\n%s\r\n"
            % (kind.encode(), code.encode(), more.encode(),
               body.replace(b"\n", b"\r\n")))


def message(subject, *parts):
    return (b"From: a@example.com\r\nSubject: %s\r\nContent-Type: multipart/"
            b"mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n"
            b"the text itself\r\n--b\r\n%s--b--\r\n"
            % (subject.encode(), b"--b\r\n".join(parts)))


def within(inner):
    return part("message/rfc822", inner, code="8bit")


PDF = part("application/pdf", decoding.pdf("Invoice 4711 for apples"))
MESSAGES = [
    message("one", PDF),
    message("two", part(OCTETS, decoding.docx("A letter to", "Grandmother"),
                        "Content-Disposition: attachment; "
                        "filename*=utf-8''letter%20one.DOCX\r\n")),
    message("three", part(OCTETS + "; name=\"=?utf-8?q?b=C3=BCro=2Eodt?=\"",
                          decoding.odt("Stra\u00dfe der Republik")),
            part("application/pdf", decoding.pdf("pears"))),
    message("four", within(message("inner", PDF))),
    message("five", part("application/x-fail", b"what fails")),
    message("six", part(OCTETS, b"Invoice 4711, that nobody decodes")),
    message("seven", part("application/pdf", b"Invoice 4711, but no PDF")),
    message("eight", part("application/x-more", b"a little")),
    b"From: a@example.com\r\nSubject: nine\r\nContent-Type: application/pdf\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\n" +
    base64.encodebytes(decoding.pdf("the whole message is a document")),
    b"From: a@example.com\r\nSubject: ten\r\n\r\nplain, with an invoice\r\n",
]
QUESTIONS = [
    ("BODY", "invoice 4711", [1, 4]), ("TEXT", "INVOICE", [1, 4, 10]),
    ("BODY", "grandmother", [2]), ("BODY", "letter to grandmother", [2]),
    ("BODY", "STRA\u00dfE der", [3]), ("BODY", "pears", [3]),
    ("BODY", "republik pears", []), ("BODY", "itself invoice", []),
    ("NOT BODY", "the text itself", [9, 10]), ("BODY", "what fails", []),
    ("BODY", "nobody decodes", []), ("BODY", "no pdf", []),
    ("BODY", "more and more", [8]), ("BODY", "is a document", [9]),
    ("TEXT", "w:document", []), ("SUBJECT", "invoice", []),
    ("BODY", "4711", [1, 4]), ("BODY", "absent", []),
]


class Place:
    """Sessions with a decoder beside them."""

    def __init__(self, *lines, maildir=None):
        self.all = Sessions()
        f = self.all.folder
        fail = f.write("fail", "#!/bin/sh\necho what fails\nexit 1\n")
        more = f.write("more", "#!/bin/sh\nread line\nwhile test ${#x} -lt "
                       "9000\ndo x=\"$x more and more\"\ndone\necho \"$x\"\n")
        os.chmod(fail, 0o755)
        os.chmod(more, 0o755)
        self.commands = [decoding.PDF, decoding.DOCX, decoding.ODT,
                         "{application/x-fail: %s}" % fail,
                         "{application/x-more: %s}" % more,
                         "{application/x-same: /bin/cat}"]
        self.lines = lines
        self.configure()
        if maildir:
            self.all.maildir = maildir

    def configure(self):
        self.all.folder.configure(self.lines + (
            "fts_decoder = " + " ".join(self.commands),))

    def __enter__(self):
        self.all.__enter__()
        self.decoder = decoding.start(self.all.folder)
        return self

    def __exit__(self, *what):
        self.all.__exit__(*what)

    def select(self):
        r = self.all.raw()
        r.ask("SELECT INBOX")
        return r

    def runs(self):
        """How often a command has been run. The log may be late: what it says
        counts when it has not grown for a while."""
        was, log = None, ""
        while log != was:
            was, log = log, str(self.all.folder.read_log())
            time.sleep(0.3)
        return sum(": done, " in line or ": its exit status" in line
                   for line in log.splitlines())

    def file(self):
        return os.path.join(self.all.maildir, TEXTS)


def search(r, key, text):
    said, end = r.ask(b"SEARCH CHARSET UTF-8 %s {%d+}\r\n%s"
                      % (key.encode(), len(text.encode()), text.encode()))
    found = [line for line in said if line.startswith(b"* SEARCH")]
    # on a loaded machine it also says that it is still at it
    return ([int(n) for n in found[0].split()[2:]],
            [line for line in said
             if not line.startswith((b"* SEARCH", b"* OK [INPROGRESS "))], end)


def wrong(r):
    """Questions that are not answered as they should be."""
    out = []
    for key, text, want in QUESTIONS:
        found, said, end = search(r, key, text)
        if found != want or said:
            out.append((key, text, found, said))
    return out


def put(place, messages):
    place.select().close()
    for m in messages:
        place.all.put(m)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def write(path, data):
    """As another program would, in place of it."""
    with open(path + ".x", "wb") as f:
        f.write(data)
    os.chown(path + ".x", os.stat(os.path.dirname(path)).st_uid, -1)
    os.rename(path + ".x", path)


def kept(p):
    r = p.select()
    tap.equal(wrong(r), [], "text of attachments is found")
    first = p.runs()
    tap.equal(wrong(r), [], "and found again")
    # that of eight is longer than its attachment
    again = p.runs() - first
    tap.ok(0 < again <= len(QUESTIONS), "from what was kept", again)
    r.close()
    r = p.select()
    first = p.runs()
    tap.equal(search(r, "BODY", "invoice")[0], [1, 4, 10], "another session")
    tap.ok(p.runs() - first <= 1, "has it too", p.runs() - first)
    r.close()


def unreachable(p):
    p.decoder.stop()
    p.all.put(message("eleven", PDF))
    r = p.select()
    found, said, end = search(r, "BODY", "invoice 4711")
    tap.equal((found, end), ([1, 4], b"OK Search completed."),
              "without the program what was kept is found")
    tap.equal(said, [b"* NO [UNAVAILABLE] Text in attachments of 2 messages "
                     b"could not be searched."], "and the rest is told")
    said = "searched without its text"
    tap.ok(said in p.all.folder.read_log() and
           p.all.folder.read_log().count(said) == 1,
              "and logged once")
    r.close()
    p.decoder = decoding.start(p.all.folder)
    r = p.select()
    tap.equal(search(r, "BODY", "invoice 4711")[:2], ([1, 4, 11], []),
              "then all is")
    r.ask("STORE 11 +FLAGS \\Deleted")
    r.ask("EXPUNGE")
    r.close()


def damaged(p):
    good = read(p.file())
    cases = [("no file", None), ("an empty file", b""), ("nonsense", b"x"),
             ("a file that ends in a text", good[:HEAD + 3]),
             ("a file that ends in a head", good[:HEAD // 2]),
             ("zeros", bytes(len(good))), ("everything twice", good + good)]
    for i in range(12):
        at = rng.randrange(len(good))
        cases.append(("a wrong bit at %d" % at, good[:at] + bytes(
            [good[at] ^ 1 << rng.randrange(8)]) + good[at + 1:]))
    for name, data in cases:
        if data is None:
            os.unlink(p.file())
        else:
            write(p.file(), data)
        r = p.select()
        tap.equal(wrong(r), [], name)
        r.close()
    r = p.select()
    first = p.runs()
    search(r, "BODY", "absent")
    tap.ok(p.runs() - first <= 1, "and in the end all is kept again")
    r.close()


def heads(data):
    """(place, fields) of each text that was kept."""
    at = 0
    while at < len(data):
        h = struct.unpack_from("=8IqII", data, at)
        yield at, h
        at += HEAD + (h[9] + 7) // 8 * 8


def failures(p):
    """That there is no text is believed for a day."""
    data = bytearray(read(p.file()))
    failed = [at for at, h in heads(data) if h[8]]
    tap.equal(len(failed), 2, "two attachments have no text")
    for ago, runs in ((DAY - 600, 0), (DAY + 600, 2), (-600, 2)):
        for at in failed:
            h = list(struct.unpack_from("=8IqII", data, at))
            h[8] = int(os.stat(p.file()).st_mtime) - ago
            h[1] = 0
            struct.pack_into("=8IqII", data, at, *h)
            h[1] = decoding.crc32c(bytes(data[at:at + HEAD]))
            struct.pack_into("=8IqII", data, at, *h)
        write(p.file(), data)
        r = p.select()
        first = p.runs()
        search(r, "BODY", "absent")
        tap.equal(p.runs() - first - 1, runs,
                  "after %d seconds they are tried: %d" % (ago, runs))
        r.close()


def changed(p):
    """Another command for PDF makes another text."""
    p.all.program.stop()
    p.decoder.stop()
    p.commands[0] = "{application/pdf: /bin/echo other words}"
    p.configure()
    p.decoder = decoding.start(p.all.folder)
    p.all.program = p.all.folder.start("imapd", "imap-session", chroot=False)
    r = p.select()
    tap.equal([search(r, "BODY", t)[0] for t in
               ("invoice", "other words", "grandmother")],
              [[10], [1, 3, 4, 7, 9], [2]], "a changed command")
    first = p.runs()
    search(r, "BODY", "other words")
    tap.ok(p.runs() - first <= 1, "is asked once")
    r.close()


def large(p):
    """Texts of messages that are gone do not stay for ever."""
    def add(n):
        text = b"".join(b"%d line %d\n" % (n, i) for i in range(60000))
        p.all.put(message("large", part("application/x-same", text)))
    for n in range(3):
        add(n)
    r = p.select()
    search(r, "BODY", "absent")
    size = os.path.getsize(p.file())
    tap.ok(size > 2 << 20, "large texts are kept", size)
    r.ask("STORE 11:13 +FLAGS \\Deleted")
    r.ask("EXPUNGE")
    r.close()
    add(4)
    r = p.select()
    tap.equal(search(r, "BODY", "4 line 59999")[0], [11], "another one")
    tap.ok(os.path.getsize(p.file()) < 1 << 20, "takes the place of all")
    search(r, "BODY", "absent")
    tap.ok(os.path.getsize(p.file()) > 600000, "and is then kept")
    r.close()


def signed(p, plain):
    """With signatures, and without."""
    def count():
        try:
            data = read(os.path.join(p.all.maildir, "posthorn-signatures"))
        except FileNotFoundError:
            return 0
        at = n = 0
        while at + 32 <= len(data):
            at += 32 + 8 * int.from_bytes(data[at + 12:at + 16], sys.byteorder)
            n += 1
        return n
    put(p, [MESSAGES[n % len(MESSAGES)] for n in range(120)])
    r, other = p.select(), plain.select()

    def differences():
        return [q for q in QUESTIONS if search(r, *q[:2]) !=
                search(other, *q[:2])]
    tap.equal(search(r, "BODY", "absent")[0], [], "a first search")
    tap.ok(wait_for(lambda: count() == 120), "all are signed", count())
    tap.equal(differences(), [], "with signatures and without")
    first = p.runs()
    tap.equal(search(r, "BODY", "grandmother")[0],
              [n + 1 for n in range(120) if n % 10 == 1], "all are found")
    # the 50 messages that are read before signatures are asked
    tap.ok(p.runs() - first <= 6, "others are not opened", p.runs() - first)
    r.close()
    other.close()


with Place("fts = no") as p:
    put(p, MESSAGES)
    kept(p)
    unreachable(p)
    failures(p)
    damaged(p)
    changed(p)
    large(p)
with Place("fts_message_minimum = 100") as p, \
        Place("fts = no", maildir=p.all.maildir) as plain:
    signed(p, plain)
tap.done()
