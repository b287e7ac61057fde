#!/usr/bin/env python3
"""Clients that others wrote send mail and fetch it, and find nothing to
complain of. (Those that speak IMAP are in imap-clients.t.)"""
import glob
import os
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from instance import Instance, message, parse  # noqa: E402

tap = Tap()


def run(*command, **how):
    how.setdefault("timeout", 120)
    if "input" not in how:
        how["stdin"] = subprocess.DEVNULL
    return subprocess.run(command, capture_output=True, text=True,
                          errors="replace", **how)


def has(program):
    return shutil.which(program) is not None


def write(path, text, mode=0o600):
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)
    return path


def sending(s):
    """swaks, s-nail, mutt and git send-email put messages in."""
    bob = s.address(s.USER2)
    done = run("swaks", "--server", s.HOST, "--port", str(s.SMTP_PORT),
               "--from", "a@client.test", "--to", bob, "--tls",
               "--header", "Subject: by swaks")
    tap.ok(done.returncode == 0, "swaks sends with STARTTLS")
    done = run("swaks", "--server", s.HOST, "--port",
               str(s.SUBMISSIONS_PORT), "--tlsc", "--auth", "PLAIN",
               "--auth-user", s.USER1, "--auth-password", s.PASS1,
               "--from", s.address(), "--to", bob, "--header",
               "Subject: by swaks and login")
    tap.ok(done.returncode == 0, "swaks submits over TLS")
    done = run("swaks", "--server", s.HOST, "--port",
               str(s.SUBMISSION_PORT), "--tls", "--auth", "LOGIN",
               "--auth-user", s.USER1, "--auth-password", "wrong",
               "--from", s.address(), "--to", bob)
    tap.ok(done.returncode == 28, "a wrong password is refused")
    done = run("swaks", "--socket", s.LMTP_SOCKET, "--protocol", "LMTP",
               "--from", "a@client.test", "--to", bob,
               "--header", "Subject: by lmtp")
    tap.ok(done.returncode == 0, "swaks speaks LMTP")
    wanted = ["by swaks", "by swaks and login", "by lmtp"]

    if has("s-nail"):
        done = run("s-nail", "-:/", "-S", "mta=" + s.SENDMAIL, "-S",
                   "from=" + s.address(), "-s", "by s-nail", bob,
                   input="hello\n")
        tap.ok(done.returncode == 0, "s-nail sends: " + done.stderr[:200])
        wanted.append("by s-nail")
    if has("mutt"):
        rc = write(s.path("muttrc"), "set sendmail=\"%s -oem -oi\"\n"
                   "set from=%s\nset use_envelope_from\nset copy=no\n" %
                   (s.SENDMAIL, s.address()))
        done = run("mutt", "-F", rc, "-s", "by mutt", "--", bob,
                   input="hello\n", env=dict(os.environ, HOME=s.dir))
        tap.ok(done.returncode == 0, "mutt sends: " + done.stderr[:200])
        wanted.append("by mutt")
    if os.path.exists("/usr/lib/git-core/git-send-email"):
        wanted += git_send_email(s, bob)
    got = s.wait_messages(len(wanted), s.USER2)
    tap.equal(sorted(parse(m)["Subject"] for m in got), sorted(wanted),
              "all of that arrives")


def git_send_email(s, to):
    repo = s.path("repo")
    env = dict(os.environ, HOME=s.dir, GIT_CONFIG_GLOBAL="/dev/null",
               GIT_AUTHOR_NAME="Alice", GIT_AUTHOR_EMAIL=s.address(),
               GIT_COMMITTER_NAME="Alice",
               GIT_COMMITTER_EMAIL=s.address())
    os.mkdir(repo)
    run("git", "init", "-q", repo, env=env)
    write(repo + "/file", "text\n")
    run("git", "-C", repo, "add", "file", env=env)
    run("git", "-C", repo, "commit", "-q", "-m", "by git", env=env)
    run("git", "-C", repo, "format-patch", "-q", "--root", "-1", env=env)
    patch = glob.glob(repo + "/*.patch")
    common = ["git", "-C", repo, "send-email", "--confirm=never", "--quiet",
              "--from", s.address(), "--to", to, "--suppress-cc=all"]
    done = run(*common, "--sendmail-cmd=" + s.SENDMAIL, *patch, env=env)
    tap.ok(done.returncode == 0, "git send-email by sendmail: " +
           done.stderr[-300:])
    done = run(*common, "--smtp-server=localhost",
               "--smtp-server-port=%d" % s.SUBMISSIONS_PORT,
               "--smtp-encryption=ssl", "--smtp-user=" + s.USER1,
               "--smtp-pass=" + s.PASS1, "--smtp-ssl-cert-path=" + s.CA_FILE,
               *patch, env=env)
    tap.ok(done.returncode == 0, "git send-email by SMTP and TLS: " +
           done.stderr[-300:])
    return ["[PATCH] by git"] * 2


def pop3_clients(s):
    bob = s.USER2
    count = len(s.messages(bob))
    out = s.path("fetched")
    if has("fetchmail"):
        rc = write(s.path("fetchmailrc"), "poll localhost protocol pop3 "
                   "service %d uidl user %s password \"%s\" ssl "
                   "sslcertck sslcertfile %s keep mda \"/bin/sh -c 'cat >> %s; "
                   "echo >> %s'\"\n" % (s.POP3S_PORT, bob, s.PASS2,
                                        s.CA_FILE, out, out))
        done = run("fetchmail", "-f", rc, "--pidfile", s.path("fm.pid"),
                   "-i", s.path("fm.ids"), env=dict(os.environ, HOME=s.dir))
        tap.ok(done.returncode == 0, "fetchmail: %s%s" % (
            done.stdout[-100:], done.stderr[-300:]))
        with open(out, errors="replace") as f:
            tap.equal(len(re.findall(r"^Subject: ", f.read(), re.M)), count,
                      "it fetches all")
        done = run("fetchmail", "-f", rc, "--pidfile", s.path("fm.pid"),
                   "-i", s.path("fm.ids"), env=dict(os.environ, HOME=s.dir))
        tap.equal(done.returncode, 1, "and the second time nothing is new")
    if has("getmail") and os.geteuid():	# it refuses to work as root
        os.makedirs(s.path("getmail"))
        for name in ("cur", "new", "tmp"):
            os.makedirs(s.path("got/" + name))
        write(s.path("getmail/rc"), """[retriever]
type = SimplePOP3SSLRetriever
server = localhost
port = %d
username = %s
password = %s
ca_certs = %s
[destination]
type = Maildir
path = %s/
[options]
delete = false
""" % (s.POP3S_PORT, bob, s.PASS2, s.CA_FILE, s.path("got")))
        done = run("getmail", "--getmaildir", s.path("getmail"), "--rcfile",
                   s.path("getmail/rc"))
        tap.ok(done.returncode == 0 and
               len(os.listdir(s.path("got/new"))) == count,
               "getmail fetches all: " + done.stderr[-300:])


def idle(s):
    """A new message reaches an idle client at once."""
    m = s.imap()
    m.select("INBOX")
    m.send(b"x1 IDLE\r\n")
    assert m.readline().startswith(b"+")
    with s.smtp() as c:
        began = time.monotonic()
        c.sendmail("a@client.test", [s.address()],
                   message("a@client.test", s.address(), "idle"))
    line = m.readline()
    took = time.monotonic() - began
    tap.ok(b"EXISTS" in line, "an idle client hears of new mail")
    tap.ok(took < 10, "at once (%.0f ms from MAIL to EXISTS)" % (took * 1000))
    m.send(b"DONE\r\n")
    while not m.readline().startswith(b"x1 OK"):
        pass
    m.logout()


with Instance() as s:
    sending(s)
    pop3_clients(s)
    idle(s)
    log = s.read_log()
    for line in log.splitlines():
        if "fatal" in line or "signal" in line or "panic" in line:
            tap.ok(False, "the log is clean: " + line)
            break
    else:
        tap.ok(True, "the log is clean")

tap.done()
