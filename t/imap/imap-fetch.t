#!/usr/bin/env python3
"""BINARY, PREVIEW and SAVEDATE, and what APPEND makes of binary parts."""
import base64
import email
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from imapsession import Sessions  # noqa: E402

tap = Tap()
NOISE = bytes(range(256)) * 300 + b"\n\r\n\r"


def multipart(*parts, kind="mixed"):
    return (b"From: a@b.c\r\nMIME-Version: 1.0\r\nContent-Type: multipart/%s;"
            b" boundary=xx\r\n\r\nbefore\r\n" % kind.encode() + b"".join(
                b"--xx\r\n" + p + b"\r\n" for p in parts) + b"--xx--\r\n")


def part(kind, encoding, body):
    return (b"Content-Type: %s\r\nContent-Transfer-Encoding: %s\r\n\r\n%s"
            % (kind, encoding, body))


MIXED = multipart(
    part(b"text/plain; charset=utf-8", b"quoted-printable",
         b"K=C3=A4se =\r\nund Brot\r\nx"),
    part(b"application/x-noise", b"base64",
         re.sub(rb"\n", b"\r\n", base64.encodebytes(NOISE))),
    part(b"text/plain", b"7bit", b"plain\r\nlines"),
    part(b"application/x", b"x-unheard-of", b"???"),
    part(b"message/rfc822", b"7bit",
         part(b"text/plain", b"base64", b"aW5uZXI=")),
    part(b"text/plain", b"base64", b"YQ==\r\nYg=="),
    part(b"text/plain", b"base64", b""))


def literal8(text):
    return b"~{%d+}\r\n%s" % (len(text), text)


def append(r, folder, text):
    return r.ask(b"APPEND %s {%d+}\r\n%s" % (folder, len(text), text))[1]


def fetch(r, what):
    got, said = r.ask(b"FETCH " + what)
    return got[0] if got else said


def binary(s):
    r = s.raw()
    r.ask("CREATE bin")
    append(r, b"bin", MIXED)
    r.ask("SELECT bin")
    text = "Käse und Brot\r\nx".encode()
    for what, want in (
            (b"BINARY.PEEK[1]", b"BINARY[1] {%d}\r\n%s" % (len(text), text)),
            (b"BINARY.SIZE[1]", b"BINARY.SIZE[1] %d" % len(text)),
            (b"BINARY.PEEK[1]<1.4>", b"BINARY[1]<1> {4}\r\n" + text[1:5]),
            (b"BINARY.PEEK[2]", b"BINARY[2] ~{%d}\r\n%s" % (
                len(NOISE), NOISE)),
            (b"BINARY.PEEK[2]<0.3>", b"BINARY[2]<0> ~{3}\r\n\0\1\2"),
            (b"BINARY.PEEK[2]<65.3>", b"BINARY[2]<65> ~{3}\r\nABC"),
            (b"BINARY.PEEK[2]<99999.3>", b'BINARY[2]<99999> ""'),
            (b"BINARY.SIZE[2]", b"BINARY.SIZE[2] %d" % len(NOISE)),
            (b"BINARY.PEEK[3]", b"BINARY[3] {12}\r\nplain\r\nlines"),
            (b"BINARY.PEEK[5.1]", b"BINARY[5.1] {5}\r\ninner"),
            (b"BINARY.PEEK[6]", b"BINARY[6] {2}\r\nab"),
            (b"BINARY.PEEK[7]", b'BINARY[7] ""'),
            (b"BINARY.SIZE[7]", b"BINARY.SIZE[7] 0"),
            (b"BINARY.PEEK[8]", b"BINARY[8] NIL"),
            (b"BINARY.PEEK[]", b"BINARY[] {%d}\r\n%s" % (len(MIXED), MIXED)),
            (b"BINARY.SIZE[]", b"BINARY.SIZE[] %d" % len(MIXED))):
        tap.equal(fetch(r, b"1 " + what), b"* 1 FETCH (%s)" % want,
                  what.decode())
    for what in (b"BINARY.PEEK[4]", b"BINARY.SIZE[4]"):
        got = r.ask(b"FETCH 1 (FLAGS %s)" % what)
        tap.ok(not got[0] and got[1].startswith(b"NO [UNKNOWN-CTE]"),
               what.decode() + " has an unknown encoding", got)
    for what in (b"BINARY[1.MIME]", b"BINARY[TEXT]", b"BINARY.SIZE[1]<0.1>",
                 b"BINARY", b"BINARY.SIZE.PEEK[1]"):
        tap.starts(r.ask(b"FETCH 1 " + what)[1], b"BAD", what.decode())
    tap.ok(b"\\Seen" not in fetch(r, b"1 FLAGS"), "PEEK leaves \\Seen alone")
    tap.ok(b"\\Seen" in fetch(r, b"1 BINARY[3]"), "BINARY does not")
    tap.starts(r.ask("NOOP")[1], b"OK", "the session goes on")
    r.close()


def append_binary(s):
    r = s.raw()
    r.ask("CREATE up")
    sent = multipart(
        part(b"text/plain", b"8bit", b"K\xc3\xa4se"),
        part(b"application/x", b"binary", NOISE),
        part(b"multipart/mixed; boundary=yy", b"BINARY",
             b"--yy\r\n" + part(b"image/x", b"binary", b"\0--xx\0")
             + b"\r\n--yy--"))
    tap.starts(r.ask(b"APPEND up (\\Seen) " + literal8(sent))[1],
               b"OK [APPENDUID", "a literal8 with binary parts")
    r.ask("SELECT up")
    for number, want in ((b"2", NOISE), (b"3.1", b"\0--xx\0")):
        tap.equal(fetch(r, b"1 BINARY.PEEK[%s]" % number),
                  b"* 1 FETCH (BINARY[%s] ~{%d}\r\n%s)" % (
                      number, len(want), want), "comes back as it was")
    whole = fetch(r, b"1 BODY.PEEK[]").split(b"\r\n", 1)[1][:-1]
    tap.ok(b"\0" not in whole and b"binary" not in whole.lower(),
           "as base64 to who asks for lines")
    got = [p for p in email.message_from_bytes(whole).walk()
           if not p.is_multipart()]
    tap.equal([p.get_payload(decode=True) for p in got],
              [b"K\xc3\xa4se", NOISE, b"\0--xx\0"], "Python reads it so, too")
    tap.ok(b"binary" not in fetch(r, b"1 BODYSTRUCTURE").lower(),
           "BODYSTRUCTURE says so")
    alone = b"Subject: x\r\n" + part(b"application/x", b"binary", NOISE)
    r.ask(b"APPEND up " + literal8(alone))
    tap.equal(fetch(r, b"2 BINARY.PEEK[1]"),
              b"* 2 FETCH (BINARY[1] ~{%d}\r\n%s)" % (len(NOISE), NOISE),
              "a message that is one binary part")
    plain = b"Subject: plain\r\n\r\nlines\r\n"
    r.ask(b"APPEND up " + literal8(plain))
    tap.ok(fetch(r, b"3 BODY.PEEK[]").endswith(plain + b")"),
           "one without any stays as it is")
    for what, text in (("header", b"A: \0\r\n\r\n"), ("7bit part", b"A: b\r\n\r\n\0"),
                       ("preamble", sent.replace(b"before", b"bef\0re"))):
        tap.starts(r.ask(b"APPEND up " + literal8(text))[1],
                   b"NO [UNKNOWN-CTE]", "a NUL in a " + what)
    tap.starts(r.ask(b"APPEND up " + literal8(plain) + b" {3+}\r\na\0b")[1],
               b"NO [CANNOT]", "nor is there one in a literal")
    r.send(b"w APPEND up ~{%d}\r\n" % len(alone))
    tap.starts(r.line(), b"+ ", "a literal8 that waits")
    r.send(alone + b"\r\n")
    tap.starts(r.until("w")[-1], b"w OK", "is taken")
    r.close()


def preview(s):
    r = s.raw()
    r.ask("CREATE pre")
    cases = (
        ("plain text", b"A: b\r\n\r\n  Hello,\r\n\r\n\tyou  there \r\n",
         "Hello, you there"),
        ("quotes are left out", b"A: b\r\n\r\n> you said\r\n> that\r\nno\r\n",
         "no"),
        ("unless there is nothing else", b"A: b\r\n\r\n> that\r\n", "> that"),
        ("a signature", b"A: b\r\n\r\nyes\r\n-- \r\nme\r\n", "yes"),
        ("a charset", part(b"text/plain; charset=iso-8859-1",
                           b"quoted-printable", b"K=E4se"), "Käse"),
        ("HTML", part(b"text/html", b"7bit",
                      b"<html><head><title>t</title><style>p {x: y}</style>"
                      b"</head><body><!-- c --><p>One&nbsp;<b>t</b>wo</p>"
                      b"<p>&#8364; &lt;3 &unknown;x<script>if (a < b) c"
                      b"</script>"), "One two \u20ac <3 x"),
        ("HTML that ends in what is hidden", part(
            b"text/html", b"7bit", b"<p>a<style>b<title>c</title>"), "a"),
        ("plain before HTML", multipart(
            part(b"text/html", b"7bit", b"<p>html"),
            part(b"text/plain", b"7bit", b"plain"), kind="alternative"),
         "plain"),
        ("HTML if the text is empty", multipart(
            part(b"text/plain", b"7bit", b"  "),
            part(b"text/html", b"7bit", b"<p>html"), kind="alternative"),
         "html"),
        ("no attachment", multipart(
            part(b"text/plain\r\nContent-Disposition: attachment", b"7bit",
                 b"attached"), part(b"text/plain", b"7bit", b"body")), "body"),
        ("nothing to read", multipart(part(b"image/x", b"base64", b"AAAA")),
         ""),
        ("an empty message", b"A: b\r\n\r\n", ""),
        ("bytes that are no UTF-8", b"A: b\r\n\r\na\xff\xfeb\r\n", None),
        ("a long one", part(b"text/plain; charset=utf-8", b"8bit",
                            "ä".encode() * 300), "ä" * 200))
    for name, text, want in cases:
        append(r, b"pre", text)
    r.ask("SELECT pre")
    for i, (name, text, want) in enumerate(cases, 1):
        got = fetch(r, b"%d PREVIEW" % i)
        found = re.match(rb'\* %d FETCH \(PREVIEW (?:"(.*)"|\{\d+\}\r\n(.*))\)$'
                         % i, got, re.S)
        text = (found.group(1) or found.group(2) or b"").decode()
        if want is None:
            tap.ok(text.startswith("a") and text.endswith("b"), name, text)
        else:
            tap.equal(text.replace("\\", ""), want, name)
    tap.ok(b"\\Seen" not in fetch(r, b"1 FLAGS"), "\\Seen is left alone")
    append(r, b"pre", b"A: b\r\n\r\nlarge\r\n" + b"x\r\n" * 100000)
    n = len(cases) + 1
    tap.equal(fetch(r, b"%d PREVIEW (LAZY)" % n),
              b"* %d FETCH (PREVIEW NIL)" % n, "LAZY does not read much")
    tap.starts(fetch(r, b"%d PREVIEW" % n),
               b'* %d FETCH (PREVIEW "large x x' % n, "others wait for it")
    tap.equal(fetch(r, b"1 (UID PREVIEW (LAZY) FLAGS)"),
              b'* 1 FETCH (UID 1 FLAGS (\\Recent) PREVIEW "Hello, you there")',
              "LAZY among others")
    tap.starts(r.ask("FETCH 1 PREVIEW (EAGER)")[1], b"BAD", "another modifier")
    r.close()


def savedate(s):
    r = s.raw()
    r.ask("CREATE old")
    r.ask("CREATE new")
    r.ask(b'APPEND old "24-Nov-2001 02:00:00 +0000" {9+}\r\nA: b\r\n\r\nc')
    r.ask("SELECT old")
    got = fetch(r, b"1 (SAVEDATE INTERNALDATE)")
    dates = re.search(rb'INTERNALDATE "24-Nov-2001 .*" SAVEDATE "(.*?)"', got)
    saved = time.mktime(time.strptime(dates.group(1).decode()[:20].strip(),
                                      "%d-%b-%Y %H:%M:%S")) - time.timezone
    tap.ok(abs(saved - time.time()) < 2 * 86400, "SAVEDATE is now", got)
    today = time.strftime("%d-%b-%Y", time.gmtime(time.time()))
    late = time.strftime("%d-%b-%Y", time.gmtime(time.time() + 3 * 86400))
    for keys, want in (("SAVEDSINCE 1-Jan-2002", b"* SEARCH 1"),
                       ("SAVEDBEFORE 1-Jan-2002", b"* SEARCH"),
                       ("SAVEDON 24-Nov-2001", b"* SEARCH"),
                       ("SAVEDBEFORE " + late, b"* SEARCH 1"),
                       ("SAVEDATESUPPORTED", b"* SEARCH 1"),
                       ("NOT SAVEDATESUPPORTED", b"* SEARCH"),
                       ("BEFORE 1-Jan-2002", b"* SEARCH 1")):
        tap.equal(r.ask("SEARCH " + keys)[0][0].rstrip(), want, keys)
    tap.ok(b"1" in r.ask("SEARCH OR SAVEDON %s SAVEDSINCE %s" % (
        today, today))[0][0], "SAVEDON")
    r.ask("COPY 1 new")
    r.ask("SELECT new")
    tap.ok(b'INTERNALDATE "24-Nov-2001' in fetch(r, b"1 INTERNALDATE") and
           b'2001' not in fetch(r, b"1 SAVEDATE"),
           "a copy keeps the one and has the other anew")
    tap.starts(r.ask("SEARCH SAVEDON")[1], b"BAD", "SAVEDON without a date")
    r.close()


def many(s):
    r = s.raw()
    r.ask("CREATE many")
    r.ask(b"APPEND many {14+}\r\nSubject: s\r\n\r\n")
    r.ask("SELECT many")
    items = ["BODY.PEEK[HEADER.FIELDS (X%d)]" % i for i in range(1001)]
    for n, want in ((1000, b"OK"), (1001, b"BAD Too many sections")):
        got = r.ask("FETCH 1 (%s)" % " ".join(items[:n]))[1]
        tap.ok(got.startswith(want), "FETCH of %d sections" % n, got)
    r.close()


with Sessions() as all_sessions:
    binary(all_sessions)
    append_binary(all_sessions)
    preview(all_sessions)
    savedate(all_sessions)
    many(all_sessions)
tap.done()
