#!/usr/bin/env python3
"""What senders are told of mail that waits or fails, and who is not told:
notices never go to the empty sender, and never start a loop."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap, free_port  # noqa: E402
from instance import Instance, message, parse, wait_for  # noqa: E402


def post(s, sender, to, subject, options=()):
    with s.smtp() as c:
        c.ehlo()
        assert c.mail(sender)[0] == 250
        assert c.rcpt(to, list(options))[0] == 250
        assert c.data(message(sender, to, subject))[0] == 250


def told(s, subject, user=None):
    """Actions that the reports on the message SUBJECT tell of."""
    found = []
    for m in s.messages(user):
        if ("Subject: " + subject + "\r").encode() in m:
            for p in parse(m).walk():
                if p.get_content_type() == "message/delivery-status":
                    found += [x["Action"] for x in p.get_payload()[1:]]
    return found


def waits_and_expires(tap, s):
    alice = s.address()
    start = time.time()
    post(s, alice, "x@far.example", "slow")
    post(s, alice, "y@far.example", "quiet", ["NOTIFY=FAILURE"])
    post(s, alice, "z@far.example", "secret", ["NOTIFY=NEVER"])
    tap.ok(wait_for(lambda: "delayed" in told(s, "slow")),
           "who waits is told so")
    tap.ok(wait_for(lambda: "failed" in told(s, "slow") and
                    "failed" in told(s, "quiet"), 60),
           "and when it is given up")
    # an age counts from the second in which the message came
    tap.ok(time.time() - start >= 7, "… not before its time is over")
    tap.equal((told(s, "slow"), told(s, "quiet"), told(s, "secret")),
              (["delayed", "failed"], ["failed"], []),
              "each once, to those who want it")
    report = next(m for m in s.messages() if b"Subject: slow\r" in m and
                  b"\r\nAction: delayed\r" in m)
    tap.ok(b"\r\nWill-Retry-Until: " in report and
           b"\r\nStatus: 4." in report, "a delay says until when it is tried")
    tries = s.read_log().count("to=<x@far.example>, relay")
    tap.ok(tries < 8, "it was tried %d times, ever more rarely" % tries)
    tap.ok(wait_for(lambda: "queue is empty" in
                    s.posthorn("queue", "list").stdout, 30),
           "nothing stays in the queue")


def nobody(tap, s, postmaster):
    boxes = sum(len(s.messages(u)) for u in (None, s.USER2))
    post(s, "gone@" + s.DOMAIN, "x@null.example", "from a stranger")
    log = "undeliverable and without a sender: dropped"
    if postmaster:
        tap.ok(wait_for(lambda: b"\r\nFinal-Recipient: rfc822; gone@" in
                        b"".join(s.messages(s.USER2))),
               "a bounce that bounces goes to 2bounce_notice_recipient")
    else:
        tap.ok(s.wait_log(log), "a bounce that bounces is dropped, loudly")
    tap.ok(wait_for(lambda: "queue is empty" in
                    s.posthorn("queue", "list").stdout),
           "… and nothing stays")
    boxes = sum(len(s.messages(u)) for u in (None, s.USER2)) - boxes
    tap.equal(boxes, 1 if postmaster else 0, "… nor goes anywhere else")


def main():
    tap = Tap()
    dead = free_port()
    lines = ["mynetworks=127.0.0.0/8", "smtp_tcp_port=%d" % dead,
             "reject_unknown_sender_domain=no"]
    zone = "far.example. IN A 127.0.0.1\nnull.example. IN MX 0 .\n"
    with Instance("minimal_backoff_time=1s", "maximal_backoff_time=4s",
                  "delay_warning_time=2s", "maximal_queue_lifetime=8s",
                  *lines, zone=zone) as s:
        waits_and_expires(tap, s)
    for who in ("", "bob@localhost.example.test",
                "lost@localhost.example.test"):
        with Instance("2bounce_notice_recipient=" + who, *lines,
                      zone=zone, aliases="bob: bob@example.test\n") as s:
            if "lost" in who:
                post(s, "gone@" + s.DOMAIN, "x@null.example", "twice")
                tap.ok(s.wait_log("without a sender: dropped"),
                       "a double bounce that bounces ends there")
            else:
                nobody(tap, s, bool(who))
    tap.done()


main()
