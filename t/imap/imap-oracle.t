#!/usr/bin/env python3
"""What we say of messages, beside what Dovecot says of the same Maildir.

The samples are those of Python's own email tests, and some of ours. Where we
differ on purpose the reason stands below.
"""
import glob
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from imapsession import Sessions  # noqa: E402
from imapvalue import answers  # noqa: E402

DOVECOT = "/usr/lib/dovecot/imap"
SAMPLES = sorted(glob.glob(os.path.join(
    sysconfig.get_paths()["stdlib"], "test", "test_email", "data", "*.txt")))
if not SAMPLES:
    SAMPLES = sorted(glob.glob("/usr/lib/python3*/test/test_email/data/*.txt"))

# A multipart without boundary is shown as the text that it is, so that
# people can read it; so is a type that does not parse. Boundaries encoded by RFC 2231 count,
# and what is joined with encoded pieces is encoded. Type names are as written.
ON_PURPOSE = {"msg_%02d.txt" % n
              for n in (14, 16, 25, 29, 32, 33, 41)}

OWN = [b"From: " + value + b"\n\nx\n" for value in (
    b"us: a@b, c@d;", b"us:;", b"us: a@b", b"John Doe", b"John",
    b'"John Doe"', b"John Doe <>", b"<>", b"John <john>", b"john (John Doe)",
    b'"John\n\tDoe" <j@x>', b'"John\n Doe" <j@x>', b"John\n\tDoe <j@x>",
    b"John Doe, jo@x", b"jo@", b"@x", b"g: John Doe;", b"a b c: d e;, f",
    b"Doe, John <j@x>", b"John Doe (c)", b"<@a:b@c>", b"a@[1.2.3.4]")]
OWN += [b"Content-Type: application/x; " + value + b"\n\nx\n" for value in (
    b"name*1=b; name*0=a", b"name*0=a; name*2=b", b"name*1=b",
    b"name*0*=utf-8''a%20; name*1=b", b"name*0=a; name*0*=b; name*1=c",
    b"name*=utf-8'en'%e2%82%ac", b"a*0=1; a*1=2; b*0=3; b*1*=%20")]
OWN += [b"Content-Transfer-Encoding: 7 bit\n\nx\n"]
OWN += [b"Subject: " + value + b"\n\nx\n" for value in (
    b"Re: b", b"b", b"Fwd: [x] b", b"[a] b", b"[a][b]", b"[a]", b"Re[2]: b",
    b"Re: [a] [b] c", b"re : B", b"fw: b (fwd) ", b"[fwd: b]", b"_x", b"Zz",
    b"[Fwd: Re: b (fwd)] (fwd)", b"RE:re: FWD: z", b"a b c", b"zz", b"^y",
    b"=?utf-8?q?Re:_=C3=A4b?=", b"=?iso-8859-1?q?=C4a?=", b"", b"Re:", b"[]",
    b"[x]re: b", b"re[x]: [y]re: b (fwd) (fwd)", b"[[x] b", b"az", b"aa")]

# Of each the response that names its tag is compared.
DIALOGUE = [
    b"SEARCH RETURN (MIN MAX COUNT) SUBJECT test",
    b"SEARCH RETURN (ALL) SUBJECT test",
    b"SEARCH RETURN () FROM person",
    b"UID SEARCH RETURN (MIN) FROM person",
    b"UID SEARCH RETURN (MAX ALL) FROM person",
    b"SEARCH RETURN (COUNT) ALL",
    b"SEARCH RETURN (ALL) OLDER 86400",
    b"SEARCH RETURN (ALL) YOUNGER 864000",
    b"SEARCH RETURN (ALL) OR OLDER 1000000 YOUNGER 86400",
    b"SEARCH RETURN (MIN MAX ALL COUNT) KEYWORD none",
]
STATUS = [
    b"STATUS INBOX (SIZE)",
    b"STATUS INBOX (MESSAGES UIDNEXT SIZE)",
]
# What has no mailbox is the empty string to us, and to Dovecot another one.
SORT = [
    b"SORT (SUBJECT) UTF-8 ALL",
    b"SORT (REVERSE SUBJECT) UTF-8 ALL",
    b"SORT (SIZE) UTF-8 ALL",
    b"SORT (REVERSE ARRIVAL) UTF-8 1:40",
    b"SORT (DATE) UTF-8 1:40",
    b"SORT (FROM REVERSE DATE) UTF-8 1:40",
    b"SORT (TO CC SUBJECT) UTF-8 1:40",
    b"UID SORT (SUBJECT REVERSE SIZE) US-ASCII SUBJECT b",
    b"SORT (SUBJECT) UTF-8 KEYWORD none",
]
LIST_STATUS = [
    b"CREATE empty",
    b'LIST "" "*" RETURN (STATUS (MESSAGES UNSEEN SIZE))',
    b'LIST "" "e%" RETURN (SUBSCRIBED STATUS (UIDNEXT))',
]



def literal(text):
    return b"{%d+}\r\n%s" % (len(text), text)


# In a new folder, one after the other; then all of it is fetched.
UPLOADS = [
    (b"MULTIAPPEND", [
        b'APPEND up (\\Seen) "23-Nov-2026 02:00:00 +0100" %s '
        b'(\\Flagged key) "24-Nov-2026 02:00:00 +0100" '
        b'%s "25-Nov-2026 02:00:00 +0000" %s'
        % tuple(literal(b"Subject: %d\r\n\r\nx\r\n" % i) for i in range(3)),
        b"APPEND up %s (\\Seen) {0+}\r\n" % literal(b"A: b\r\n\r\n")]),
    (b"CATENATE", [
        b'APPEND up "23-Nov-2026 02:00:00 +0100" '
        + literal(b"Subject: s\r\nTo: a@b\r\nContent-Type: multipart/mixed; "
                  b"boundary=b\r\n\r\n--b\r\nA: b\r\n\r\none\r\n--b\r\n\r\n"
                  b"two\r\n--b--\r\n")] + [
        b'APPEND up "23-Nov-2026 02:00:00 +0100" CATENATE (' + parts + b")"
        for parts in (
            b'URL "/up/;UID=1"', b'URL "/up/;UID=1/;SECTION=HEADER" TEXT '
            + literal(b"text\r\n"), b'URL "/up/;UID=1/;SECTION=1.MIME" URL '
            b'"/up/;UID=1/;SECTION=1"', b'URL "/up/;UID=1/;SECTION=TEXT"',
            b"TEXT " + literal(b"A: b\r\n") + b" TEXT "
            + literal(b"\r\nc\r\n"), b'URL "/up/;UID=77"',
            b'URL "/no/;UID=1"',
            b'URL "imap://x/up/;UID=1"')]),
]

# It also decodes in multiparts, and its parts that are not there are empty.
BINARY = [b"FETCH %d (BINARY.SIZE[1] BINARY.PEEK[1] BINARY.PEEK[2])" % i
          for i in range(1, 30) if i not in (14, 16)]
# In msg_30.txt it takes a message in a message for the text.
PREVIEW_ON_PURPOSE = {"msg_14.txt", "msg_30.txt", "msg_33.txt"}

tap = Tap()


def flags_sorted(found):
    for message in found.values():
        message[b"FLAGS"] = sorted(message[b"FLAGS"])
    return found


def dovecot(maildir, home, uid, commands):
    conf = os.path.join(home, "dovecot.conf")
    with open(conf, "w") as f:
        f.write("base_dir=%s/run\nstate_dir=%s/run\nlog_path=%s/log\nssl=no\n"
                "first_valid_uid=0\nmail_location=maildir:%s\n"
                % (home, home, home, maildir))
    user = subprocess.run(["id", "-un", str(uid)], capture_output=True,
                          text=True).stdout.strip() or "nobody"
    command = [DOVECOT, "-c", conf]
    if os.getuid() == 0:
        command = ["setpriv", "--reuid=%d" % uid, "--regid=%d" % uid,
                   "--clear-groups"] + command
    # it gives up what it is about to send when its input ends: that stays open
    here, there = os.pipe()
    os.write(there, commands + b"z LOGOUT\r\n")
    out = subprocess.run(command, stdin=here, capture_output=True, timeout=60,
                         env={"USER": user, "HOME": home,
                              "PATH": "/usr/bin:/bin"}).stdout
    os.close(here)
    os.close(there)
    # what an address lacks we leave empty
    return re.sub(rb'"MISSING_(MAILBOX|DOMAIN)"', b'""', out)


COMMANDS = (b"a SELECT INBOX\r\nb FETCH 1:* (ENVELOPE BODYSTRUCTURE BODY "
            b"RFC822.SIZE)\r\n")

if not os.path.exists(DOVECOT) or not SAMPLES:
    print("1..0 # SKIP Dovecot or the samples are not installed")
    sys.exit(0)

with Sessions() as all_sessions, tempfile.TemporaryDirectory() as home:
    r = all_sessions.raw()
    r.ask("LOGOUT")
    for i, sample in enumerate(SAMPLES):
        with open(sample, "rb") as f:
            path = all_sessions.put(f.read())
        age = time.time() - i % 3 * 500000
        os.utime(path, (age, age))
    for message in OWN:
        all_sessions.put(message)
    os.chmod(home, 0o755)
    copy = os.path.join(home, "Maildir")
    shutil.copytree(os.path.join(all_sessions.maildir, "cur"),
                    os.path.join(copy, "cur"))
    subprocess.run(["chown", "-R", "%d:%d" % (
        all_sessions.uid, all_sessions.gid), home])
    theirs = answers(dovecot(copy, home, all_sessions.uid, COMMANDS))
    r = all_sessions.raw()
    r.ask("SELECT INBOX")
    ours = answers(b"\r\n".join(r.ask(
        "FETCH 1:* (ENVELOPE BODYSTRUCTURE BODY RFC822.SIZE)")[0]))
    tap.equal((len(ours), len(theirs)), (len(SAMPLES + OWN),) * 2,
              "all samples are answered")
    for i, sample in enumerate(SAMPLES, 1):
        name = os.path.basename(sample)
        if name in ON_PURPOSE:
            tap.equal(ours.get(i, {}).get(b"RFC822.SIZE"),
                      theirs.get(i, {}).get(b"RFC822.SIZE"), name + ": size")
        else:
            tap.equal(ours.get(i), theirs.get(i), name)
    for i, message in enumerate(OWN, len(SAMPLES) + 1):
        tap.equal(ours.get(i), theirs.get(i),
                  message.split(b"\n")[0].decode())

    lines = dovecot(copy, home, all_sessions.uid, b"".join(
        [b"a SELECT INBOX\r\n"] + [
            b"b%d %s\r\n" % (i, c)
            for i, c in enumerate(DIALOGUE + STATUS)])).split(b"\r\n")
    for i, command in enumerate(DIALOGUE):
        r.send(b"b%d %s\r\n" % (i, command))
        got = [u.rstrip() for u in r.until("b%d" % i)][:-1]
        want = [u for u in lines if b'"b%d"' % i in u]
        tap.equal(got, want, command.decode())
    tap.equal([r.ask(c)[0][0].replace(b'"INBOX"', b"INBOX") for c in STATUS],
              [u for u in lines if u.startswith(b"* STATUS ")], "STATUS SIZE")

    for command in SORT:
        lines = dovecot(copy, home, all_sessions.uid,
                        b"a SELECT INBOX\r\nb " + command + b"\r\n")
        want = [u for u in lines.split(b"\r\n") if u.startswith(b"* SORT")]
        tap.equal(r.ask(command)[0], want, command.decode())

    out = dovecot(copy, home, all_sessions.uid, b"".join(
        [b"a SELECT INBOX\r\n"] + [b"n%d %s\r\n" % (i, c)
                                  for i, c in enumerate(BINARY)]))
    theirs = answers(out)
    for command in BINARY:
        untagged, said = r.ask(command)
        i = int(command.split()[1])
        if i in theirs and os.path.basename(SAMPLES[i - 1]) not in ON_PURPOSE:
            ours = answers(b"\r\n".join(untagged)).get(i, {})
            tap.equal({k: b"" if v == ("atom", b"NIL") else v
                       for k, v in ours.items()}, theirs[i], command.decode())

    theirs = answers(dovecot(copy, home, all_sessions.uid,
                             b"a SELECT INBOX\r\nb FETCH 1:* PREVIEW\r\n"))
    ours = answers(b"\r\n".join(r.ask("FETCH 1:* PREVIEW")[0]))
    for i, sample in enumerate(SAMPLES, 1):
        name = os.path.basename(sample)
        if name not in PREVIEW_ON_PURPOSE:
            tap.equal(ours.get(i, {}).get(b"PREVIEW"),
                      theirs.get(i, {}).get(b"PREVIEW"), name + ": PREVIEW")

    lines = dovecot(copy, home, all_sessions.uid, b"".join(
        b"c%d %s\r\n" % (i, c) for i, c in enumerate(LIST_STATUS)))
    want = [u for u in lines.split(b"\r\n") if u.startswith(b"* STATUS ")]
    got = [u.replace(b'"', b"") for c in LIST_STATUS for u in r.ask(c)[0]
           if u.startswith(b"* STATUS ")]
    tap.equal(sorted(got), sorted(want), "LIST RETURN (STATUS …)")

    for name, commands in UPLOADS:
        # what both are asked; what they say when asked what came of it
        commands = [b"CREATE up"] + commands + [
            b"SELECT up",
            b"FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])"]
        out = dovecot(copy, home, all_sessions.uid, b"".join(
            b"u%d %s\r\n" % (i, c) for i, c in enumerate(commands)) +
            b"y UNSELECT\r\nz DELETE up\r\n")
        want = ([re.search(rb"(?m)^u%d (OK|NO|BAD)" % i, out).group(1)
                 for i in range(len(commands))], flags_sorted(answers(out)))
        replies = [r.ask(c) for c in commands]
        got = ([re.match(rb"(OK|NO|BAD)", a[1]).group(1) for a in replies],
               flags_sorted(answers(b"\r\n".join(replies[-1][0]))))
        r.ask("UNSELECT")
        r.ask("DELETE up")
        tap.equal(got, want, name.decode())

    r.ask("SELECT INBOX")
    for i, sample in enumerate(SAMPLES, 1):
        whole = r.ask("FETCH %d BODY.PEEK[]" % i)[0][0]
        got = answers(whole)[i][b"BODY[]"]
        with open(sample, "rb") as f:
            want = re.sub(rb"\r?\n", b"\r\n", f.read())
        tap.equal(got, want, os.path.basename(sample) + ": byte for byte")
tap.done()
