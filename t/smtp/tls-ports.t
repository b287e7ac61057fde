#!/usr/bin/env python3
"""TLS on every port of the suite, as openssl s_client sees it: a client that
asks for another protocol is refused (ALPN, RFC 7301), and strangers on the
port for SMTP get no session tickets, at which some large senders fail."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from instance import Instance, wait_for  # noqa: E402

# port, how TLS begins, our protocol, one that is not
PORTS = (("SMTP_PORT", "smtp", "smtp", "imap"),
         ("SUBMISSION_PORT", "smtp", "smtp", "http/1.1"),
         ("SUBMISSIONS_PORT", None, "smtp", "h2"),
         ("IMAP_PORT", "imap", "imap", "smtp"),
         ("IMAPS_PORT", None, "imap", "http/1.1"),
         ("POP3_PORT", "pop3", "pop3", "imap"),
         ("POP3S_PORT", None, "pop3", "h2"))

tap = Tap()


def client(s, port, start, *options):
    """What openssl says of a connection that ends at once."""
    words = ["openssl", "s_client", "-connect", "%s:%d" % (s.HOST, port),
             "-CAfile", s.CA_FILE, *options]
    if start:
        words += ["-starttls", start]
    # a moment, since tickets come behind the handshake
    done = subprocess.run(["sh", "-c", '(sleep 1; echo QUIT) | "$@" 2>&1',
                           "sh", *words],
                          capture_output=True, timeout=60)
    return done.stdout.decode(errors="replace")


def test_alpn(s, port, start, ours, other):
    number = getattr(s, port)
    said = client(s, number, start, "-alpn", other)
    tap.ok("no application protocol" in said,
           "%s: %s is refused by its alert" % (port, other), said[-300:])
    said = client(s, number, start, "-alpn", "x-unknown,%s" % ours)
    tap.ok("ALPN protocol: %s" % ours in said,
           "%s: %s is agreed on" % (port, ours), said[-300:])
    said = client(s, number, start)
    tap.ok("No ALPN negotiated" in said and "Verify return code: 0" in said,
           "%s: who asks for none is served" % port, said[-300:])


def has_ticket(s, port, start, version):
    said = client(s, getattr(s, port), start, version)
    ok = "Cipher is" in said and "Cipher is (NONE)" not in said
    return ok and ("Session Ticket arrived" in said or
                   "TLS session ticket:" in said)


with Instance() as s:
    for row in PORTS:
        test_alpn(s, *row)
    for version in ("-tls1_3", "-tls1_2"):
        tap.ok(not has_ticket(s, "SMTP_PORT", "smtp", version),
               "no ticket on the port for SMTP with " + version)
        tap.ok(has_ticket(s, "SUBMISSIONS_PORT", None, version),
               "one on the port for submission")
        tap.ok(has_ticket(s, "IMAPS_PORT", None, version),
               "one on the port for IMAP")
    with open(s.CONF, "a") as f:
        f.write("smtpd_tls_session_tickets = yes\n")
    s.posthorn("reload")
    tap.ok(wait_for(lambda: has_ticket(s, "SMTP_PORT", "smtp", "-tls1_3")),
           "switched on, one on the port for SMTP")
tap.done()
