#!/usr/bin/env python3
"""The main job: mail in by every door, out by every door."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from instance import Instance, message, parse, wait_for  # noqa: E402

tap = Tap()

with Instance() as s:
    alice, bob = s.address(s.USER1), s.address(s.USER2)

    # in by SMTP
    with s.smtp() as c:
        c.sendmail("friend@elsewhere.test", [alice],
                   message("friend@elsewhere.test", alice, "by smtp",
                           ".a line with a dot\r\n.\r\nlast\r\n"))
    got = s.wait_messages(1)
    tap.equal([parse(m)["Subject"] for m in got], ["by smtp"],
              "a message by SMTP is read over IMAP")
    tap.ok(got and got[0].endswith(
        b"\r\n\r\n.a line with a dot\r\n.\r\nlast\r\n"),
        "its body is what was sent, dots and all")
    tap.ok(got and parse(got[0])["Received"], "it has our Received field")
    tap.ok(got and parse(got[0])["Authentication-Results"],
           "and an Authentication-Results field")
    tap.equal(got and parse(got[0])["Return-Path"], "<friend@elsewhere.test>",
              "and a Return-Path")

    # in by sendmail(1)
    done = subprocess.run([s.SENDMAIL, "-t", "-i"], input=(
        "From: %s\nTo: %s\nSubject: by sendmail\n\nhello\n" % (alice, bob)
    ).encode(), timeout=60)
    tap.equal(done.returncode, 0, "sendmail -t takes a message")
    got = s.wait_messages(1, s.USER2)
    tap.equal([parse(m)["Subject"] for m in got], ["by sendmail"],
              "and it arrives")

    # in by authenticated submission over TLS
    with s.submission() as c:
        c.sendmail(alice, [bob], message(alice, bob, "by submission"))
        try:
            c.sendmail("other@" + s.DOMAIN, [bob],
                       message("other@" + s.DOMAIN, bob, "forged"))
            refused = False
        except Exception:
            refused = True
    tap.ok(refused, "a sender that is not the login's is refused")
    got = s.wait_messages(2, s.USER2)
    tap.equal([parse(m)["Subject"] for m in got],
              ["by sendmail", "by submission"], "submission arrives")

    # refused at the door
    with s.smtp() as c:
        c.ehlo()
        c.mail("friend@elsewhere.test")
        tap.equal(c.rcpt("nobody@" + s.DOMAIN)[0], 550,
                  "an unknown recipient is refused at RCPT")
        tap.ok(c.rcpt("someone@far.test")[0] in (550, 554),
               "relaying is refused to strangers")

    # out by POP3
    p = s.pop3(s.USER2, s.PASS2)
    count, _ = p.stat()
    tap.equal(count, 2, "POP3 sees the messages")
    text = b"\r\n".join(p.retr(1)[1]) + b"\r\n"
    tap.ok(b"Subject: by sendmail" in text, "and gives their text")
    tap.equal(len(text), int(p.list(1).split()[2]),
              "whose size is as announced")
    p.dele(1)
    p.quit()
    tap.equal(len(s.messages(s.USER2)), 1, "DELE is done at QUIT")

    # a folder, flags, a copy
    m = s.imap()
    m.select("INBOX")
    m.create("Kept")
    tap.equal(m.copy("1", "Kept")[0], "OK", "COPY to a new mailbox")
    tap.equal(m.store("1", "+FLAGS", "(\\Seen \\Deleted)")[0], "OK", "STORE")
    tap.equal(m.expunge()[1], [b"1"], "EXPUNGE tells what went")
    m.logout()
    tap.equal(len(s.messages(s.USER1, "Kept")), 1, "the copy is there")
    tap.equal(len(s.messages(s.USER1)), 0, "the original is not")

    # the log and the queue
    tap.ok(wait_for(lambda: s.read_log().count(": removed") >= 3),
           "each message ends with `removed` in the log")
    log = s.read_log()
    tap.ok("status=sent" in log and "from=<friend@elsewhere.test>" in log,
           "the log tells their way in Postfix's words")
    done = subprocess.run([s.MAILQ], capture_output=True, text=True,
                          timeout=60)
    tap.equal(done.stdout, "Mail queue is empty\n", "mailq: nothing left")
    status = s.posthorn("status")
    tap.equal(status.returncode, 0, "posthorn status: all is ready")

    # reload drops nobody
    held = s.imap()
    held.select("INBOX")
    tap.equal(s.posthorn("reload").returncode, 0, "posthorn reload")
    tap.ok(wait_for(lambda: s.posthorn("status").returncode == 0),
           "all is ready again")
    tap.equal(held.noop()[0], "OK", "an IMAP session goes on over a reload")
    with s.smtp() as c:
        c.sendmail("friend@elsewhere.test", [alice],
                   message("friend@elsewhere.test", alice, "after reload"))
    tap.equal(len(s.wait_messages(1)), 1, "and mail goes on")
    held.logout()

tap.done()
