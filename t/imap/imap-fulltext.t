#!/usr/bin/env python3
"""SEARCH BODY and TEXT with signatures (lib/index/signature.h): thousands of
needles from MIME messages of others, answered the same with and without, while
they are made, and by Dovecot."""
import email
import glob
import os
import random
import re
import sys
import test.test_email

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap, wait_for  # noqa: E402
from imapsession import Sessions  # noqa: E402
from oracle import DOVECOT, Oracle  # noqa: E402

if not os.path.exists(DOVECOT):
    print("1..0 # SKIP Dovecot is not installed")
    sys.exit(0)

SEED = int(os.environ.get("FULLTEXT_SEED") or random.randrange(1 << 30))
NEEDLES = int(os.environ.get("FULLTEXT_NEEDLES") or 600)
MESSAGES = 300
SIGNATURES = "posthorn-signatures"
READ_FIRST = 50	# messages that a search reads before it asks signatures

tap = Tap()
rng = random.Random(SEED)
print("# FULLTEXT_SEED=%d" % SEED)

TEXTS = ["\u00dcber den Wolken, stra\u00dfe", "\u6f22\u5b57\u304b\u306a\u4ea4"
         "\u3058\u308a\u6587", "\u0441\u043b\u043e\u0432\u043e \u0438 \u0434"
         "\u0435\u043b\u043e", "na\u00efve caf\u00e9", "www.example.com/a.b_c",
         "one-two_three.four@five", "<b>bold</b>&nbsp;x", "\uff21\uff22c \u210c",
         "o\ufb01cial", "\u1e9e \u0130 \u0131", "a\u00a0b", "x" * 300]
CODES = [("utf-8", "8bit"), ("utf-8", "base64"), ("utf-8", "quoted-printable"),
         ("iso-8859-1", "8bit"), ("utf-16", "base64"), ("gb2312", "base64"),
         ("koi8-r", "quoted-printable")]
# Of these Dovecot has no converter, or makes something of them.
ODD = CODES + [("iso-2022-jp", "7bit"), ("utf-7", "7bit"),
               ("x-unknown", "8bit")]


def encoded(text, charset, code):
    try:
        raw = text.encode("utf-8" if charset == "x-unknown" else charset)
    except UnicodeEncodeError:
        raw = text.encode(charset, "replace")
    if code == "base64":
        return __import__("base64").encodebytes(raw)
    return __import__("quopri").encodestring(raw) if code[0] == "q" else raw


def part(codes):
    charset, code = rng.choice(codes)
    text = " \n ".join(rng.choices(TEXTS, k=rng.randrange(1, 5)))
    return (("Content-Type: text/%s; charset=%s\nContent-Transfer-Encoding: "
             "%s\n\n" % (rng.choice(["plain", "html"]), charset, code))
            .encode() + encoded(text, charset, code) + b"\n")


def made(n, codes=CODES):
    head = b"From: a%d@example.com\nSubject: number %d\n" % (n, n)
    if rng.random() < .5:
        return head + part(codes)
    return (head + b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n"
            % (n, n) + (b"--b%d\n" % n).join(part(codes) for _ in range(3)) +
            b"--b%d--\n" % n)


def samples():
    folder = os.path.join(os.path.dirname(test.test_email.__file__), "data")
    found = []
    for path in sorted(glob.glob(folder + "/msg_*.txt")):
        with open(path, "rb") as f:
            found.append(f.read())
    return found


def readable(message):
    """What a person would copy from it."""
    texts = [message.decode("latin-1")] + TEXTS
    for p in email.message_from_bytes(message).walk():
        try:
            texts.append(p.get_payload(decode=True).decode(
                p.get_content_charset() or "ascii"))
        except (AttributeError, UnicodeError, LookupError, ValueError):
            pass
    return [t for t in texts if t]


def needle(messages):
    text = rng.choice(readable(rng.choice(messages)))
    at, n = rng.randrange(len(text)), rng.choice([1, 2, 3, 4, 6, 9, 15, 40])
    piece = " ".join(text[at:at + n].replace("\0", "").split())
    piece = rng.choice([str, str.upper, str.lower])(piece)
    if rng.random() < .2:
        piece += rng.choice("xyz")
    return piece.encode()


def ask(r, key, text):
    return r.ask(b"SEARCH CHARSET UTF-8 %s {%d+}\r\n%s"
                 % (key, len(text), text))


def signed(maildir):
    """How many whole signatures there may be, by their lengths."""
    try:
        with open(os.path.join(maildir, SIGNATURES), "rb") as f:
            data = f.read()
    except FileNotFoundError:
        return 0
    at = count = 0
    while at + 32 <= len(data):
        at += 32 + 8 * int.from_bytes(data[at + 12:at + 16], sys.byteorder)
        count += at <= len(data)
    return count


def wait_signed(maildir, n):
    wait_for(lambda: signed(maildir) >= n)
    return signed(maildir) >= n


def differences(sides, needles):
    """Questions that the second or a later side answers otherwise."""
    wrong = [[] for _ in sides[1:]]
    for key, text in needles:
        answers = [ask(side, key, text) for side in sides]
        for i, answer in enumerate(answers[1:]):
            if answer[0] != answers[0][0]:
                wrong[i].append((key, text, answers[0][0], answer[0]))
    return wrong


def selected(sessions):
    r = sessions.raw()
    r.ask("SELECT INBOX")
    return r


def some(messages, n):
    return [(rng.choice([b"BODY", b"TEXT", b"NOT BODY"]), needle(messages))
            for _ in range(n)]


def found_more(key, text, ours, theirs):
    ours, theirs = (set(b" ".join(a).split()[2:]) for a in (ours, theirs))
    return ours - theirs if key.startswith(b"NOT") else theirs - ours


def main(plain, signing, oracle):
    signing.maildir = plain.maildir
    messages = [m for m in samples() if b"\0" not in m]
    messages += [made(n) for n in range(MESSAGES - len(messages))]
    selected(plain).close()
    for m in messages:
        plain.put(m)
    scan, r = selected(plain), selected(signing)
    wrong, = differences([scan, r], some(messages, 50))
    tap.equal(wrong, [], "nothing is signed yet")
    tap.ok(wait_signed(plain.maildir, len(messages)), "all are signed when "
           "nobody asks")
    theirs = oracle()
    wrong, dovecot = differences([scan, r, theirs], some(messages, NEEDLES))
    tap.equal(wrong, [], "needles with signatures and without")
    # it does not look at fields of inner parts, and knows fewer charsets
    tap.equal([w for w in dovecot if found_more(*w)], [],
              "Dovecot finds nothing more")
    more = [made(n, ODD) for n in range(1000, 1000 + 60)]
    for m in more:
        plain.put(m)
    for side in scan, r:
        side.ask("NOOP")
    wrong, = differences([scan, r], some(messages + more, 100))
    tap.equal(wrong, [], "some are not signed yet")
    r.ask("LOGOUT")
    total = len(messages + more)
    tap.ok(wait_signed(plain.maildir, total), "they are after a LOGOUT")
    r = selected(signing)
    for folder in "cur", "new":
        for name in os.listdir(os.path.join(plain.maildir, folder)):
            os.chmod(os.path.join(plain.maildir, folder, name), 0)
    told, _ = ask(r, b"BODY", b"absent word")
    m = re.search(rb"(\d+) messages could not be read", told[-1])
    tap.ok(m and READ_FIRST <= int(m.group(1)) < total / 2,
           "what is excluded is not opened", told)


with Sessions(["fts = no"]) as plain, \
        Sessions(["fts_message_minimum = 100"]) as signing, \
        Oracle(plain) as oracle:
    def dovecot():
        oracle.copy()
        theirs = oracle.open()
        theirs.ask("SELECT INBOX")
        return theirs
    main(plain, signing, dovecot)
tap.done()
