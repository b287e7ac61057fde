"""The messages of dialogues, by their names."""
import base64


def mail(fields, body):
    return (fields + "\n\n" + body).replace("\n", "\r\n").encode()


def mixed(boundary, *parts):
    return "".join("--%s\n%s\n" % (boundary, p) for p in parts) + \
        "--%s--\n" % boundary


MESSAGES = {
    "plain": mail("From: Ann <ann@one.test>\nTo: bob@two.test\n"
                  "Subject: plain words\nMessage-ID: <plain@one.test>\n"
                  "Date: Mon, 23 Nov 2026 10:00:00 +0100", "the text\n"),
    "reply": mail("From: bob@two.test\nTo: Ann <ann@one.test>\n"
                  "Cc: \"C, D\" <c@three.test>, d@four.test\n"
                  "Subject: Re: plain words\nMessage-ID: <reply@two.test>\n"
                  "In-Reply-To: <plain@one.test>\n"
                  "References: <plain@one.test>\n"
                  "Date: Tue, 24 Nov 2026 08:00:00 +0000",
                  "> the text\nis answered\n"),
    "other": mail("From: Eve <eve@five.test>\nTo: list@six.test\n"
                  "Subject: another matter\nMessage-ID: <other@five.test>\n"
                  "Date: Sun, 22 Nov 2026 23:30:00 -0500",
                  "nothing of that\n" * 40),
    "nested": mail("From: o@x\nSubject: outer\nMIME-Version: 1.0\n"
                   "Content-Type: multipart/mixed; boundary=o",
                   "preamble\n" + mixed(
                       "o", "Content-Type: text/plain\n\none",
                       "Content-Type: message/rfc822\n"
                       "Content-Description: a \"q\"\n\n"
                       "From: i@x\nSubject: inner\n"
                       "Content-Type: multipart/alternative; boundary=i\n\n" +
                       mixed("i", "\nin one",
                             "Content-Type: text/html\n\nin two"),
                       "Content-Type: image/png; name=a.png\n"
                       "Content-Disposition: attachment; filename=a.png;"
                       " size=3\nContent-Language: de, en\n"
                       "Content-Location: http://x.test/a\n"
                       "Content-ID: <a@x>\nContent-MD5: Q2hlY2s=\n"
                       "Content-Transfer-Encoding: base64\n\nAAAA") +
                   "epilogue\n"),
    "coded": mail("From: =?utf-8?q?J=C3=B6rg?= <j@x.test>\n"
                  "Subject: =?utf-8?b?%s?=\nMIME-Version: 1.0\n"
                  "Content-Type: text/plain; charset=utf-8\n"
                  "Content-Transfer-Encoding: base64" %
                  base64.b64encode("Grüße aus Köln".encode()).decode(),
                  base64.b64encode("äußerst schön\r\n".encode()).decode() +
                  "\n"),
    "quoted": mail("From: q@x.test\nSubject: quoted\nMIME-Version: 1.0\n"
                   "Content-Type: text/plain; charset=iso-8859-1\n"
                   "Content-Transfer-Encoding: quoted-printable",
                   "caf=E9 cr=E8me=\n et plus\n"),
    "dots": mail("Subject: dots", ".\n..\n.x\n...\nend\n"),
    "nodate": mail("Subject: no date", "x\n"),
    "empty": b"\r\n",
    "word": b"INBOX",
    "header": b"Subject: header only\r\n",
}
