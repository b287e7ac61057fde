#!/usr/bin/env python3
"""Text of attachments (fts_decoder) in the whole suite: mail comes in by SMTP,
its documents are found over IMAP, and a reload changes how."""
import base64
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from instance import Conf, Instance, message  # noqa: E402
import decoding  # noqa: E402

tap = Tap()


def send(s, user, text):
    pdf = base64.encodebytes(decoding.pdf(text)).replace(b"\n", b"\r\n")
    with s.smtp() as c:
        c.sendmail("a@example.com", [s.address(user)], message(
            "a@example.com", s.address(user), "a document", pdf.decode(),
            MIME_Version="1.0", Content_Type="application/pdf",
            Content_Transfer_Encoding="base64"))
    tap.equal(len(s.wait_messages(1, user)), 1, "mail for " + user)


def found(s, user, text):
    m = s.imap(user, s.PASS2 if user == s.USER2 else None)
    m.select()
    kind, data = m.search(None, "BODY", '"%s"' % text)
    m.logout()
    return kind, data[0]


def reload(s, *lines):
    with Conf(s, *lines):
        return s.posthorn("reload")


with Instance("fts_decoder=" + decoding.PDF) as s:
    send(s, s.USER1, "Invoice 4711")
    send(s, s.USER2, "a love letter")
    tap.equal([found(s, user, text) for user, text in (
        (s.USER1, "invoice 4711"), (s.USER2, "love letter"),
        (s.USER1, "love letter"), (s.USER2, "invoice"))],
        [("OK", b"1"), ("OK", b"1"), ("OK", b""), ("OK", b"")],
        "each finds what is in their documents")
    pid = s.pid_of("decoder")
    tap.ok(pid > 0, "the service runs")
    with open("/proc/%d/status" % pid) as f:
        uids = [line for line in f if line.startswith("Uid:")][0].split()[1:]
    tap.ok("0" not in uids, "not as root", uids)
    for line, says in (("fts_decoder = {application/pdf: pdftotext}",
                        "is not of the form"),
                       ("fts_decoder = {application/pdf: /nowhere/x}",
                        "No such file")):
        done = reload(s, line)
        tap.ok(done.returncode != 0, "a reload is refused: " + line,
               done.stderr)
        with Conf(s, line):
            tap.ok(says in s.posthorn("check").stdout, "and check says why")
    if os.getuid() == 0:
        done = reload(s, "decoder_user = root")
        tap.ok(done.returncode == 78 and "is root" in done.stderr,
               "decoder_user = root", done.stderr)
    done = reload(s, "fts_decoder = {application/pdf: /bin/echo other words}")
    tap.equal(done.returncode, 0, "a reload with another command")
    tap.equal([found(s, s.USER1, text) for text in ("other words", "invoice")],
              [("OK", b"1"), ("OK", b"")], "makes other text")
    done = reload(s, "fts_decoder =", "decoder_user = nobody-of-this-name")
    tap.equal(done.returncode, 0, "without commands no user is needed")
    tap.equal((s.pid_of("decoder"), found(s, s.USER1, "other words")),
              (0, ("OK", b"")), "and the service is gone")
tap.done()
