#!/usr/bin/env python3
"""Logins as clients that we did not write make them: master users, who log in
as others, over IMAP, POP3 and submission; and too many sessions."""
import imaplib
import os
import poplib
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from instance import Instance, message as mail, wait_for  # noqa: E402

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


def crowded():
    """More sessions of a user than there may be."""
    with Instance("mail_max_userip_connections=2",
                  "smtpd_client_connection_count_limit=4") as s:
        def error(login):
            try:
                login().logout()
            except (imaplib.IMAP4.error, poplib.error_proto) as e:
                return str(e)
        mine = [s.imap(), s.imap()]
        tap.ok("[LIMIT]" in str(error(s.imap)), "the third is told why",
               error(s.imap))
        with s.raw(s.IMAPS_PORT) as c, s.context().wrap_socket(
                c, server_hostname="localhost") as t:
            f = t.makefile("rwb")
            f.readline()
            said = []
            for user, password in (s.USER1, s.PASS1), (s.USER2, s.PASS2):
                f.write(b"a LOGIN %s %s\r\n" % (user.encode(),
                                                password.encode()))
                f.flush()
                said.append(f.readline()[:5])
            tap.equal(said, [b"a NO ", b"a OK "],
                      "the connection is still good for another")
        there = [s.pop3(), s.pop3()]
        try:
            s.pop3()
            tap.ok(False, "POP3 counts by itself")
        except poplib.error_proto as e:
            tap.ok(b"[IN-USE]" in e.args[0], "POP3 counts by itself", e)
        mine.pop().logout()
        tap.ok(wait_for(lambda: error(s.imap) is None),
               "who ends a session may begin another")
        for c in mine:
            c.logout()
        for c in there:
            c.quit()
        tap.ok("user=%s: the user has too many sessions" % s.address() in
               s.read_log() and "login failed" not in s.read_log(),
               "the log tells, and it is no failure")


masters()
crowded()
tap.done()
