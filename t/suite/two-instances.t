#!/usr/bin/env python3
"""Two instances exchange mail, with SPF, DKIM and DMARC in their DNS: pass
where it should, fail where it should."""
import os
import smtplib
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from dkimkey import Key  # noqa: E402
from instance import Instance, message, parse, wait_for  # noqa: E402

tap = Tap()


def zone(keys):
    return "\n".join([
        "one.test. 300 IN MX 10 mail.one.test.",
        "mail.one.test. 300 IN A 127.0.0.1",
        'one.test. 300 IN TXT "v=spf1 ip4:127.0.0.1 -all"',
        "one.test. 300 IN A 127.0.0.1",
        "two.test. 300 IN MX 10 mail.two.test.",
        "mail.two.test. 300 IN A 127.0.0.1",
        '_dmarc.one.test. 300 IN TXT "v=DMARC1; p=reject"',
        'strict.test. 300 IN TXT "v=spf1 -all"',
        '_dmarc.strict.test. 300 IN TXT "v=DMARC1; p=reject"',
        'soft.test. 300 IN TXT "v=spf1 ~all"',
    ] + ["%s._domainkey.one.test. 300 IN TXT %s" % (k.kind, k.record)
         for k in keys]) + "\n"


def results(raw):
    return " ".join(parse(raw)["Authentication-Results"].split())


one = Instance("sandbox_domain=one.test")
two = Instance("sandbox_domain=two.test", "dmarc_reject=yes")
keys = [Key(one.path("rsa.pem"), "rsa"), Key(one.path("ed.pem"), "ed25519")]
with open(one.path("dkim-keys"), "w") as f:
    for key in keys:
        f.write("one.test %s %s\n" % (key.kind, key.path))
for place in (one, two):
    with open(place.path("zone"), "w") as f:
        f.write(zone(keys))

try:
    two.start()
    one.lines += ("smtp_tcp_port=%d" % two.SMTP_PORT,)
    one.start()
    alice, bob = one.address("alice"), two.address("bob")

    with one.submission() as c:
        c.sendmail(alice, [bob], message(alice, bob, "there"))
    got = two.wait_messages(1, "bob")
    tap.equal([parse(m)["Subject"] for m in got], ["there"],
              "mail from one instance arrives at the other")
    text = results(got[0]) if got else ""
    print("# " + text)
    tap.ok("spf=pass" in text, "SPF passes for the domain's own host")
    tap.equal(text.count("dkim=pass"), 2, "both signatures pass")
    tap.ok("dmarc=pass" in text, "DMARC passes")
    tap.ok("TLS" in " ".join(got and parse(got[0]).get_all("Received")
                             or []), "the way between them was encrypted")

    # forged: nobody may send for strict.test
    with two.smtp() as c:
        try:
            c.sendmail("x@strict.test", [bob],
                       message("x@strict.test", bob, "forged"))
            reply = None
        except smtplib.SMTPResponseException as e:
            reply = e
    tap.ok(reply and reply.smtp_code == 550,
           "mail that fails DMARC with p=reject is refused: %s" % reply)

    with two.smtp() as c:
        c.sendmail("x@soft.test", [bob], message(
            "x@soft.test", bob, "soft",
            Authentication_Results="mail.two.test; dkim=pass header.d=a.b"))
        c.sendmail("x@nothing.test", [bob],
                   message("x@nothing.test", bob, "nothing"))
    got = two.wait_messages(3, "bob")
    by = {parse(m)["Subject"]: m for m in got}
    tap.ok("soft" in by and "spf=softfail" in results(by["soft"]),
           "SPF softfail is told, not refused")
    tap.ok("soft" in by and len(
        parse(by["soft"]).get_all("Authentication-Results")) == 1,
        "a forged Authentication-Results field with our name is gone")
    tap.ok("nothing" in by and "spf=none" in results(by["nothing"]) and
           "dmarc=none" in results(by["nothing"]),
           "a domain without records gets `none`")

    # changed on the way: the signature fails
    raw = got[0]
    raw = raw[raw.index(b"DKIM-Signature:"):]
    changed = raw.replace(b"Subject: there", b"Subject: elsewhere")
    with two.smtp() as c:
        c.sendmail("bounce@nothing.test", [bob], raw)
        try:
            c.sendmail("bounce@nothing.test", [bob], changed)
            refused = False
        except smtplib.SMTPResponseException:
            refused = True
    tap.ok(refused, "a changed message of a p=reject domain is refused")
    got = two.wait_messages(4, "bob")
    last = next((m for m in got if b"bounce@nothing.test" in m), b"")
    tap.ok(last and "dkim=pass" in results(last) and
           "dmarc=pass" in results(last),
           "an unchanged one passes by DKIM alone")

    # to nobody: a bounce comes back
    with one.submission() as c:
        c.sendmail(alice, ["nobody@two.test"],
                   message(alice, "nobody@two.test", "to nobody"))
    got = one.wait_messages(1, "alice")
    bounce = parse(got[0]) if got else None
    tap.equal(bounce and bounce.get_content_type(), "multipart/report",
              "a bounce in the form of RFC 3464 comes back")
    kinds = [p.get_content_type() for p in bounce.walk()] if bounce else []
    tap.ok("message/delivery-status" in kinds, "with a delivery-status part")
    tap.ok(got and b"Status: 5.1.1" in got[0] and
           b"Final-Recipient: rfc822; nobody@two.test" in got[0],
           "that names recipient and status")
    tap.equal(bounce and bounce["Return-Path"], "<>",
              "and the null sender")
finally:
    one.end()
    two.end()

tap.done()
