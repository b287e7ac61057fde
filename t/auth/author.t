#!/usr/bin/python3
"""A login writes in its own name: whom From, Sender and Resent-From may name,
and that only such a message is signed. dkimpy verifies the signatures."""
import os
import shutil
import smtplib
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from dkimkey import Key  # noqa: E402
from instance import Instance, parse  # noqa: E402

try:
    import dkim
except ImportError as e:
    print("1..0 # SKIP %s (Debian: python3-dkim)" % e)
    sys.exit(0)

tap = Tap()
DOMAIN = "example.test"

# what is in From, may alice write so, and is it signed
FROM = (
    ("her own address", "alice@example.test", True, True),
    ("with a name", '"Alice A. (x@y.test)" <Alice@Example.Test>', True, True),
    ("with an extension", "alice+news@example.test", True, True),
    ("an alias that leads to her", "sales@example.test", True, True),
    ("an alias in another domain", "info@alias.test", True, False),
    ("what smtpd_sender_login_maps allows", "team@example.test", True, True),
    ("several of her own", "alice@example.test, sales@example.test", True,
     True),
    ("no From field", None, True, True),
    ("a name with a dot", "Alice A. Smith <alice@example.test>", True, True),
    ("another user", "bob@example.test", False, False),
    ("nobody here", "ceo@example.test", False, False),
    ("another domain", "president@bank.test", False, False),
    ("an alias that also leads to another", "both@example.test", False, False),
    ("somebody beside her", "alice@example.test, bob@example.test", False,
     False),
    ("somebody after a group", "us:alice@example.test;, ceo@example.test",
     False, False),
    ("a second field", "alice@example.test\r\nFrom: bob@example.test", False,
     False),
    ("a second address in the name", "ceo@example.test <alice@example.test>",
     False, False),
    ("entangled", "<ceo@example.test <alice@example.test>>", False, False),
    ("no address", "Alice", False, False),
    ("an empty group", "us:;", False, False),
    ("her own address in Sender",
     "alice@example.test\r\nSender: sales@example.test", True, True),
    ("another user in Sender", "alice@example.test\r\nSender: Bob "
     "<bob@example.test>", False, False),
    ("a second Sender", "alice@example.test\r\nSender: alice@example.test\r\n"
     "Sender: ceo@example.test", False, False),
    ("her own address in Resent-From, above another's", "alice@example.test"
     "\r\nResent-From: sales@example.test\r\nResent-From: bob@example.test",
     True, True),
    ("another user in Resent-From", "alice@example.test\r\nResent-From: Bob "
     "<bob@example.test>", False, False),
    ("another user in Resent-Sender", "alice@example.test\r\n"
     "Resent-From: alice@example.test\r\nResent-Sender: bob@example.test",
     False, False),
    ("many", ", ".join(["alice@example.test"] * 30), False, False),
)


def post(s, number, author):
    """The reply to Alice's message with AUTHOR in From."""
    lines = ["Subject: %d" % number, "Message-ID: <%d@client.test>" % number]
    if author is not None:
        lines.insert(0, "From: " + author)
    with s.submission() as c:
        try:
            c.sendmail(s.address(), [s.address(s.USER2)],
                       ("\r\n".join(lines) + "\r\n\r\ntext\r\n").encode())
        except smtplib.SMTPDataError as e:
            return e.smtp_code
    return 250


def is_signed(message, record):
    """By our domain, in a way that others verify."""
    at = min(i for i in (message.find(b"DKIM-Signature:"),
                         message.find(b"Received:")) if i >= 0)
    verifier = dkim.DKIM(message[at:])
    return verifier.verify(dnsfunc=lambda name, timeout=5: record) and \
        verifier.domain == DOMAIN.encode()


def arrived(s, count):
    return {parse(m)["Subject"]: m for m in s.wait_messages(count, s.USER2)}


def test_reject(s, record):
    replies = [post(s, i, author) for i, (_, author, _, _) in enumerate(FROM)]
    got = arrived(s, sum(good for _, _, good, _ in FROM))
    for i, (name, _, good, signed) in enumerate(FROM):
        tap.equal(replies[i], 250 if good else 550, name)
        if good:
            m = got.get(str(i))
            tap.equal(m and b"DKIM-Signature" in m and is_signed(m, record),
                      m and signed, "%s: %ssigned" % (
                          name, "" if signed else "not "))
    tap.ok("From address rejected: not owned by user alice@example.test" in
           s.read_log(), "the log says why")
    tap.ok("<bob@example.test>: Sender address rejected" in s.read_log(),
           "and of which field")


def test_nosign(s, record):
    replies = [post(s, i, author) for i, (_, author, _, _) in enumerate(FROM)]
    got = arrived(s, len(FROM))
    tap.equal(replies, [250] * len(FROM), "nosign: all is taken")
    wrong = [FROM[i][0] for i in range(len(FROM))
             if (b"DKIM-Signature" in got[str(i)]) != FROM[i][3]]
    tap.equal(wrong, [], "and only what is her own is signed")


keys = tempfile.mkdtemp(prefix="keys-")
try:
    key = Key(os.path.join(keys, "rsa.pem"), "rsa")
    with open(os.path.join(keys, "list"), "w") as f:
        f.write("%s r1 rsa.pem\n" % DOMAIN)
    text = key.record.replace('" "', "").strip('"').encode()
    settings = (
        "dkim_keys_file=%s/list" % keys, "virtual_alias_domains=alias.test",
        "virtual_alias_maps=inline:{{sales@example.test=alice@example.test},"
        "{info@alias.test=alice@example.test},"
        "{both@example.test=alice@example.test bob@example.test}}",
        "smtpd_sender_login_maps=inline:"
        "{{team@example.test=alice@example.test}}")
    with Instance(*settings) as s:
        test_reject(s, text)
    with Instance("smtpd_from_login_mismatch=nosign", *settings) as s:
        test_nosign(s, text)
finally:
    shutil.rmtree(keys)
tap.done()
