#!/usr/bin/env python3
"""A file that a service reads at its start is bad when the service is started
again, after a crash: it serves with what it can, or `posthorn status` says why
it does not; nobody is refused for good meanwhile; and when the file is good
again all is as before, without anybody's help."""
import os
import shutil
import signal
import smtplib
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from dkimkey import Key  # noqa: E402
from instance import Instance, message, parse, wait_for  # noqa: E402

tap = Tap()
DOMAIN = "example.test"
BACK = 100  # seconds: the longest pause between two starts, and a bit
# what is in the folder of the instance, who reads it: in two groups, as one
# that is bad hides another
GROUPS = ({
    "cert.pem": "tls-server",
    "virtual": "local-deliver",
    "aliases": "local-deliver",
    "keys/list": "authcheck",
    "zone": "resolver",
}, {
    "key.pem": "tls-server",
    "users": "accountd",
    "keys/rsa.pem": "authcheck",
    "suffixes": "authcheck",
    "ca.pem": "tls-client",
})
SERVICES = {x for g in GROUPS for x in g.values()} | {"smtpd", "submit",
                                                      "remote-send"}
# what is no fault: such a file says that there is nothing
SILENT = {("empty", name) for name in ("users", "virtual", "aliases",
                                       "keys/list", "zone")}
SILENT |= {("missing", "aliases"), ("missing", "keys/list")}


def garbage(path):
    with open(path, "w") as f:
        f.write("\x01\x02 ]] no such thing\n" * 3)


def empty(path):
    open(path, "w").close()


def missing(path):
    os.unlink(path)


def folder(path):
    os.unlink(path)
    os.mkdir(path)


def fifo(path):
    os.unlink(path)
    os.mkfifo(path)


def endless(path):
    """A hole of a terabyte, which would be read for hours."""
    os.truncate(path, 1 << 40)


def loop(path):
    os.unlink(path)
    os.symlink(os.path.basename(path), path)


# BAD_FILES=all tries all with the second group, too: there each takes a minute
DAMAGES = (garbage, empty, missing, folder, fifo, endless, loop)


def restore(s, name):
    path = s.path(name)
    if os.path.isdir(path):
        os.rmdir(path)
    shutil.copy2(path + ".good", path + ".tmp")
    st = os.stat(path + ".good")
    os.chown(path + ".tmp", st.st_uid, st.st_gid)
    os.rename(path + ".tmp", path)


def keep(s, name):
    path = s.path(name)
    st = os.stat(path)
    shutil.copy2(path, path + ".good")
    os.chown(path + ".good", st.st_uid, st.st_gid)


def status(s):
    """{service: (state, pid, why)}"""
    rows = {}
    done = s.posthorn("status")
    if "tls-server" not in done.stdout:
        print("#", done)
    for line in done.stdout.splitlines():
        words = line.split(None, 6)
        if words and words[0] in SERVICES:
            pid = int(words[2]) if words[2].isdigit() else 0
            rows[words[0]] = words[1], pid, line
    return rows


def kill_all(s):
    was = status(s)
    for name in SERVICES:
        if was[name][1]:
            os.kill(was[name][1], signal.SIGKILL)
    return was


def rcpt(s, *to):
    """The codes of RCPT, in one session, as each waits for a service that is
    not up."""
    codes = []
    try:
        with smtplib.SMTP(s.HOST, s.SMTP_PORT, timeout=90) as c:
            c.helo("client.test")
            c.mail("a@client.test")
            codes += [c.rcpt(x)[0] for x in to]
    except (OSError, smtplib.SMTPException):
        pass
    return codes


def tls_works(s):
    try:
        with s.smtp() as c:
            return c.starttls(context=s.context())[0] == 220
    except (OSError, smtplib.SMTPException):
        return False


def login_works(s):
    try:
        return s.imap().logout()[0] == "BYE"
    except Exception:
        return False


def arrives(s, to, subject):
    """Submits it signed; gives what came, or None."""
    try:
        with s.submission() as c:
            c.sendmail(s.address(), [to], message(s.address(), to, subject))
    except (OSError, smtplib.SMTPException):
        return None
    found = []

    def there():
        found[:] = [m for m in map(parse, s.messages(s.USER2))
                    if m["Subject"] == subject]
        return found
    return found[0] if wait_for(there, 30) else None


def signs(s, run):
    """authcheck reads its keys again after a while, on its own."""
    tries = []

    def signed():
        tries.append(arrives(s, "virtual@" + DOMAIN,
                             "virtual %s %d" % (run, len(tries))))
        return tries[-1] is not None and tries[-1]["DKIM-Signature"]
    return wait_for(signed, BACK, 1)


def mails_in(s):
    """All that reads a file when it needs it has something to do. The codes
    of a user's RCPT."""
    codes = rcpt(s, s.address(), "virtual@" + DOMAIN,
                 "local@localhost." + DOMAIN)[:1]
    subprocess.run([s.SENDMAIL, "-i", "-f", s.address(), "--",
                    "virtual@" + DOMAIN, "local@localhost." + DOMAIN],
                   input=b"Subject: in between\n\n", timeout=60)
    return codes


def all_works(s, run):
    tap.ok(wait_for(lambda: all(r[0] == "ready" for r in status(s).values()),
                    BACK), "%s: all services are ready again" % run,
           [r[2] for r in status(s).values() if r[0] != "ready"])
    tap.ok(wait_for(lambda: tls_works(s), BACK), "%s: TLS" % run)
    tap.ok(wait_for(lambda: login_works(s), BACK), "%s: logins" % run)
    got = arrives(s, "virtual@" + DOMAIN, "virtual " + run)
    tap.ok(got is not None, "%s: a virtual alias" % run)
    tap.ok(signs(s, run), "%s: signed" % run)
    got = arrives(s, "local@localhost." + DOMAIN, "local " + run)
    tap.ok(got is not None, "%s: an alias" % run)


def round_of(s, damage, files):
    name = damage.__name__
    mark = len(s.read_log())
    for f in files:
        damage(s.path(f))
    was = kill_all(s)
    wait_for(lambda: all(status(s)[x][1] != was[x][1] for x in SERVICES), 30)
    codes = mails_in(s)
    tap.ok(not any(500 <= c < 600 for c in codes) or name == "empty",
           "%s: a user is not unknown" % name, codes)
    wait_for(lambda: all(s.path(f) in s.read_log()[mark:] for f in files
                         if (name, f) not in SILENT), 60)
    now, log = status(s), s.read_log()[mark:]
    for f, service in files.items():
        says = s.path(f) in now[service][2] or s.path(f) in log
        tap.ok(says or (name, f) in SILENT, "%s %s: somebody says so" %
               (name, f), now[service][2])
        if now[service][0] != "ready":
            tap.ok(s.path("") in now[service][2] or len(
                now[service][2].split()) > 6,
                "%s: status says why %s is not up" % (name, service),
                now[service][2])
    for f in files:
        restore(s, f)
    if (name, "keys/list") in SILENT:
        s.posthorn("reload")    # it said that there are no keys
    all_works(s, "%s %s" % (name, min(files)))


def prepare(s):
    os.mkdir(s.path("keys"))
    os.chmod(s.path("keys"), 0o755)
    key = Key(s.path("keys/rsa.pem"), "rsa")
    with open(s.path("keys/list"), "w") as f:
        f.write("%s r1 rsa.pem\n" % DOMAIN)
    with open(s.path("zone"), "w") as f:
        f.write("r1._domainkey.%s. IN TXT %s\n" % (DOMAIN, key.record))
    with open(s.path("virtual"), "w") as f:
        f.write("virtual@%s bob@%s\n" % (DOMAIN, DOMAIN))
    with open(s.path("aliases"), "w") as f:
        f.write("local: bob@%s\n" % DOMAIN)
    with open(s.path("suffixes"), "w") as f:
        f.write("test\ncom\n")


s = Instance("virtual_alias_maps=texthash:$config_directory/virtual",
             "dkim_keys_file=$config_directory/keys/list",
             "public_suffix_file=$config_directory/suffixes",
             "smtp_tls_CAfile=$config_directory/ca.pem",
             "minimal_backoff_time=2s", "maximal_backoff_time=5s")
prepare(s)
open(s.path("ca.pem"), "w").close()
with s:
    shutil.copy(s.path("cert.pem"), s.path("ca.pem"))
    for files in GROUPS:
        for f in files:
            keep(s, f)
    s.posthorn("reload")
    all_works(s, "before")
    for damage in DAMAGES:
        round_of(s, damage, GROUPS[0])
    for damage in DAMAGES if os.environ.get("BAD_FILES") == "all" else (
            garbage, empty, endless):
        round_of(s, damage, GROUPS[1])
tap.done()
