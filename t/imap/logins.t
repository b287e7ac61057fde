#!/usr/bin/env python3
"""Logins as clients that we did not write make them: master users, who log in
as others, over IMAP, POP3 and submission."""
import os
import poplib
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from instance import Instance, message as mail  # noqa: E402

tap = Tap()


def curl(s, url, *words):
    return subprocess.run(
        ["curl", "-sS", "--cacert", s.CA_FILE, "--max-time", "60", *words,
         url.replace("HOST", "localhost")],
        capture_output=True, text=True)


def hash_of(password):
    return subprocess.run(["openssl", "passwd", "-6", password],
                          capture_output=True, text=True,
                          check=True).stdout.strip()


def masters():
    table = "ops %s\n" % hash_of("master's")
    with Instance("auth_master_user_maps=texthash:$config_directory/masters",
                  "auth_master_user_separator=*", masters=table) as s:
        with s.smtp() as c:
            c.sendmail("a@sender.test", [s.address()], mail(
                "a@sender.test", s.address(), "for alice"))
        s.wait_messages(1)
        for protocol, port, path in (("imaps", s.IMAPS_PORT, "/INBOX;UID=1"),
                                     ("pop3s", s.POP3S_PORT, "/1")):
            got = curl(s, "%s://HOST:%s%s" % (protocol, port, path), "--user",
                       "ops:master's", "--sasl-authzid", s.address())
            tap.ok("Subject: for alice" in got.stdout,
                   "curl, %s: as another" % protocol, got)
            got = curl(s, "%s://HOST:%s%s" % (protocol, port, path), "--user",
                       "%s:%s" % (s.USER2, s.PASS2), "--sasl-authzid",
                       s.address())
            tap.ok("Subject" not in got.stdout and got.returncode,
                   "but not everybody", got)
        m = s.imap("%s*ops" % s.address(), "master's")
        tap.equal(m.select()[1], [b"1"], "imaplib: the name of both")
        m.logout()
        p = s.pop3("%s*ops" % s.USER1, "master's")
        tap.equal(p.stat()[0], 1, "poplib, with the user's name alone")
        p.quit()
        try:
            s.pop3("%s*%s" % (s.USER1, s.address(s.USER2)), s.PASS2)
            tap.ok(False, "other users are no masters")
        except poplib.error_proto:
            tap.ok(True, "other users are no masters")
        with s.submission("%s*ops" % s.address(), "master's") as c:
            c.sendmail(s.address(), [s.address(s.USER2)], mail(
                s.address(), s.address(s.USER2), "by ops"))
        tap.equal(len(s.wait_messages(1, s.USER2)), 1, "mail can be sent, too")
        tap.ok(all("service=%s, method=%s, user=%s, master=ops" % (
            service, method, s.address()) in s.read_log() for service, method
            in (("imap", "PLAIN"), ("pop3", "PLAIN"), ("smtp", "PLAIN"))),
               "the log has each of them")


masters()
tap.done()
