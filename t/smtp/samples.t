#!/usr/bin/env python3
"""What goes in by SMTP comes back byte for byte over IMAP and POP3."""
import glob
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from instance import Instance, message, wait_for  # noqa: E402

tap = Tap()
FOLDERS = glob.glob("/usr/lib/python3*/test/test_email/data")


def samples():
    """(name, bytes with CRLF): the samples, then some nasty shapes."""
    for path in sorted(glob.glob(FOLDERS[0] + "/*.txt") if FOLDERS else []):
        with open(path, "rb") as f:
            text = re.sub(rb"\r\n?|\n", b"\r\n", f.read())
        if not text.endswith(b"\r\n"):
            text += b"\r\n"
        # the separator of an mbox is no part of a message
        text = re.sub(rb"\AFrom .*\r\n", b"", text)
        if b"\0" not in text:
            yield os.path.basename(path), text
    head = b"From: <a@client.test>\r\nSubject: shape\r\n\r\n"
    yield "empty body", head
    yield "header alone", head[:-2]
    yield "dots", head + b".\r\n..\r\n...\r\n.x\r\n"
    yield "no header", b"\r\nbody\r\n"
    yield "long line", head + b"x" * 990 + b"\r\n"
    yield "8 bit", head + bytes(range(128, 256)) + b"\r\n"
    yield "controls", head + bytes(
        b for b in range(1, 32) if b not in (10, 13)) + b"\r\n"
    yield "1 MB", head + b"0123456789abcdef" * 4 + b"\r\n" + \
        (b"line of a large message\r\n" * 42000)
    yield "many lines", head + b"\r\n" * 5000


def without_return_path(text):
    """A Return-Path from outside is replaced by ours."""
    head, blank, body = text.partition(b"\r\n\r\n")
    lines = re.split(rb"\r\n(?![ \t])", head)
    lines = [l for l in lines if not l.lower().startswith(b"return-path:")]
    return b"\r\n".join(lines) + blank + body


def with_empty_line(text):
    """A header that no empty line ends gets one, before the first line that
    is no field, or at the end."""
    at = 0
    for line in text.splitlines(keepends=True):
        if line == b"\r\n":
            return text
        if not re.match(rb"[!-9;-~]+[ \t]*:", line) and \
                (at == 0 or line[:1] not in b" \t"):
            break
        at += len(line)
    return text[:at] + b"\r\n" + text[at:]


def added_alone(got, sent):
    """Is GOT fields of ours and then SENT?"""
    if not got.endswith(sent):
        return False
    ours = got[:len(got) - len(sent)]
    return all(re.match(rb"[A-Za-z-]+:|[ \t]", line)
               for line in ours.split(b"\r\n")[:-1])


with Instance("message_size_limit=20M", "reject_malformed_from=no") as s:
    sent = []
    with s.smtp() as c:
        c.ehlo()
        for name, text in samples():
            c.mail("a@client.test", ["BODY=8BITMIME"])
            c.rcpt(s.address())
            c.putcmd("data")
            c.getreply()
            c.send(re.sub(rb"(?m)^\.", b"..", text) + b".\r\n")
            code, reply = c.getreply()
            if code == 250:
                sent.append((name, with_empty_line(
                    without_return_path(text))))
            else:
                tap.ok(False, "%s: %d %r" % (name, code, reply))
    tap.ok(len(sent) >= (40 if FOLDERS else 9), "%d samples" % len(sent))
    wait_for(lambda: s.read_log().count(": removed") >= len(sent), 60)
    got = s.messages()
    tap.equal(len(got), len(sent), "all arrive")
    left = list(got)
    for name, text in sent:
        found = next((m for m in left if added_alone(m, text)), None)
        tap.ok(found is not None, "IMAP gives back: " + name)
        if found is not None:
            left.remove(found)

    p = s.pop3()
    same = sizes = True
    over_pop3 = []
    for line in p.list()[1]:
        number, size = line.split()
        text = b"".join(l + b"\r\n" for l in p.retr(int(number))[1])
        over_pop3.append(text)
        sizes = sizes and len(text) == int(size)
    p.quit()
    tap.equal(sorted(over_pop3), sorted(got),
              "POP3 gives what IMAP gives")
    tap.ok(sizes, "and its sizes are exact")

    # IMAP's other views of the same bytes
    m = s.imap()
    m.select("INBOX")
    def part(number, item):
        data = m.fetch(str(number), item)[1][0]
        return data[1] if isinstance(data, tuple) else b""

    text = [part(i + 1, "(BODY.PEEK[HEADER])") +
            part(i + 1, "(BODY.PEEK[TEXT])") for i in range(len(got))]
    tap.equal(text, got, "header and text together are the message")
    kind, data = m.fetch("1:*", "(RFC822.SIZE BODYSTRUCTURE ENVELOPE)")
    announced = [int(x) for x in re.findall(
        rb"RFC822.SIZE (\d+)", b" ".join(
            p[0] if isinstance(p, tuple) else p for p in data))]
    tap.equal(announced, [len(g) for g in got], "RFC822.SIZE is exact")
    m.logout()

tap.done()
