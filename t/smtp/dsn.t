#!/usr/bin/env python3
"""Delivery reports as the sender asks for them (RFC 3461, RFC 3464), and mail
in UTF-8 and 8 bits (RFC 6531, RFC 6533, RFC 6152), from one host to others:
one like us, one that knows none of these extensions."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap, free_port  # noqa: E402
from instance import Instance, message, parse, wait_for  # noqa: E402
from smtppeer import Peer  # noqa: E402

tap = Tap()

ZONE = """\
one.test. 300 IN MX 10 mail.one.test.
mail.one.test. 300 IN A 127.0.0.1
two.test. 300 IN MX 10 mail.two.test.
localhost.two.test. 300 IN MX 10 mail.two.test.
mail.two.test. 300 IN A 127.0.0.1
plain.test. 300 IN MX 10 mail.plain.test.
mail.plain.test. 300 IN A 127.0.0.2
"""


def submit(place, sender, options, recipients, content):
    """RECIPIENTS: (address, options) …"""
    with place.submission() as c:
        c.command_encoding = "utf-8"
        code, text = c.mail(sender, options)
        assert code == 250, text
        for address, how in recipients:
            code, text = c.rcpt(address, how)
            assert code == 250, (address, text)
        code, text = c.data(content)
        assert code == 250, text


class Report:
    """A delivery report: fields of the message, of each recipient, and what
    is returned."""

    def __init__(self, raw):
        self.raw = raw
        self.mail = parse(raw)
        parts = self.mail.get_payload()
        self.kind = self.mail.get_param("report-type")
        self.status, self.returned = parts[1], parts[2]
        # Python knows message/delivery-status, but not the global one
        head, _, text = self.status.as_bytes().partition(b"\n\n")
        fields = [parse(b) for b in text.strip().split(b"\n\n")]
        self.about = fields[0]
        self.recipients = fields[1:]

    def of(self, address):
        for r in self.recipients:
            if r["Final-Recipient"].split(";")[1].strip() == address:
                return r
        return None


def reports(place):
    return [Report(m) for m in place.messages()
            if parse(m).get_content_type() == "multipart/report"]


def find(place, address, seconds=60):
    found = []

    def look():
        found[:] = [(r, r.of(address)) for r in reports(place)
                    if r.of(address)]
        return found
    wait_for(look, seconds, 0.3)
    return found[0] if found else (None, None)


def test_reports(one, two, peer):
    alice = one.address("alice")
    bob = one.address("bob")
    submit(one, alice, ["RET=HDRS", "ENVID=QQ+2B314"], [
        (bob, ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;Bob+2B1@old.test"]),
        ("team@localhost.one.test", ["NOTIFY=SUCCESS"]),
        ("list@localhost.one.test", ["NOTIFY=SUCCESS"]),
        ("bob@two.test", ["NOTIFY=SUCCESS", "ORCPT=rfc822;b@old.test"]),
        ("nobody@two.test", ["NOTIFY=FAILURE"]),
        ("never@two.test", ["NOTIFY=NEVER"]),
        ("alice@two.test", []),
        ("x@plain.test", ["NOTIFY=SUCCESS,FAILURE"]),
    ], message(alice, bob, "reports", "a line that is not to come back\r\n"))

    whole, r = find(one, bob)
    tap.ok(r and r["Action"] == "delivered" and r["Status"][0] == "2",
           "a local delivery is reported as asked")
    tap.ok(r and r["Original-Recipient"].replace(" ", "") ==
           "rfc822;Bob+1@old.test", "with the recipient that the sender knew")
    tap.ok(whole and whole.about["Original-Envelope-Id"] == "QQ+314",
           "and the sender's name for the message")
    tap.ok(whole and parse(whole.raw)["Return-Path"] == "<>",
           "a report has the empty sender")
    tap.ok(whole and whole.returned.get_content_type() ==
           "text/rfc822-headers" and b"not to come back" not in whole.raw,
           "RET=HDRS: the fields alone come back")

    whole, r = find(one, "bob+team@one.test")
    tap.ok(r and r["Action"] == "delivered" and "team@" in
           r["Original-Recipient"],
           "an alias hands the wish on to its members")
    whole, r = find(one, "list@localhost.one.test")
    tap.ok(r and r["Action"] == "delivered",
           "a list with an owner is reported itself")

    whole, r = find(one, "bob@two.test")
    tap.ok(r and r["Action"] == "delivered" and
           "mail.two.test" in whole.about["Reporting-MTA"] and
           r["Original-Recipient"].replace(" ", "") == "rfc822;b@old.test" and
           whole.about["Original-Envelope-Id"] == "QQ+314",
           "the wish goes on to a host that knows it, which reports")

    whole, r = find(one, "nobody@two.test")
    tap.ok(r and r["Action"] == "failed" and r["Status"] == "5.1.1" and
           "550" in r["Diagnostic-Code"] and
           "mail.two.test" in r["Remote-MTA"],
           "a refusal is reported with the host's own words")

    whole, r = find(one, "x@plain.test")
    tap.ok(r and r["Action"] == "relayed",
           "to a host that does not know it: relayed")
    tap.ok(peer.messages and not any("NOTIFY" in c or "RET=" in c
                                     for c in peer.heard),
           "and it is asked for nothing")
    wait_for(lambda: one.posthorn("queue", "list").stdout.startswith(
        "the queue is empty"), 20)
    tap.ok(not any(r.of(a) for r in reports(one) for a in
                   ("never@two.test", "alice@two.test", "bob+list@one.test")),
           "NOTIFY=NEVER, and a success that nobody asked for: no report")


def test_utf8(one, two, peer):
    alice = one.address("alice")
    to = "δοκιμή@localhost.two.test"
    content = ("From: Älïce <%s>\r\nTo: <%s>\r\nSubject: Grüße\r\n"
               "Date: Tue, 24 Nov 2026 02:00:00 +0000\r\n"
               "Message-ID: <utf8@one.test>\r\nMIME-Version: 1.0\r\n"
               "Content-Type: text/plain; charset=utf-8\r\n"
               "Content-Transfer-Encoding: 8bit\r\n\r\nžluťoučký\r\n"
               % (alice, to)).encode()
    submit(one, alice, ["SMTPUTF8", "BODY=8BITMIME"],
           [(to, []), ("y@plain.test", [])], content)
    wait_for(lambda: any("Grüße".encode() in m
                         for m in two.messages("bob")), 20, 0.3)
    got = next((m for m in two.messages("bob")
                if "Grüße".encode() in m), b"")
    tap.ok(got.endswith(content[content.index(b"Subject:"):]),
           "a message in UTF-8 comes through byte for byte")
    tap.ok(b"with UTF8SMTP" in got, "Received tells of UTF8SMTP")
    whole, r = find(one, "y@plain.test")
    tap.ok(r and r["Status"] == "5.6.7" and whole.kind ==
           "global-delivery-status",
           "it cannot go to a host without SMTPUTF8, and comes back")


def test_eight_bit(one, two, peer):
    alice = one.address("alice")
    body = "žluťoučký kůň\r\n.\r\n".encode()
    fields = message(alice, "z@plain.test", "eight",
                     MIME_Version="1.0", Content_Type="text/plain; "
                     "charset=utf-8", Content_Transfer_Encoding="8bit",
                     body="").rstrip(b"\r\n") + b"\r\n\r\n"
    before = len(peer.messages)
    submit(one, alice, ["BODY=8BITMIME"],
           [("bob@two.test", []), ("z@plain.test", [])], fields + body)
    wait_for(lambda: any(b"Subject: eight" in m
                         for m in two.messages("bob")), 20, 0.3)
    got = next((m for m in two.messages("bob")
                if b"Subject: eight" in m), b"")
    tap.ok(got.endswith(b"\r\n\r\n" + body),
           "8 bits come through byte for byte")
    wait_for(lambda: len(peer.messages) > before, 60)
    there = peer.messages[-1] if len(peer.messages) > before else b""
    tap.ok(max(there.split(b"\r\n\r\n", 1)[1]) < 0x80 and
           parse(there.replace(b"\n..", b"\n.")).get_payload(decode=True)
           == body, "to a host without 8BITMIME as 7 bits, with that meaning")


def test_eight_bit_refused(one, peer):
    alice = one.address("alice")
    peer.replies["RCPT"] = "550 5.1.1 gr\u00f6\u00dfer"
    content = message(alice, "w@plain.test", "refused", MIME_Version="1.0",
                      Content_Type="text/plain; charset=utf-8",
                      Content_Transfer_Encoding="8bit",
                      body="\u017elu\u0165\r\n")
    submit(one, alice, ["BODY=8BITMIME"], [("w@plain.test", [])],
           content.encode() if isinstance(content, str) else content)
    whole, r = find(one, "w@plain.test")
    text = whole.mail.get_payload()[0].get_payload(decode=True) if r else b""
    tap.ok(r and "550 5.1.1 gr????er" in r["Diagnostic-Code"] and
           "gr\u00f6\u00dfer".encode() in text,
           "a reply beyond ASCII: whole for people, ASCII for programs")
    tap.ok(r and "\u017elu\u0165".encode() in whole.raw,
           "and the 8-bit message comes back as it was")


def faults_of(raw):
    """What RFC 6522, 3464, 6533 and 3834 do not allow."""
    r = Report(raw)
    m, parts = r.mail, r.mail.get_payload()
    types = [p.get_content_type() for p in parts]
    glob = "global-" if r.kind.startswith("global") else ""
    inner = [types[0] == "text/plain",
             types[1] == "message/%sdelivery-status" % glob,
             types[2] in (("message/global", "message/global-headers") if glob
                          else ("message/rfc822", "text/rfc822-headers"))]
    rows = [
        ("type", m.get_content_type() == "multipart/report" and
         len(parts) == 3 and all(inner)),
        ("header", m["Return-Path"] == "<>" and m["MIME-Version"] == "1.0" and
         m["Auto-Submitted"] == "auto-replied" and m["Message-ID"] and
         m["Date"] and "MAILER-DAEMON@" in m["From"]),
        ("line length", max(map(len, raw.split(b"\r\n"))) <= 998),
        ("8-bit label", all(
            p["Content-Transfer-Encoding"] == "8bit" for p in parts
            if re.search(rb"[\x80-\xff]", p.as_bytes()))),
        ("7-bit status", glob or max(r.status.as_bytes()) < 0x80),
        ("status has no 8-bit label", glob or
         r.status["Content-Transfer-Encoding"] is None),
        ("message fields", r.about["Reporting-MTA"].startswith("dns; ") and
         r.about["Arrival-Date"]),
        ("recipients", r.recipients and all(
            re.match(r"(rfc822|utf-8); \S+@\S+$", x["Final-Recipient"]) and
            x["Action"] in ("failed", "delayed", "delivered", "relayed",
                            "expanded") and
            re.match(r"[245]\.\d{1,3}\.\d{1,3}$", x["Status"]) and
            re.match(r"[\w-]+;\s+\S", x["Diagnostic-Code"] or "x; x") and
            (x["Remote-MTA"] or "dns; x").startswith("dns; ")
            for x in r.recipients)),
    ]
    return [name for name, good in rows if not good]


def test_form(one):
    all_reports = [m for m in one.messages()
                   if parse(m).get_content_type() == "multipart/report"]
    faults = [(parse(m)["Subject"], faults_of(m)) for m in all_reports
              if faults_of(m)]
    tap.equal((len(all_reports) > 4, faults), (True, []),
              "%d reports are as the standards want them" % len(all_reports))


port = free_port()
one = Instance("sandbox_domain=one.test", "smtp_port=%d" % port, zone=ZONE,
               aliases="team: bob+team@one.test\n"
               "list: bob+list@one.test\nowner-list: bob@one.test\n")
two = Instance("sandbox_domain=two.test", "smtp_tcp_port=%d" % port,
               zone=ZONE, aliases="δοκιμή: bob@two.test\n")
try:
    two.start()
    one.lines += ("smtp_tcp_port=%d" % two.SMTP_PORT,)
    one.start()
    peer = Peer("127.0.0.2", two.SMTP_PORT,
                {"EHLO": "250-mail.plain.test\r\n250 SIZE 1000000\r\n"},
                name="mail.plain.test")
    test_reports(one, two, peer)
    test_utf8(one, two, peer)
    test_eight_bit(one, two, peer)
    test_eight_bit_refused(one, peer)
    test_form(one)
    for place in (one, two):
        tap.ok("fatal" not in place.read_log() and
               "signal" not in place.read_log(), "the log tells of no fault")
finally:
    one.end()
    two.end()
tap.done()
