"""Fills a Maildir with messages of many kinds, always the same for a
number."""
import os
import random
import shutil
import tempfile

SYLLABLES = ("ba ce di fo gu ha je ki lo mu na pe qui ro sa te vi wo xa yo "
             "za tra ble cro dri fle gri pla sto").split()
START = 1600000000
ALTERNATIVE = """This is a multi-part message in MIME format.

--{b}
Content-Type: text/plain; charset=utf-8

{text}
--{b}
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: quoted-printable

<html><body>{text}</body></html>
--{b}--
"""
MIXED = """--{b}
Content-Type: text/plain; charset=utf-8

{text}
--{b}
Content-Type: application/pdf; name="report.pdf"
Content-Disposition: attachment; filename="report.pdf"
Content-Transfer-Encoding: base64

{base64}
--{b}--
"""


class Writer:
    def __init__(self, seed=1):
        self.random = random.Random(seed)
        self.words = ["".join(self.random.choices(
            SYLLABLES, k=self.random.randint(1, 4))) for _ in range(3000)]
        self.paragraphs = [self.paragraph() for _ in range(500)]

    def some(self, low, high):
        return " ".join(self.random.choices(
            self.words, k=self.random.randint(low, high)))

    def paragraph(self):
        return "\n".join(self.some(7, 11) for _ in range(
            self.random.randint(2, 9))) + "\n"

    def address(self):
        first, last, domain = self.random.choices(self.words, k=3)
        spec = "%s.%s@%s.example" % (first, last, domain)
        return self.random.choice([
            spec, "%s %s <%s>" % (first, last, spec),
            '"%s, %s" <%s>' % (last, first, spec)])

    def message(self, i):
        r = self.random
        b = "=_%016x" % r.getrandbits(64)
        fields = ["Received: from mx%d.example (mx%d.example [192.0.2.%d])\n"
                  "\tby mail.bench.test with ESMTPS id %010X;\n"
                  "\tSun, 13 Sep 2020 12:%02d:40 +0000"
                  % (k, k, r.randint(1, 254), r.getrandbits(40), i % 60)
                  for k in range(r.randint(1, 3))]
        fields += ["From: " + self.address(),
                   "To: " + ",\n ".join(self.address() for _ in range(
                       r.choice((1, 1, 1, 2, 5)))),
                   "Subject: " + self.some(2, 9),
                   "Date: Sun, 13 Sep 2020 12:%02d:40 +0000" % (i % 60),
                   "Message-ID: <%08x.%d@example>" % (r.getrandbits(32), i)]
        if r.random() < 0.3:
            fields.append("References: " + "\n ".join(
                "<%08x.%d@example>" % (r.getrandbits(32), k)
                for k in range(r.randint(1, 8))))
        text = "\n".join(r.choices(self.paragraphs, k=r.randint(2, 12)))
        kind = r.choice("ttttaaam")
        if kind == "t":
            fields.append("Content-Type: text/plain; charset=utf-8")
            body = text
        elif kind == "a":
            fields.append('Content-Type: multipart/alternative; '
                          'boundary="%s"' % b)
            body = ALTERNATIVE.format(b=b, text=text)
        else:
            fields.append('Content-Type: multipart/mixed; boundary="%s"' % b)
            line = "QUJD" * 18 + "\n"
            body = MIXED.format(b=b, text=text,
                                base64=line * r.randint(10, 80))
        return "\n".join(fields + ["MIME-Version: 1.0", "", body])


class Store:
    """Messages written once; a mailbox gets the first N as hard links."""

    def __init__(self, where):
        self.dir = tempfile.mkdtemp(prefix="bench-", dir=where)
        self.writer, self.count = Writer(), 0

    def path(self, i):
        return "%s/%d" % (self.dir, i)

    def write(self, i, owner):
        fd = os.open(self.path(i), os.O_WRONLY | os.O_CREAT | os.O_EXCL,
                     0o600)
        os.write(fd, self.writer.message(i).encode())
        os.fchown(fd, owner.st_uid, owner.st_gid)
        os.close(fd)
        os.utime(self.path(i), (START + i, START + i))

    def fill(self, maildir, n):
        """Into cur, seven of ten seen; owned by who owns MAILDIR."""
        owner = os.stat(maildir)
        for i in range(self.count, n):
            self.write(i, owner)
        self.count = max(self.count, n)
        for i in range(n):
            os.link(self.path(i), "%s/cur/%d.M%dP1.bench:2,%s" % (
                maildir, START + i, i % 1000000, "S" if i % 10 < 7 else ""))

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)
