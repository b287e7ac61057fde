#!/usr/bin/env python3
"""COMPRESS=DEFLATE: with Python's zlib, and imaplib on top of it."""
import imaplib
import os
import random
import select
import sys
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from imapsession import Compressed, Deflated, Sessions  # noqa: E402

tap = Tap()
MESSAGE = b"From: a@b.c\r\nSubject: s\r\n\r\n%s"


def silent(sock, seconds=0.3):
    return not select.select([sock.sock], [], [], seconds)[0]


def commands(s):
    r = s.raw()
    tap.ok(b" COMPRESS=DEFLATE" in r.greeting, "the capability")
    tap.starts(r.ask("COMPRESS LZ4")[1], b"BAD", "another algorithm")
    tap.starts(r.ask("NOOP")[1], b"OK", "and nothing has changed")
    r.close()
    r = Compressed(s)
    tap.equal(r.reply, ([], b"OK DEFLATE active."), "COMPRESS")
    tap.starts(r.ask("NOOP")[1], b"OK", "NOOP")
    tap.starts(r.ask("COMPRESS DEFLATE")[1], b"BAD", "it is active once")
    tap.starts(r.ask("SELECT INBOX")[1], b"OK", "SELECT")
    r.send(b"".join(b"n%d NOOP\r\n" % i for i in range(5000)) + b"x NOOP\r\n")
    tap.starts(r.until("x")[-1], b"x OK", "5000 commands in few packets")
    tap.starts(r.ask("LOGOUT")[1], b"OK", "LOGOUT")
    tap.equal(r.file.read(), b"", "and the end")
    r.close()


def messages(s):
    r = Compressed(s)
    noise = random.Random(1).randbytes(3000000).hex().encode()
    body = b"line of text\r\n" * 200000 + noise
    text = MESSAGE % body
    got = r.ask(b"APPEND INBOX {%d+}\r\n%s {%d+}\r\n%s" % (
        len(text), text, len(MESSAGE % b"x"), MESSAGE % b"x"))
    tap.starts(got[1], b"OK [APPENDUID", "APPEND of 9 MB that comes unasked")
    r.send(b"w APPEND INBOX {%d}\r\n" % len(text))
    tap.starts(r.line(), b"+ ", "one that waits is asked for")
    r.send(text + b"\r\n")
    tap.starts(r.until("w")[-1], b"w OK", "and taken")
    r.ask("SELECT INBOX")
    got = r.ask("FETCH 1 BODY.PEEK[]")
    tap.ok(got[0][0].endswith(text + b")"), "FETCH gives it back")
    r.close()


def idle(s):
    r, other = Compressed(s), s.raw()
    r.ask("SELECT INBOX")
    command = r.sock.pack(b"i IDLE\r\n")
    r.sock.sock.sendall(command[:-4])
    tap.starts(r.line(), b"+ ", "IDLE")
    r.sock.sock.sendall(command[-4:])
    tap.ok(silent(r.sock), "the end of its flush comes later")
    other.ask(b"APPEND INBOX {%d+}\r\n%s" % (len(MESSAGE % b"i"),
                                             MESSAGE % b"i"))
    tap.ok(b"EXISTS" in r.line() + r.line(), "and changes are told at once")
    for byte in r.sock.pack(b"DO"):
        r.sock.sock.sendall(bytes([byte]))
    other.ask(b"APPEND INBOX {%d+}\r\n%s" % (
        len(MESSAGE % b"i"), MESSAGE % b"i"))
    tap.ok(b"EXISTS" in r.line() + r.line(), "in the middle of DONE, too")
    r.send(b"NE\r\nafter NOOP\r\n")
    tap.starts(r.until("i")[-1], b"i OK", "DONE")
    tap.starts(r.until("after")[-1], b"after OK",
               "and what came in the same packet")
    r.close()
    other.close()


def wrong(s):
    for what, data in (("text", b"\xff plain NOOP\r\n" * 10),
                       ("an end of compression",
                        zlib.compressobj(6, zlib.DEFLATED, -15).flush()),
                       ("a zlib header", zlib.compress(b"n NOOP\r\n"))):
        r = Compressed(s)
        r.sock.sock.sendall(data)
        got = r.file.read()
        tap.ok(b"n OK" not in got, what + " ends the session")
        r.close()
    r = s.raw()
    late = zlib.compressobj(6, zlib.DEFLATED, -15)
    r.send(b"c COMPRESS DEFLATE\r\n" + late.compress(b"e NOOP\r\n")
           + late.flush(zlib.Z_SYNC_FLUSH))
    said = b""
    while not said.endswith(b"\n"):  # and no byte of what follows
        said += r.sock.recv(1)
    tap.starts(said, b"c OK", "what comes right behind COMPRESS")
    sock = Deflated(r.sock)
    tap.starts(sock.makefile("rb").readline(), b"e OK", "is compressed")
    r.close()
    r = Compressed(s)
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = bomb.compress(b"b X " + bytes(b"x" * 100000000)) + bomb.flush(
        zlib.Z_SYNC_FLUSH)
    try:
        r.sock.sock.sendall(packed)
        said = r.file.read()
    except OSError:
        said = b"* BYE"
    tap.ok(b"TOOBIG" in said or b"* BYE" in said,
           "a command of 100 MB in %d kB is refused" % (len(packed) // 1000))
    r.close()


class Imaplib(imaplib.IMAP4):
    def __init__(self, sock):
        self.given = sock
        imaplib.IMAP4.__init__(self)
        self.state = "AUTH"
        self._simple_command("COMPRESS", "DEFLATE")
        self.sock = Deflated(self.sock)
        self.file = self.sock.makefile("rb")

    def _create_socket(self, timeout=None):
        return self.given


def client(s):
    imaplib.Commands["COMPRESS"] = ("AUTH",)
    m = Imaplib(s.socket())
    m.create("lib")
    for i in range(300):
        m.append("lib", "(\\Seen)", None, MESSAGE % (b"%d" % i * 50))
    tap.equal(m.select("lib")[1], [b"300"], "imaplib adds messages")
    before = m.sock.received
    got = m.fetch("1:*", "(UID FLAGS ENVELOPE BODY.PEEK[])")[1]
    bodies = [g[1] for g in got if isinstance(g, tuple)]
    tap.equal(bodies, [MESSAGE % (b"%d" % i * 50) for i in range(300)],
              "and fetches them")
    plain = sum(len(b"".join(g) if isinstance(g, tuple) else g) for g in got)
    tap.ok((m.sock.received - before) * 4 < plain, "four times smaller",
           "%d of %d" % (m.sock.received - before, plain))
    m.logout()


with Sessions() as all_sessions:
    commands(all_sessions)
    messages(all_sessions)
    idle(all_sessions)
    wrong(all_sessions)
    client(all_sessions)
tap.done()
