#!/usr/bin/python3
"""What readers show as the author's address is judged by DMARC, or the message
is refused: From fields made and broken at random, read by Python's email
package (old and new) and, if it is there, Perl's Mail::Address. And the other
way: the odd fields of honest software are not refused."""
import email
import email.header
import email.policy
import email.utils
import os
import random
import re
import subprocess
import sys
import unicodedata

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import TOP, Tap  # noqa: E402

DRIVER = os.path.join(TOP, "build/t/unit/from.t")
FIELDS = int(os.environ.get("FIELDS", 4000))
PERL = r"""
use Mail::Address; $| = 1;
while (<STDIN>) {
    chomp;
    print join(" ", map { my $h = $_->host; defined $h ? unpack("H*", $h)
                          : () } Mail::Address->parse(pack("H*", $_))), "\n";
}"""

# of lists, shops, devices and old programs
HONEST = r"""
Joe Public <joe@x.example>
joe@x.example
<joe@x.example>
"Public, Joe" <joe@x.example>
Public, Joe <joe@x.example>
John Q. Public <joe@x.example>
Joe (Sales) <joe@x.example>
joe@x.example (Joe Public)
joe@x.example <joe@x.example>
"joe@x.example" <joe@x.example>
'joe@x.example' <joe@x.example>
"'joe@y.example' via List" <list@x.example>
"Joe via List" <list@x.example>
=?utf-8?q?J=C3=B6rg?= <joe@x.example>
=?utf-8?q?=27joe=40y.example=27_via_L=C3=AFst?= <list@x.example>
=?iso-8859-1?q?J=F6rg?= =?iso-8859-1?q?_M=FCller?= <joe@x.example>
"=?utf-8?q?J=C3=B6rg?=" <joe@x.example>
J\udcc3\udcb6rg <joe@x.example>
J\udcf6rg <joe@x.example>
Shop: News <news@x.example>
[Shop] <news@x.example>
Shop <news@x.example>,
MAILER-DAEMON@host.x.example (Mail Delivery System)
Mail Delivery System <MAILER-DAEMON@host.x.example>
root (Cron Daemon) <root@x.example>
root@x.example (Cron Daemon)
root@localhost
printer@[192.0.2.1]
Joe <joe.@x.example>
Joe <joe..public@x.example>
Joe <"joe public"@x.example>
Joe <joe@x_y.example>
Joe <JOE@X.EXAMPLE>
Joe <joe@x.example.>
Joe <joe@b\udcc3\udcbccher.example>
Joe <joe@x.example> (by phone)
"Joe \"Jo\" Public" <joe@x.example>
"Joe" Public <joe@x.example>
Joe<joe@x.example>
Joe < joe@x.example >
Joe <joe@x.example
Joe joe@x.example
joe@x.example Joe
Joe @ Shop <joe@x.example>
50% off! <joe@x.example>
Joe, Jane and Jim: all of us <all@x.example>
Team: joe@x.example, jane@x.example;
joe@x.example, jane@y.example
=?utf-7?q?J+APY-rg?= <joe@x.example>
=?x-unknown?q?J=F6rg?= <joe@x.example>
=?iso-2022-jp?b?GyRCQXc/LiF3JTclZyVDJVcbKEI=?= <joe@x.example>
J \udcef\udcbc\udca0 Shop <joe@x.example>
Joe\r\n\t<joe@x.example>
Joe <joe+tag=y.example@x.example>
Joe <SRS0=a=b=y.example=joe@x.example>
Joe <bounce-1-joe=y.example@x.example>
""".strip().split("\n")
HONEST = [re.sub(r"\\(udc..|r|n|t)", lambda m: eval('"' + m[0] + '"'), line)
          for line in HONEST]

PIECES = ["ceo", "a", "Joe Public", "@", "@", "@", "bank.example",
          "x.example", ".", ".example", "<", "<", ">", ">", "(", ")", '"',
          '"', "\\", " ", " ", "\r\n ", "\t", ",", ",", ";", ":", "[", "]",
          "=?utf-8?q?ceo=40bank.example?=", "<ceo@bank.example>",
          "ceo@bank.example", "=?utf-8?q?=3Cceo=40bank.example=3E?=", "=",
          "?", "!", "'", "-", "_", "\x01", "\udcff", "\udcc3\udcbc", "\0",
          "\udcef\udcbc\udca0", "\udcef\udcbc\udc9c", "\udcef\udcbc\udc9e",
          "=?utf-7?q?+ADw-ceo+AEA-bank.example+AD4-?=", "=?utf-7?q?+AEA-?=",
          "=?utf-8?q?bank.example?=", "=?us-ascii?q?=40?="]

tap = Tap()


class Driver:
    def __init__(self, *command):
        self.p = subprocess.Popen(command, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True,
                                  stderr=subprocess.DEVNULL)

    def ask(self, data):
        self.p.stdin.write(data.hex() + "\n")
        self.p.stdin.flush()
        return self.p.stdout.readline().split()


def encode(text):
    return text.encode("utf-8", "surrogateescape")


def domain_of(address):
    """The domain as the DNS would have it, or None."""
    name = address.rpartition("@")[2].strip().rstrip(".").lower()
    if re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)+", name) and not re.search(
            r"(^|\.)-|-(\.|$)", name):
        return name
    return None


def decoded(value):
    """As clients do that decode words first, and show an address in < >."""
    try:
        text = str(email.header.make_header(email.header.decode_header(value)))
    except Exception:  # charsets and base64 that are none
        return
    text = unicodedata.normalize("NFKC", text)
    yield from re.findall("<([^<>]*@[^<>]*)>", text)


def python_reads(header):
    """The addresses that Python shows."""
    old = email.message_from_bytes(header + b"\r\n")
    for value in old.get_all("From") or []:
        value = str(value)
        yield from decoded(value)
        for text in {value, re.sub(r"\r?\n", "", value)}:
            yield email.utils.parseaddr(text)[1]
            for _, address in email.utils.getaddresses([text]):
                yield address
    try:
        new = email.message_from_bytes(header + b"\r\n",
                                       policy=email.policy.default)
        for field in new.get_all("From") or []:
            for address in field.addresses:
                yield address.addr_spec
    except Exception:  # it has its faults with such fields
        pass


def shown(header, value):
    found = {domain_of(a) for a in python_reads(header) if "@" in a}
    if perl:
        found |= {domain_of("@" + bytes.fromhex(h).decode("latin-1"))
                  for h in perl.ask(value)}
    return found - {None}


def broken(r):
    """A field: pieces at random, or an honest one changed a little."""
    if r.random() < 0.5:
        return "".join(r.choice(PIECES) for _ in range(r.randint(1, 12)))
    text = list(r.choice(HONEST))
    for _ in range(r.randint(1, 3)):
        at = r.randrange(len(text) + 1)
        kind = r.random()
        if kind < 0.4:
            text[at:at] = [r.choice(PIECES)]
        elif kind < 0.7:
            text[at:at + r.randint(1, 3)] = []
        else:
            text[at:at + 1] = [r.choice(PIECES)]
    return "".join(text)


if not os.path.exists(DRIVER):
    print("1..0 # SKIP build/t/unit/from.t is not built")
    sys.exit(0)
ours = Driver(DRIVER, "drive")
perl = subprocess.run(["perl", "-MMail::Address", "-e", "1"],
                      stderr=subprocess.DEVNULL).returncode == 0
perl = Driver("perl", "-e", PERL) if perl else None

for value in HONEST:
    judged = ours.ask(b"From: " + encode(value) + b"\r\n")
    tap.ok(judged[0] == "good", "not refused: " +
           repr(value).encode("ascii", "replace").decode(), judged)

seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
r = random.Random(seed)
bad = refused = seen = 0
for _ in range(FIELDS):
    value = encode(broken(r))
    # a line end that no blank follows ends the field; and what was not
    # one may be after another is gone
    ended = 1
    while ended:
        value, ended = re.subn(rb"\r?\n(?=[^ \t]|$)", b"", value)
    header = b"From: " + value + b"\r\n"
    judged = ours.ask(header)
    refused += judged[0] == "fault"
    others = shown(header, value)
    seen += bool(others)
    if judged[0] == "good" and not others <= set(judged[1:]):
        bad += 1
        if bad <= 10:
            print("#", header, "judged:", judged[1:], "shown:", others)
tap.ok(bad == 0, "of %d fields nobody shows what is not judged (SEED=%d)"
       % (FIELDS, seed), "%d" % bad)
tap.ok(seen > FIELDS / 4 and refused < FIELDS,
       "%d of them show something, %d are refused" % (seen, refused))
tap.done()
