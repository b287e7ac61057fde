#!/usr/bin/env python3
"""Nothing forged gets in: mail in the name of a domain that asks for reject,
with a From that confuses parsers, with keys whose servers are silent, while
all checkers are busy, while they die, and without any."""
import concurrent.futures
import os
import signal
import smtplib
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from instance import Instance, parse, wait_for  # noqa: E402

tap = Tap()

ZONE = """
_dmarc.bank.org. IN TXT "v=DMARC1; p=reject"
_dmarc.other.org. IN TXT "v=DMARC1; p=reject"
_dmarc.quiet.org. IN TXT "v=DMARC1; p=none"
friend.org. IN TXT "v=spf1 ip4:127.0.0.1 -all"
_dmarc.friend.org. IN TXT "v=DMARC1; p=reject"
attacker.org. IN TXT "v=spf1 ip4:127.0.0.1 -all"
"""
SLOW = 12  # zones whose server never answers

# None of these may be taken: what stands for the From field(s).
FORGED = [
    ("plain", "From: CEO <ceo@bank.org>"),
    ("address behind the name", "From: CEO <q@attacker.org> <ceo@bank.org>"),
    ("two angle addresses", "From: <q@attacker.org> <ceo@bank.org>"),
    ("unclosed angle", "From: CEO <ceo@bank.org"),
    ("double angle", "From: CEO <<ceo@bank.org>>"),
    ("unclosed comment", "From: ceo@bank.org (x"),
    ("unclosed quote", 'From: "CEO <ceo@bank.org>'),
    ("quoted pair", "From: CEO <ceo\\@bank.org>"),
    ("quoted pair in the domain", "From: CEO <ceo@ba\\nk.org>"),
    ("nine domains", "From: " + ", ".join(
        "a@n%d.org" % i for i in range(8)) + ", ceo@bank.org"),
    ("101 addresses", "From: " + ", ".join(
        "a%d@attacker.org" % i for i in range(100)) + ", ceo@bank.org"),
    ("group", "From: Bank: ceo@bank.org;"),
    ("group and another", "From: q@attacker.org, Bank: ceo@bank.org;"),
    ("bare words", "From: ceo@bank.org the boss"),
    ("bare words before", "From: the boss ceo@bank.org"),
    ("bare address before", "From: ceo@bank.org <q@attacker.org>"),
    ("blank in the domain", "From: CEO <ceo@ba nk.org>"),
    ("comment in the domain", "From: CEO <ceo@bank(x).org>"),
    ("fold in the domain", "From: CEO <ceo@bank.\r\n org>"),
    ("encoded address", "From: =?utf-8?q?ceo=40bank.org?="),
    ("encoded angle", "From: =?utf-8?q?CEO_=3Cceo=40bank.org=3E?= "
     "<q@attacker.org>"),
    ("full-width", "From: CEO <ceo@\uff42ank.org>"),
    ("final dot", "From: CEO <ceo@bank.org.>"),
    ("a route", "From: CEO <@attacker.org:ceo@bank.org>"),
    ("no From", "X-From: CEO <q@attacker.org>"),
    ("no address", "From: CEO"),
    ("two fields", "From: q@attacker.org\r\nFrom: CEO <ceo@bank.org>"),
    ("two fields, other order",
     "From: CEO <ceo@bank.org>\r\nFrom: q@attacker.org"),
    ("semicolons", "From: q@attacker.org; ceo@bank.org"),
    ("two signs", "From: q@attacker.org@bank.org"),
]

# These are odd, and honest.
ODD = [
    ("dots in the name", "From: John Q. Public <joe@friend.org>"),
    ("comma in the name", "From: Public, John <joe@friend.org>"),
    ("address as name", "From: joe@friend.org <joe@friend.org>"),
    ("quoted address as name", 'From: "joe@friend.org" <joe@friend.org>'),
    ("name in a comment", "From: joe@friend.org (Joe Public)"),
    ("list", "From: \"Joe (joe@quiet.org) via List\" <list@friend.org>"),
    ("list of another", "From: 'joe@bank.org' via List <list@friend.org>",
     False),
    ("quoted list of another",
     "From: \"'joe@bank.org' via List\" <list@friend.org>"),
    ("bytes beyond ASCII", "From: J\xf6rg <joe@friend.org>"),
    ("colon in the name", "From: Shop: News <joe@friend.org>"),
    ("name of brackets", "From: [Shop] <joe@friend.org>"),
    ("no closing angle", "From: Joe <joe@friend.org"),
    ("host", "From: root@host"),
]


def deliver(s, head, sender="x@attacker.org", subject="s"):
    """The code and text of the answer to the message."""
    with s.smtp() as c:
        c.ehlo("mail.attacker.org")
        c.mail(sender)
        c.rcpt(s.address())
        return c.data((head + "\r\nTo: alice@example.test\r\nSubject: " +
                       subject + "\r\nMessage-ID: <1@x.test>\r\n"
                       "Date: Tue, 24 Nov 2026 02:00:00 +0000\r\n\r\n"
                       "hi\r\n").encode("utf-8"))


def signatures(n):
    return "".join("DKIM-Signature: v=1; a=rsa-sha256; d=slow%d.org; s=x%d; "
                   "h=from; bh=AAAA; b=AAA%d\r\n" % (i % SLOW, i, i)
                   for i in range(n))


def workers(s):
    pid = s.pid_of("authcheck")
    with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
        return [int(w) for w in f.read().split()]


def slow_session(s, n, codes):
    try:
        codes.append(deliver(s, signatures(10) + "From: a@attacker.org",
                             subject="slow%d" % n)[0])
    except (OSError, smtplib.SMTPException):
        codes.append(0)


def test_from(s):
    for promise, head in FORGED:
        code, text = deliver(s, head)
        tap.ok(code == 550, "refused: " + promise, (code, text))
    for promise, head, *taken in ODD:
        code, text = deliver(s, head, "joe@friend.org")
        tap.ok((code == 250) == (taken != [False]),
               "odd: " + promise, (code, text))


def test_slow_keys(s):
    """All three wait for what never comes, at once."""
    def took():
        began = time.monotonic()
        return deliver(s, signatures(4) + "From: CEO <ceo@bank.org>"), \
            time.monotonic() - began
    with concurrent.futures.ThreadPoolExecutor() as pool:
        keys = pool.submit(took)
        policy = pool.submit(deliver, s, "From: CEO <ceo@slow0.org>")
        spf = pool.submit(deliver, s, "From: x@attacker.org", "x@slow1.org")
    (code, text), seconds = keys.result()
    tap.ok(code == 550, "refused: keys that never come", (code, text))
    tap.ok(seconds < 25, "and within 25 s", seconds)
    code, text = policy.result()
    tap.ok(code == 451, "a policy that never comes: later", (code, text))
    code, text = spf.result()
    tap.ok(code == 250, "SPF that never comes harms nobody without a policy",
           (code, text))


def test_load(s):
    codes = []
    threads = [threading.Thread(target=slow_session, args=(s, n, codes))
               for n in range(45)]
    for t in threads:
        t.start()
    time.sleep(1.5)
    worst = 0
    for n in range(4):
        began = time.monotonic()
        code, text = deliver(s, "From: CEO <ceo@bank.org>")
        tap.ok(code == 550, "forged, while 45 slow ones are checked",
               (code, text))
        code, text = deliver(s, "From: joe@friend.org", "joe@friend.org",
                             "quick%d" % n)
        tap.ok(code == 250, "honest, while 45 slow ones are checked",
               (code, text))
        worst = max(worst, time.monotonic() - began)
    tap.ok(worst < 8, "both within 8 s", worst)
    for t in threads:
        t.join()
    tap.ok(set(codes) <= {250, 451}, "the slow ones got answers", codes)


def test_crash(s):
    got = []
    t = threading.Thread(target=lambda: got.append(deliver(
        s, signatures(4) + "From: CEO <ceo@bank.org>")))
    before = set(workers(s))
    t.start()
    end = time.monotonic() + 3
    while time.monotonic() < end and t.is_alive():
        for pid in workers(s):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.1)
    t.join()
    tap.ok(before and got[0][0] in (451, 550),
           "forged, while checkers are killed", got)
    tap.ok(wait_for(lambda: workers(s)), "there are checkers again")
    code, text = deliver(s, "From: joe@friend.org", "joe@friend.org", "after")
    tap.ok(code == 250, "an honest one after that", (code, text))


def test_nobody(s):
    os.kill(s.pid_of("authcheck"), signal.SIGSTOP)
    for pid in workers(s):
        os.kill(pid, signal.SIGSTOP)
    try:
        return deliver(s, "From: CEO <ceo@bank.org>", subject="nobody")
    finally:
        os.kill(s.pid_of("authcheck"), signal.SIGCONT)
        for pid in workers(s):
            os.kill(pid, signal.SIGCONT)


def unrecorded(s):
    return [parse(m)["Subject"] for m in s.messages()
            if "dmarc=" not in str(parse(m)["Authentication-Results"])]


def without_checker(settings, got):
    """Of an instance that takes mail without its checks."""
    with Instance(*settings, "authcheck_default_action=accept",
                  zone=ZONE) as s:
        got.append(test_nobody(s))
        s.wait_messages(1)
        got.append(str(parse(s.messages()[0])["Authentication-Results"]))


with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
    silent.bind(("127.0.0.1", 0))
    stubs = " ".join("slow%d.org=127.0.0.1@%d" %
                     (i, silent.getsockname()[1]) for i in range(SLOW))
    settings = ["resolver_stub_zones=" + stubs, "dmarc_reject=yes",
                "disabled_services=tls-policy pop3d pop3-session"]
    got = []
    # half a minute each, so side by side
    other = threading.Thread(target=without_checker, args=(settings, got))
    other.start()
    with Instance(*settings, zone=ZONE) as s:
        test_from(s)
        test_slow_keys(s)
        test_load(s)
        test_crash(s)
        code, text = test_nobody(s)
        tap.ok(code == 451, "no checker answers: later", (code, text))
        s.wait_messages(1)
        tap.equal(unrecorded(s), [], "all that was taken has results")
    other.join()
    tap.ok(got and got[0][0] == 250,
           "no checker answers, and that is to be ignored", got)
    tap.ok(got and "dmarc=temperror" in got[-1], "then it is on record", got)
tap.done()
