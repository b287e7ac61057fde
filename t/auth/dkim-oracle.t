#!/usr/bin/python3
# DKIM against others: what dkimpy (python3-dkim) signs we verify, what we
# sign dkimpy and Mail::DKIM verify; RSA and Ed25519, all canonicalizations.
import base64
import os
import random
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DRIVER = os.path.join(TOP, "build/t/unit/dkim.t")

try:
    import dkim
except ImportError as e:
    print("1..0 # SKIP %s (Debian: python3-dkim)" % e)
    sys.exit(0)
if not os.path.exists(DRIVER):
    print("1..0 # SKIP build/t/unit/dkim.t is not built")
    sys.exit(0)

tmp = tempfile.mkdtemp(prefix="dkim.")
tap = Tap()


def run(*args):
    return subprocess.run(args, check=True, capture_output=True).stdout


def percent(text):
    return "".join(c if "!" <= c <= "~" and c != "%" else "%%%02X" % ord(c)
                   for c in text) or "%"


def unpercent(text):
    out = b""
    i = 0
    while i < len(text):
        if text[i] == "%":
            out += bytes([int(text[i + 1:i + 3], 16)]) if text[i + 1:] else b""
            i += 3
        else:
            out += text[i].encode()
            i += 1
    return out


def make_keys():
    """Selectors, with their private file, dkimpy's form and DNS record."""
    keys = {}
    for name, bits in (("rsa1", "1024"), ("rsa2", "2048")):
        pem = os.path.join(tmp, name + ".pem")
        run("openssl", "genrsa", "-traditional", "-out", pem, bits)
        public = run("openssl", "rsa", "-in", pem, "-pubout", "-outform", "DER")
        with open(pem, "rb") as f:
            keys[name] = (f.read(), b"rsa-sha256",
                          "v=DKIM1; k=rsa; p=" + base64.b64encode(public).decode())
    pem = os.path.join(tmp, "ed.pem")
    run("openssl", "genpkey", "-algorithm", "ED25519", "-out", pem)
    private = run("openssl", "pkey", "-in", pem, "-outform", "DER")[-32:]
    public = run("openssl", "pkey", "-in", pem, "-pubout", "-outform", "DER")[-32:]
    keys["ed"] = (base64.b64encode(private), b"ed25519-sha256",
                  "v=DKIM1; k=ed25519; p=" + base64.b64encode(public).decode())
    for name in keys:
        os.chmod(os.path.join(tmp, name + ".pem"), 0o600)
    with open(os.path.join(tmp, "keys"), "w") as f:
        for name in keys:
            f.write("example.org %s %s.pem\n" % (name, name))
    return keys


keys = make_keys()
driver = subprocess.Popen([DRIVER, "drive"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True)
for name, (_, _, record) in keys.items():
    driver.stdin.write("key %s._domainkey.example.org %s\n" % (name, percent(record)))


def write(data):
    path = os.path.join(tmp, "message")
    with open(path, "wb") as f:
        f.write(data)
    return path


def ask(line):
    driver.stdin.write(line + "\n")
    driver.stdin.flush()
    return driver.stdout.readline().strip()


def verify(data):
    return ask("verify " + write(data))


def sign(data):
    return unpercent(ask("sign %s %s/keys example.org" % (write(data), tmp)))


def dns(name, timeout=5):
    selector = name.decode().split(".")[0]
    return keys[selector][2].encode() if selector in keys else None


def mail_dkim(data):
    """What Mail::DKIM says of each signature, or None if it is not there."""
    script = r"""
use strict; use Mail::DKIM::Verifier; use Mail::DKIM::PublicKey;
my %key = map { split /\t/, $_, 2 } split /\n/, $ENV{DKIM_KEYS};
{ no warnings 'redefine';
  *Mail::DKIM::DNS::query = sub {
    my ($name) = @_; my ($s) = $name =~ /^([^.]*)/;
    return unless $key{$s};
    package Fake; return bless { text => $key{$s} }, 'Fake'; };
  *Fake::type = sub { 'TXT' };
  *Fake::char_str_list = sub { $_[0]{text} };
  *Fake::txtdata = sub { $_[0]{text} }; }
my $v = Mail::DKIM::Verifier->new;
local $/; $v->PRINT(<STDIN>); $v->CLOSE;
print join ' ', map { $_->result } $v->signatures;
"""
    env = dict(os.environ, DKIM_KEYS="\n".join(
        "%s\t%s" % (n, k[2]) for n, k in keys.items()))
    p = subprocess.run(["perl", "-e", script], input=data, env=env,
                       capture_output=True)
    if b"Can't locate" in p.stderr:
        return None
    return p.stdout.decode() or p.stderr.decode()


r = random.Random(6376)


def random_message():
    fields = ["From: Joe <joe@example.org>", "To: x@example.net",
              "Subject: %s" % " ".join("word" for _ in range(r.randrange(30)))]
    for _ in range(r.randrange(4)):
        fields.append(r.choice([
            "X-Long: a\r\n\tb\r\n   c", "subject:again", "Cc:  a@b.example , c@d.example ",
            "MIME-Version: 1.0", "Content-Type: text/plain;\r\n charset=utf-8",
            "Date: Tue, 24 Nov 2026 02:00:00 +0000", "List-Id: <l.example.org>",
            "Message-ID: <%d@example.org>" % r.randrange(1 << 30)]))
    lines = []
    for _ in range(r.randrange(12)):
        lines.append(r.choice(["", "text", "two  spaces", "end \t ", "\tbegin",
                               ".", "\xfc".encode("latin-1").decode("latin-1"),
                               "x" * r.randrange(990)]))
    return ("\r\n".join(fields) + "\r\n\r\n"
            + "".join(line + "\r\n" for line in lines)).encode("latin-1")


def theirs_by_us(rounds):
    bad = []
    for n in range(rounds):
        data = random_message()
        name = r.choice(list(keys))
        private, algorithm, _ = keys[name]
        canon = (r.choice([b"relaxed", b"simple"]), r.choice([b"relaxed", b"simple"]))
        signature = dkim.sign(data, name.encode(), b"example.org", private,
                              canonicalize=canon, signature_algorithm=algorithm)
        got = verify(signature + data)
        if got != "pass":
            bad.append((got, name, canon, data))
        at = r.randrange(len(data))
        broken = data[:at] + b"Z" + data[at + 1:]
        try:
            good = dkim.verify(signature + broken, dnsfunc=dns)
        except dkim.MessageFormatError:
            continue
        if not good and verify(signature + broken) == "pass":
            bad.append(("broken passes", name, canon, broken))
    tap.ok(not bad, "%d messages that dkimpy signed" % rounds, bad[:1])


def ours_by_them(rounds):
    bad, perl_bad, perl = [], [], True
    for n in range(rounds):
        data = random_message()
        whole = sign(data) + data
        d = dkim.DKIM(whole)
        for i in range(len(keys)):
            if not d.verify(idx=i, dnsfunc=dns):
                bad.append((i, whole))
        if verify(whole) != "pass pass pass":
            bad.append(("ourselves", whole))
        if n < 20 and perl:
            got = mail_dkim(whole)
            perl = got is not None
            if perl and got.split()[:2] != ["pass", "pass"]:
                perl_bad.append((got, whole))
    tap.ok(not bad, "%d messages that we signed, by dkimpy" % rounds, bad[:1])
    if perl:
        tap.ok(not perl_bad, "and by Mail::DKIM (RSA)", perl_bad[:1])
    else:
        tap.ok(True, "and by Mail::DKIM # SKIP not installed")


def length_tag():
    for canon in (b"relaxed", b"simple"):
        for body in (b"signed\r\n", b"a  b \t c  \r\n\r\n x\r\n\r\n\r\n", b""):
            data = b"From: joe@example.org\r\n\r\n" + body
            signature = dkim.sign(data, b"rsa2", b"example.org",
                                  keys["rsa2"][0], length=True,
                                  canonicalize=(b"relaxed", canon))
            got = verify(signature + data)
            tap.ok(got == "pass", "l= over the whole body passes, %s"
                   % canon.decode(), (got, signature + data))
            got = verify(signature + data + b"added\r\n")
            want = "policy" if body or canon == b"relaxed" else "fail"
            tap.ok(got == want, "l= over a part of the body does not, %s"
                   % canon.decode(), (got, signature + data))


def weak_key():
    pem = os.path.join(tmp, "weak.pem")
    run("openssl", "genrsa", "-traditional", "-out", pem, "512")
    public = run("openssl", "rsa", "-in", pem, "-pubout", "-outform", "DER")
    driver.stdin.write("key weak._domainkey.example.org %s\n" % percent(
        "v=DKIM1; p=" + base64.b64encode(public).decode()))
    data = b"From: joe@example.org\r\n\r\ntext\r\n"
    with open(pem, "rb") as f:
        signature = dkim.sign(data, b"weak", b"example.org", f.read())
    got = verify(signature + data)
    tap.ok(got == "policy", "an RSA key of 512 bits does not count", got)


def mutations(rounds):
    """Nothing that is done to a signed message makes it die."""
    data = random_message()
    whole = sign(data) + data
    seen = set()
    for n in range(rounds):
        b = bytearray(whole)
        for _ in range(r.randrange(1, 6)):
            at = r.randrange(len(b))
            what = r.randrange(4)
            if what == 0:
                b[at] = r.randrange(1, 256)
            elif what == 1:
                del b[at:at + r.randrange(1, 40)]
            elif what == 2:
                b[at:at] = b[at:at + r.randrange(1, 200)]
            else:
                b[at:at] = r.choice([b"\r\n", b";", b"=", b"\0", b"DKIM-Signature:",
                                     b"l=1;", b"i=@a.example.org;"])
            if not b:
                b = bytearray(b"x")
        seen.add(verify(bytes(b)))
    tap.ok(driver.poll() is None and "" not in seen,
           "%d mutilated messages are survived" % rounds, seen)


theirs_by_us(150)
ours_by_them(60)
length_tag()
weak_key()
mutations(3000)
driver.stdin.close()
tap.ok(driver.wait() == 0, "the driver ends well")
shutil.rmtree(tmp)
tap.done()
