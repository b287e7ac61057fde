#!/usr/bin/env python3
"""SPF, DKIM and DMARC of mail on its way through the suite: pass where they
should, fail where they should, forged results are removed."""
import os
import shutil
import smtplib
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from dkimkey import Key  # noqa: E402
from instance import Instance, message, parse  # noqa: E402

tap = Tap()


ZONE = """
good.test. IN TXT "v=spf1 ip4:127.0.0.1 -all"
_dmarc.good.test. IN TXT "v=DMARC1; p=reject"
bad.test. IN TXT "v=spf1 -all"
_dmarc.bad.test. IN TXT "v=DMARC1; p=reject"
none.test. IN TXT "v=spf1 ?all"
_dmarc.example.org. IN TXT "v=DMARC1; p=reject"
"""


def results(raw):
    """The Authentication-Results fields, unfolded."""
    return [" ".join(v.split())
            for v in parse(raw).get_all("Authentication-Results") or []]


def swaks(s, sender, header_from, subject, extra=()):
    data = message(header_from, s.address(), subject,
                   **dict(extra)).decode()
    return subprocess.run(
        ["swaks", "--server", s.HOST, "--port", str(s.SMTP_PORT), "--from",
         sender, "--to", s.address(), "--helo", "mail.good.test",
         "--data", "-"], input=data, capture_output=True, text=True,
        timeout=60).returncode


if not shutil.which("swaks"):
    print("1..0 # SKIP no swaks (Debian: swaks)")
    sys.exit(0)

keys = tempfile.mkdtemp(prefix="keys-")
try:
    rsa = Key(os.path.join(keys, "rsa.pem"), "rsa")
    ed = Key(os.path.join(keys, "ed.pem"), "ed25519")
    domain = "example.test"
    with open(os.path.join(keys, "list"), "w") as f:
        f.write("%s r1 rsa.pem\n%s e1 ed.pem\n" % (domain, domain))
    zone = ZONE + ("r1._domainkey.%s. IN TXT %s\n"
                   "e1._domainkey.%s. IN TXT %s\n"
                   % (domain, rsa.record, domain, ed.record))
    with Instance("dkim_keys_file=%s/list" % keys, "dmarc_reject=yes",
                  "disabled_services=tls-policy pop3d pop3-session",
                  zone=zone) as s:
        ours = "mail." + s.DOMAIN
        tap.equal(swaks(s, "joe@good.test", "joe@good.test", "good"), 0,
                  "a message with aligned SPF is taken")
        tap.ok(swaks(s, "joe@bad.test", "joe@bad.test", "bad") != 0,
               "one that fails DMARC with p=reject is refused")
        tap.ok(swaks(s, "joe@good.test", "joe@bad.test", "other") != 0,
               "also with SPF of another domain")
        tap.equal(swaks(s, "joe@none.test", "joe@none.test", "forged", [
            ("Authentication_Results", ours + "; dmarc=pass"),
            ("X_Other", "kept")]), 0, "a message with forged results")
        got = s.wait_messages(2)
        fields = {parse(m)["Subject"]: results(m) for m in got}
        tap.equal(sorted(fields), ["forged", "good"], "two have arrived")
        tap.ok(len(fields["good"]) == 1 and
               "spf=pass smtp.mailfrom=joe@good.test" in fields["good"][0] and
               "dmarc=pass" in fields["good"][0] and
               fields["good"][0].startswith(ours + ";"),
               "the results are in one field under our name")
        tap.ok(len(fields["forged"]) == 1 and
               "spf=neutral" in fields["forged"][0] and
               "dmarc=none" in fields["forged"][0],
               "the forged field is gone")

        with s.submission() as c:
            c.sendmail(s.address(), [s.address(s.USER2)],
                       message(s.address(), s.address(s.USER2), "signed"))
        got = s.wait_messages(1, s.USER2)[0]
        tap.equal(len(parse(got).get_all("DKIM-Signature") or []),
                  2 if s.DOMAIN == domain else 0,
                  "mail of our users is signed with each key")
        # it comes back from outside
        at = min(got.index(b"DKIM-Signature:"), got.index(b"Received:"))
        with s.smtp() as c:
            c.sendmail("list@none.test", [s.address()], got[at:])
        got = s.wait_messages(3)[-1]
        tap.equal(results(got)[0].count("dkim=pass"), 2,
                  "and verifies when it comes back from outside")
finally:
    shutil.rmtree(keys)
tap.done()
