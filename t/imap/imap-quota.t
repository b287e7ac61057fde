#!/usr/bin/env python3
"""Limits of a user's mailbox: what IMAP tells of them (RFC 9208), what is
refused over IMAP, at RCPT and at delivery, and that a full user gets mail again as soon
as something is deleted."""
import json
import os
import re
import signal
import smtplib
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from attack import children  # noqa: E402
from alone import Tap  # noqa: E402
from imapsession import Client, Sessions  # noqa: E402
from instance import Instance, message as mail, wait_for  # noqa: E402
from oracle import DOVECOT, Oracle, compare  # noqa: E402

tap = Tap()
PLUGIN = "/usr/lib/dovecot/modules/lib11_imap_quota_plugin.so"
SETTINGS = """\
mail_plugins=quota
protocol imap {
  mail_plugins=quota imap_quota
}
plugin {
  quota=count:User quota
  quota_vsizes=yes
  quota_rule=*:storage=100K:messages=%d
}
"""
LIMITS = {"quota": str(100 * 1024), "quota-messages": "10"}


def text(n, size=0):
    start = b"Subject: m%d\r\n\r\n" % n
    return start + b"x" * (size - len(start) - 2) + b"\r\n"


def literal(data):
    return b"{%d+}\r\n%s" % (len(data), data)


def usage(r):
    got = r.ask("GETQUOTAROOT INBOX")[0]
    return [int(n) for n in re.search(
        rb"STORAGE (\d+) \d+ MESSAGE (\d+) ", got[1]).groups()]


def without(all_sessions):
    r = all_sessions.raw()
    tap.equal(r.ask("GETQUOTAROOT INBOX")[0], [b'* QUOTAROOT "INBOX"'],
              "without a limit there is no root")
    tap.starts(r.ask('GETQUOTA "User quota"')[1], b"NO [NONEXISTENT]",
               "nor its limits")
    tap.starts(r.ask("APPEND INBOX " + "{3+}\r\na\r\n")[1], b"OK",
               "and all is taken")
    got = r.ask("CAPABILITY")[0][0].split()
    tap.ok(all(c in got for c in (b"QUOTA", b"QUOTA=RES-STORAGE",
                                  b"QUOTA=RES-MESSAGE")) and
           b"QUOTASET" not in got, "announced, but no QUOTASET", got)
    r.ask("SELECT INBOX")
    r.ask("STORE 1 +FLAGS \\Deleted")
    r.ask("EXPUNGE")
    r.close()


def with_limits(all_sessions):
    r = all_sessions.raw(**LIMITS)
    tap.equal(usage(r), [0, 0], "an empty mailbox")
    tap.starts(r.ask("SETQUOTA \"\" (STORAGE 1)")[1], b"NO [NOPERM]",
               "limits are not the user's")
    r.ask("CREATE other")
    tap.starts(r.ask(b"APPEND INBOX " + literal(text(1, 40000)))[1], b"OK",
               "a large message")
    tap.starts(r.ask(b"APPEND other " + literal(text(2, 40000)))[1], b"OK",
               "and one elsewhere")
    tap.equal(usage(r), [79, 2], "all folders count")
    r.send(b"x APPEND INBOX {40000}\r\n")
    tap.starts(r.until("x")[-1], b"x NO [OVERQUOTA]",
               "the third is not asked for")
    tap.starts(r.ask(b"APPEND INBOX %s %s" % (literal(text(3, 12000)), literal(
        text(4, 12000))))[1], b"NO [OVERQUOTA]", "nor two that are too much")
    tap.equal(usage(r), [79, 2], "and none of them is there")
    r.ask("SELECT INBOX")
    tap.starts(r.ask("COPY 1 other")[1], b"NO [OVERQUOTA]",
               "a copy that is too much")
    tap.starts(r.ask(b"REPLACE 1 INBOX " + literal(text(5, 50000)))[1], b"OK",
               "one in place of another needs room for the difference")
    tap.starts(r.ask("MOVE 1 other")[1], b"OK", "a move needs none")
    tap.equal(usage(r), [88, 2], "and changes nothing")
    r.ask("SELECT other")
    r.ask("STORE 1 +FLAGS \\Deleted")
    tap.equal(r.ask("STATUS other (MESSAGES DELETED DELETED-STORAGE)")[0],
              [b'* STATUS "other" (MESSAGES 2 DELETED 1 DELETED-STORAGE '
               b'40000)'], "what an EXPUNGE would free")
    tap.starts(r.ask("EXPUNGE")[1], b"OK", "a full user can delete")
    tap.equal(usage(r), [49, 1], "and it is free at once")
    tap.equal(r.ask("STATUS other (DELETED-STORAGE)")[0],
              [b'* STATUS "other" (DELETED-STORAGE 0)'], "nothing more to free")
    for n in range(8):
        r.ask(b"APPEND INBOX " + literal(text(n)))
    tap.starts(r.ask(b"APPEND INBOX " + literal(text(9)))[1], b"OK",
               "ten messages")
    tap.starts(r.ask(b"APPEND INBOX " + literal(text(9)))[1],
               b"NO [OVERQUOTA]", "and no more")
    r.close()


def at_once(all_sessions):
    """What there is room for when a literal begins may be too much when all
    of it is there."""
    r = [all_sessions.raw(**LIMITS) for _ in range(8)]
    for c in r:
        c.send(b"x APPEND INBOX {30000}\r\n")
    for c in r:
        c.line()    # "+"
        c.send(text(1, 30000))
    for c in r:
        c.send(b"\r\n")
    got = sorted(c.until("x")[-1][:10] for c in r)
    tap.equal(got, [b"x NO [OVER"] * 5 + [b"x OK [APPE"] * 3,
              "of eight messages at once those are added that fit")
    tap.equal(usage(r[0]), [88, 3], "and no more")
    for c in r:
        c.close()


def clients(all_sessions):
    m = Client(all_sessions.socket(**LIMITS))
    kind, (roots, limits) = m.getquotaroot("INBOX")
    tap.equal((kind, roots, limits), (
        "OK", [b'"INBOX" "User quota"'],
        [b'"User quota" (STORAGE 49 100 MESSAGE 10 10)']), "imaplib")
    m.logout()


def as_dovecot(all_sessions):
    if not (os.path.exists(DOVECOT) and os.path.exists(PLUGIN)):
        return
    limits = dict(LIMITS)
    with Oracle(all_sessions, SETTINGS % 12) as oracle:
        limits["quota-messages"] = "12"
        r = all_sessions.raw(**limits)
        r.ask("DELETE other")
        r.ask("LOGOUT")
        for n in range(2):
            all_sessions.put(b"Subject: foreign %d\n\nbody\n" % n + b"y\n" * 5000)
        r = all_sessions.raw(**limits)
        r.ask("SELECT INBOX")
        r.ask("FETCH 1:* RFC822.SIZE")
        oracle.copy()
        theirs = oracle.open()
        for command in ("GETQUOTAROOT INBOX", 'GETQUOTA "User quota"',
                        "GETQUOTA nope", "GETQUOTAROOT nope"):
            compare(tap, r, theirs, command, change=lambda u: [
                re.sub(rb'"(INBOX|nope)"', rb"\1", x) for x in u])
        for session in r, theirs:
            session.ask("SELECT INBOX")
        for command in ("COPY 1:3 INBOX", "SETQUOTA x (STORAGE 1)",
                        b"APPEND INBOX " + literal(text(1, 100000))):
            compare(tap, r, theirs, command, "the same: %s" % command[:20],
                    change=lambda u: [])


TREES = {"quota": str(100 * 1024), "quota-rules":
         "Trash:storage=+50% Spam:ignore Archive:storage=20"}


def trees(all_sessions):
    """Folders with rules of their own, beside a Dovecot with the same."""
    r = all_sessions.raw(**TREES)
    for name in "Trash", "Trash/old", "Spam", "Archive/x":
        r.ask("CREATE " + name)
    tap.equal(r.ask("GETQUOTAROOT Archive/x")[0],
              [b'* QUOTAROOT "Archive/x" "User quota" "Archive"',
               b'* QUOTA "User quota" (STORAGE 0 100)',
               b'* QUOTA "Archive" (STORAGE 0 20)'], "a tree has a root")
    tap.equal(r.ask("GETQUOTAROOT Spam")[0], [b'* QUOTAROOT "Spam"'],
              "what does not count has none")
    tap.equal(r.ask("GETQUOTA Archive")[0],
              [b'* QUOTA "Archive" (STORAGE 0 20)'], "asked by its name")
    tap.starts(r.ask(b"APPEND Archive/x " + literal(text(1, 20000)))[1], b"OK",
               "what fits into the tree")
    tap.starts(r.ask(b"APPEND Archive/x " + literal(text(2, 5000)))[1],
               b"NO [OVERQUOTA]", "and what does not")
    r.ask("SELECT Archive/x")
    tap.starts(r.ask("COPY 1 Archive/x")[1], b"NO [OVERQUOTA]", "nor a copy")
    r.ask(b"APPEND INBOX " + literal(text(3, 5000)))
    r.ask("SELECT INBOX")
    tap.starts(r.ask("MOVE 1 Archive/x")[1], b"NO [OVERQUOTA]", "nor a move")
    r.ask("STORE 1:* +FLAGS \\Deleted")
    r.ask("CLOSE")
    for name in "Archive/x", "Archive":
        r.ask("DELETE " + name)
    if not (os.path.exists(DOVECOT) and os.path.exists(PLUGIN)):
        return
    rules = """\
  quota_rule2=Trash:storage=+50%%%%
  quota_rule3=Trash.*:storage=+50%%%%
  quota_rule4=Spam:ignore
}
"""
    with Oracle(all_sessions, SETTINGS.rstrip("}\n") % 1000 + "\n" + rules %
                ()) as oracle:
        oracle.copy()
        theirs = oracle.open()
        for name in "Trash", "Trash/old", "Spam":
            theirs.ask("CREATE " + name.replace("/", "."))
        for folder, size in (("INBOX", 60000), ("Spam", 150000),
                             ("INBOX", 60000), ("Trash", 60000),
                             ("Trash/old", 10000), ("Trash/old", 40000),
                             ("INBOX", 500), ("Spam", 500)):
            got = [x.ask(b"APPEND %s %s" % (f.encode(), literal(
                text(1, size))))[1][:2] for x, f in (
                    (r, folder), (theirs, folder.replace("/", ".")))]
            tap.equal(got[0], got[1], "%d bytes to %s: %s" % (
                size, folder, got[1].decode()))
        for session in r, theirs:
            session.ask("SELECT Spam")
        for command in "COPY 1 INBOX", "COPY 1 Spam":
            got = [x.ask(command)[1][:2] for x in (r, theirs)]
            tap.equal(got[0], got[1], "%s: %s" % (command, got[1].decode()))
        tap.starts(r.ask("MOVE 1 INBOX")[1], b"NO [OVERQUOTA]",
                   "what did not count does, when it is moved")
        r.ask("SELECT INBOX")
        tap.starts(r.ask("MOVE 1 Trash")[1], b"OK", "the trash is never full "
                   "for a move")


def send(s, n, size, user=None):
    with s.smtp() as c:
        c.sendmail("a@sender.test", [s.address(user)],
                   mail("a@sender.test", s.address(user), "m%d" % n,
                        ("z" * 70 + "\r\n") * (size // 72)))


def send_here(s, n, size, user=None):
    """From a local program, which is not asked for each recipient."""
    subprocess.run([s.SENDMAIL, "-f", "a@sender.test", s.address(user)],
                   input=mail("a@sender.test", s.address(user), "m%d" % n,
                              ("z" * 70 + "\r\n") * (size // 72)),
                   check=True)


def empty(s):
    m = s.imap()
    m.select()
    m.store("1:*", "+FLAGS", "\\Deleted")
    kind, _ = m.expunge()
    m.logout()
    return kind


def delivery():
    with Instance("mailbox_quota=100K", "mailbox_quota_grace=0",
                  "mailbox_quota_warnings=") as s:
        for n in range(2):
            send(s, n, 40000)
        tap.equal(len(s.wait_messages(2)), 2, "mail within the limit arrives")
        send_here(s, 3, 40000)
        tap.ok(s.wait_log("dsn=5.2.2"), "what is over it is returned (5.2.2)")
        tap.ok("mailbox is full" in s.read_log(), "and the reason is told")
        send(s, 4, 5000)
        tap.equal(len(s.wait_messages(3)), 3, "what still fits arrives")
        m = s.imap()
        tap.ok(b"STORAGE 85 100" in m.getquotaroot("INBOX")[1][1][0] or
               b" 100)" in m.getquotaroot("INBOX")[1][1][0],
               "the user sees the limit", m.getquotaroot("INBOX"))
        m.logout()
        got = s.posthorn("user", "quota", s.address(), "nobody@" + s.DOMAIN)
        tap.ok(re.match(r"%s  \d+ of 102400 bytes \(8\d %%\)  3 messages\n$" %
                        re.escape(s.address()), got.stdout) and
               got.returncode == 67, "posthorn user quota",
               (got.stdout, got.stderr, got.returncode))
        got = {u["user"]: u for u in json.loads(s.posthorn(
            "user", "quota", "--json").stdout)}
        tap.equal((got[s.address()]["messages"],
                   got[s.address(s.USER2)]["bytes"],
                   got[s.address()]["bytes_limit"],
                   got[s.address()]["messages_limit"]), (3, 0, 102400, None),
                  "of all users, also those without mail")
        tap.equal(empty(s), "OK", "a full user can delete")
        send(s, 5, 90000)
        tap.equal(len(s.wait_messages(1)), 1, "and gets mail again at once")
        with open(s.path("users")) as f:
            lines = f.read().splitlines()
        lines = [line + ("" if s.USER2 not in line.split(":")[0] else
                         ":" * (7 - line.count(":")) +
                         "userdb_quota_rule=*:storage=1M:messages=2")
                 for line in lines]
        with open(s.path("users.new"), "w") as f:
            f.write("\n".join(lines) + "\n")
        old = os.stat(s.path("users"))
        os.chown(s.path("users.new"), old.st_uid, old.st_gid)
        os.rename(s.path("users.new"), s.path("users"))

        def told():
            m = s.imap(s.USER2, s.PASS2)
            got = m.getquotaroot("INBOX")[1][1]
            m.logout()
            return got and b" 1024 MESSAGE 0 2)" in got[0]
        tap.ok(wait_for(told), "a limit of the user's own, within a second")
        for n in 6, 7:
            send(s, n, 110000, s.USER2)
        tap.equal(len(s.wait_messages(2, s.USER2)), 2, "holds")
        send_here(s, 8, 10, s.USER2)
        tap.ok(s.wait_log("dsn=5.2.2", times=2), "also of messages")


def warnings():
    with Instance("mailbox_quota=100K", "mailbox_quota_warnings=50 90") as s:
        def told():
            return sorted(re.search(rb"more than (\d+) % full", m).group(1)
                          for m in s.messages() if b"MAILER-DAEMON@" in m)
        send(s, 1, 40000)
        s.wait_messages(1)
        send(s, 2, 20000)
        s.wait_messages(3)
        tap.equal(told(), [b"50"], "a warning when a threshold is crossed")
        send(s, 3, 20000)
        s.wait_messages(4)
        tap.equal(told(), [b"50"], "once")
        for n in 4, 5:
            send(s, n, 7500)
        s.wait_messages(7)
        tap.equal(told(), [b"50", b"90"], "and one for the next")
        empty(s)
        send(s, 6, 100)
        s.wait_messages(1)
        send(s, 7, 60000)
        s.wait_messages(3)
        tap.equal(told(), [b"50"], "again when it was emptier meanwhile")


def later():
    with Instance("mailbox_quota=100K", "quota_full_tempfail=yes",
                  "mailbox_quota_warnings=") as s:
        send(s, 1, 105000)
        tap.equal(len(s.wait_messages(1)), 1,
                  "a message may go over the limit by the grace")
        send_here(s, 2, 8000)
        tap.ok(s.wait_log("dsn=4.2.2"), "the next waits (4.2.2)")
        tap.ok(wait_for(lambda: rcpt(s, 8000)[0] == 452),
               "or is put off at RCPT")
        empty(s)

        def came():
            s.posthorn("queue", "flush", "ALL")
            return len(s.messages()) == 1
        tap.ok(wait_for(came, pause=0.5), "until there is room")


def rcpt(s, size=None, user=None):
    """The code and the text that RCPT gets; nothing is sent."""
    with s.smtp() as c:
        c.ehlo()
        c.mail("a@sender.test", [] if size is None else ["SIZE=%d" % size])
        return c.rcpt(s.address(user))


def body(size):
    return "From: <a@sender.test>\r\n\r\n" + ("z" * 70 + "\r\n") * (size // 72)


def lmtp(s, to, text):
    """The replies to the recipients of one message."""
    with smtplib.LMTP(s.LMTP_SOCKET, local_hostname="client.test") as c:
        c.ehlo()
        c.mail("a@sender.test")
        codes = [c.rcpt(a)[0] for a in to]
        c.putcmd("data")
        c.getreply()
        c.send(text + ".\r\n")
        return codes, [c.getreply() for _ in to]


def at_rcpt():
    """Mail for a full mailbox is refused before it is accepted."""
    with Instance("mailbox_quota=100K", "mailbox_quota_grace=0",
                  "mailbox_quota_rules=Archive:storage=10K Spam:ignore",
                  "mailbox_quota_warnings=") as s:
        got = json.loads(s.posthorn("user", "quota", "--json",
                                    s.address()).stdout)[0]
        tap.equal([(t["folder"], t["bytes_limit"]) for t in got["trees"]],
                  [("Archive", 10240), ("Spam", None)], "rules for all")
        for n in range(2):
            send(s, n, 40000)
        s.wait_messages(2)
        tap.ok(wait_for(lambda: rcpt(s, 40000)[0] == 552),
               "what has no room is refused at RCPT")
        tap.starts(rcpt(s, 40000)[1], b"5.2.2 ", "with the reason")
        tap.equal([rcpt(s, 5000)[0], rcpt(s)[0], rcpt(s, 40000, s.USER2)[0]],
                  [250, 250, 250],
                  "but not what fits, or may fit, or is for others")
        with s.smtp() as c:
            c.ehlo()
            c.mail("a@sender.test")
            c.rcpt(s.address())
            tap.equal(c.data(body(40000))[0], 552,
                      "without SIZE it is when the message is there")
            c.mail("a@sender.test")
            c.rcpt(s.address())
            c.rcpt(s.address(s.USER2))
            tap.equal(c.data(body(40000))[0], 250, "but not for others' sake")
        s.wait_messages(1, s.USER2)
        tap.ok(s.wait_log("dsn=5.2.2"), "then delivery refuses it")
        with s.submission() as c:
            c.mail(s.address(), ["SIZE=40000"])
            tap.equal(c.rcpt(s.address())[0], 552, "users hear of it too")
        both = [s.address(), s.address(s.USER2), s.address()]
        codes, got = lmtp(s, both, body(40000))
        tap.equal((codes, [g[0] for g in got]),
                  ([250] * 3, [552, 250, 552]), "LMTP: each by itself")
        tap.ok(both[0].encode() in got[0][1] and got[1][1].startswith(
            b"2.0.0 "), "and each reply names its own", got)
        s.wait_messages(2, s.USER2)
        tap.equal([g[0] for g in lmtp(s, both[:1], body(40000))[1]], [552],
                  "and a message for nobody is not accepted")
        tap.equal(len(s.messages()), 2, "the full user got nothing")
        empty(s)
        tap.ok(wait_for(lambda: rcpt(s, 40000)[0] == 250, seconds=20),
               "room is noticed")
        for n in range(2):
            send(s, n, 40000)
        s.wait_messages(2)
        tap.ok(wait_for(lambda: rcpt(s, 40000)[0] == 552), "full again")
        tired = [s.pid_of("local-deliver")]
        tired += children(tired[0])
        for pid in tired:
            os.kill(pid, signal.SIGSTOP)
        tap.ok(wait_for(lambda: rcpt(s, 40000)[0] == 250, seconds=20),
               "who cannot be asked delays nobody")
        for pid in reversed(tired):
            os.kill(pid, signal.SIGCONT)
        tap.ok(wait_for(lambda: rcpt(s, 40000)[0] == 552, seconds=20),
               "and is asked again")


with Sessions() as sessions:
    without(sessions)
    with_limits(sessions)
    clients(sessions)
    as_dovecot(sessions)
with Sessions() as sessions:
    at_once(sessions)
with Sessions() as sessions:
    trees(sessions)
delivery()
at_rcpt()
warnings()
later()
tap.done()
