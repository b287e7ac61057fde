"""Mail for the clients to show."""


def letter(i, subject, **fields):
    """The I-th message, for alice."""
    lines = ["From: Friend %d <friend%d@elsewhere.test>" % (i, i),
             "To: <alice@example.test>", "Subject: " + subject,
             "Message-ID: <m%d@elsewhere.test>" % i,
             "Date: Tue, 24 Nov 2026 02:%02d:00 +0000" % i]
    lines += ["%s: %s" % (k.replace("_", "-"), v) for k, v in fields.items()]
    return ("\r\n".join(lines) + "\r\n\r\nthe body of %d\r\n" % i).encode()
