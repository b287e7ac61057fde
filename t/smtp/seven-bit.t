#!/usr/bin/env python3
"""8-bit mail to a host that takes 7-bit mail only (RFC 6152): what it gets is
read with Python's email, and must say what the message said."""
import email
import glob
import os
import random
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Folder, Tap, free_port  # noqa: E402
from qmgrpeer import Qmgr, status  # noqa: E402
from smtppeer import EHLO, Peer  # noqa: E402

SEVEN = "250-x\r\n250-PIPELINING\r\n250-SIZE 0\r\n250 DSN"
TEXT = "J\u00f6rg fand den Stra\u00dfenplan = gut. \r\n.\r\n\ttab\t\r\n"
RUSSIAN = "\u0412\u0441\u0435 \u043b\u044e\u0434\u0438 " * 30 + "\r\n"
PLAIN = "Content-Type: text/plain; charset=utf-8\r\n"


def part(body, fields=PLAIN + "Content-Transfer-Encoding: 8bit\r\n"):
    if isinstance(body, str):
        body = body.encode()
    return fields.encode() + b"\r\n" + body


def multipart(parts, kind="mixed", boundary="b1", more="",
              preamble=b"", epilogue=b""):
    b = boundary.encode()
    return (b"Content-Type: multipart/%s;\r\n\tboundary=\"%s\"%s\r\n"
            b"Content-Transfer-Encoding: 8bit\r\n\r\n" %
            (kind.encode(), b, more.encode()) + preamble +
            b"".join(b"\r\n--" + b + b"\r\n" + p for p in parts) +
            b"\r\n--" + b + b"--\r\n" + epilogue)


def message(body, mime=True):
    return (b"From: a@home.test\r\nSubject: =?utf-8?q?=C3=BC?=\r\n" +
            (b"MIME-Version: 1.0\r\n" if mime else b"") + body)


def leaves(text):
    return [(p.get_content_type(), p.get_params(), p.get_payload(decode=True))
            for p in email.message_from_bytes(text).walk()
            if not p.is_multipart()]


def fields(text):
    return [(k, v) for k, v in email.message_from_bytes(text).items()
            if k.lower() not in ("content-transfer-encoding", "mime-version",
                                 "content-type")]


def body(text):
    return b"".join(text.partition(b"\r\n\r\n")[1:])


class Stage:
    def __init__(self, lines=(), ehlo=SEVEN):
        self.port = free_port()
        self.folder = Folder(["smtp_tcp_port = %d" % self.port,
                              "inet_protocols = ipv4"] + list(lines))
        self.program = self.folder.start("remote-send")
        self.peer = Peer("127.0.0.21", self.port, {"EHLO": ehlo})
        self.qmgr = Qmgr(self.program)

    def send(self, text, **more):
        """Status, and what arrived, or None."""
        before = len(self.peer.messages)
        d = self.qmgr.deliver("[127.0.0.21]", rcpts=["a@one.test"], text=text,
                              **more)
        got = self.peer.messages[before:]
        return status(d), re.sub(rb"(?m)^\.\.", b".", got[0]) if got else None

    def end(self):
        self.qmgr.close()
        self.peer.close()
        self.folder.end()


def converted(t, s, name, text):
    how, got = s.send(text)
    if not t.equal(how, ("sent", "2.0.0"), name + ": sent"):
        return b""
    size = int(re.search(r"SIZE=(\d+)", [h for h in s.peer.heard if
                                         h.startswith("MAIL")][-1]).group(1))
    # the last line end is the writer's
    t.ok(got and max(body(got)) < 0x80 and size in (len(got), len(got) - 2),
         "… all of its body is ASCII, as large as was told")
    t.equal(leaves(got), leaves(text), "… each part says what it said")
    t.equal(fields(got), fields(text), "… the other fields are as they were")
    t.ok(max(len(x) for x in got.split(b"\r\n")) <= 998,
         "… no line is too long")
    return got


def conversions(t, s):
    signed = multipart([part("ascii only\r\n", PLAIN),
                        part("signature", "Content-Type: application/x\r\n")],
                       "signed", "s1")
    signed = signed.replace(b"Content-Transfer-Encoding: 8bit\r\n", b"", 1)
    forwarded = b"Content-Type: message/rfc822\r\n" \
        b"Content-Transfer-Encoding: 8bit\r\n\r\n" + \
        message(multipart([part(TEXT)], boundary="inner"))
    binary = bytes(range(256)) * 20
    got = converted(t, s, "a text", message(part(TEXT)))
    t.ok(b"quoted-printable" in got and b"J=C3=B6rg" in got,
         "… that people can still read")
    got = converted(t, s, "a text in Cyrillic", message(part(RUSSIAN)))
    t.ok(b": base64\r\n" in got, "… the shorter way")
    converted(t, s, "a text without an encoding", message(part(TEXT, PLAIN)))
    converted(t, s, "long lines", message(part("\u00fc".join(
        ["x" * 700] * 3) + "  \r\n")))
    converted(t, s, "no last line end", message(part("\u00fc")))
    got = converted(t, s, "parts", message(multipart([
        part(TEXT), part("ascii", PLAIN), part(RUSSIAN),
        part(b"\xff\xd8\xff\r\n\n\r" + b"\xaa" * 300,
             "Content-Type: image/jpeg\r\n"
             "Content-Transfer-Encoding: binary\r\n"), signed, forwarded])))
    t.ok(signed in got, "… a signed part stays as it is, byte for byte")
    t.ok(b"8bit" not in got and got.count(b": 7bit\r\n") == 3,
         "… what holds a converted part is declared 7bit")
    converted(t, s, "8-bit text in a signed part", message(multipart([
        part(TEXT), part("sig", "Content-Type: application/x\r\n")],
        "signed")))
    got = converted(t, s, "binary data", message(part(
        binary, "Content-Type: application/octet-stream\r\n")))
    got = converted(t, s, "preamble and epilogue", message(multipart(
        [part(TEXT)], preamble="\u00fc\r\n".encode(),
        epilogue="\u00fc\r\n".encode())))
    t.ok(b"??\r\n" in got, "… which nobody sees, have question marks")
    converted(t, s, "broken quoted-printable", message(part(
        "a=20\u00fc=\r\nb\r\n", PLAIN + "Content-Transfer-Encoding: "
        "Quoted-Printable\r\n")))
    got = s.send(message(part("YW\u00fcJj\r\n", PLAIN + "Content-Transfer-"
                              "Encoding: base64\r\n")))[1]
    t.equal(email.message_from_bytes(got).get_payload(decode=True), b"abc",
            "broken base64 has its meaning left")


def without_mime(t, s):
    text = message(b"\r\nJ\xf6rg\r\n", mime=False)
    how, got = s.send(text)
    m = email.message_from_bytes(got)
    t.equal((m["MIME-Version"], m.get_content_charset(),
             m.get_payload(decode=True)),
            ("1.0", "unknown-8bit", b"J\xf6rg\r\n"),
            "a message without MIME becomes MIME")
    for text, name in (
            (message(part("ascii\r\n")), "ASCII"),
            (b"Subject: \xc3\xbc\r\n\r\nascii\r\n", "a raw header field"),
            (b"\r\n", "no header"), (b"x", "no line end")):
        how, got = s.send(text)
        t.ok(how[0] == "sent" and got in (text, text + b"\r\n"),
             "goes as it is: " + name)


def impossible(t, s):
    rows = [
        ("an encoding that is unknown",
         part(TEXT, PLAIN + "Content-Transfer-Encoding: x-uuencode\r\n")),
        ("a piece of a message", part(TEXT, "Content-Type: message/partial; "
                                      "id=1; number=1\r\n")),
        ("a multipart without parts", part(
            TEXT, "Content-Type: multipart/mixed; boundary=b\r\n")),
        ("a boundary beyond ASCII", multipart(
            [part(TEXT)]).replace(b"b1", b"b\xfc")),
    ]
    for name, text in rows:
        heard = len(s.peer.messages)
        how, got = s.send(message(text))
        t.equal((how, len(s.peer.messages)), (("failed", "5.6.3"), heard),
                "goes back to its sender: " + name)


def samples(t, s):
    """Whatever the samples hold, with an 8-bit byte put into each part."""
    names = sorted(n for d in glob.glob("/usr/lib/python3*/test/test_email/"
                                        "data") for n in glob.glob(d + "/*"))
    rng = random.Random(7)
    sent = bad = 0
    for name in names:
        with open(name, "rb") as f:
            text = re.sub(rb"\r?\n|\r", b"\r\n", f.read())
        # the line of an mbox never comes so far
        text = re.sub(rb"\AFrom .*\r\n", b"", text)
        head, _, rest = text.partition(b"\r\n\r\n")
        rest = b"".join(b"\xc3\xbc" + x if x[:1].islower() and
                        rng.random() < 0.3 else x
                        for x in re.split(rb"(?<=\n)", rest))
        text = head + b"\r\n\r\n" + rest
        how, got = s.send(text)
        if how[0] == "sent" and got is not None:
            sent += 1
            # a text without a type got one, with charset unknown-8bit
            good = [x[::2] for x in leaves(got)] == \
                [x[::2] for x in leaves(text)]
            bad += not good
            if not good:
                print("# " + name)
        elif how != ("failed", "5.6.3"):
            bad += 1
    t.ok(bad == 0, "%d of %d samples, each with the same meaning" %
         (sent, len(names)))


def settings(t):
    for lines, ehlo, name in (
            ((), EHLO % "x", "a host with 8BITMIME"),
            (["disable_mime_output_conversion = yes"], SEVEN,
             "disable_mime_output_conversion"),
            ((), "250-x\r\n250 SMTPUTF8", "SMTPUTF8 without 8BITMIME")):
        s = Stage(lines, ehlo)
        text = message(part(TEXT))
        t.equal(s.send(text), (("sent", "2.0.0"), text),
                "goes as it is: " + name)
        s.end()


def main():
    t = Tap()
    s = Stage()
    try:
        for p in (conversions, without_mime, impossible, samples):
            p(t, s)
        large = message(part(TEXT * 40000))
        s.qmgr.sock.settimeout(120)
        converted(t, s, "%d MB" % (len(large) >> 20), large)
        t.ok("ended by signal" not in s.folder.read_log(), "no process died")
    finally:
        s.end()
    settings(t)
    t.done()


main()
