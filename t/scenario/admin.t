#!/usr/bin/env python3
"""posthorn(8): every command answers --help, reports in JSON where it reports,
names what is wrong, and ends with the exit code of its manual."""
import json
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from instance import Instance, wait_for  # noqa: E402

tap = Tap()


class Conf:
    """The configuration file with lines set, and put back at the end."""

    def __init__(self, s, *lines):
        self.path = s.CONF
        with open(self.path) as f:
            self.good = f.read()
        names = [line.split("=")[0].strip() for line in lines]
        kept = [line for line in self.good.splitlines()
                if line.split("=")[0].strip() not in names]
        with open(self.path, "w") as f:
            f.write("\n".join(kept + list(lines)) + "\n")
        self.first = len(kept) + 1	# the number of the first new line

    def __enter__(self):
        return self

    def __exit__(self, *what):
        with open(self.path, "w") as f:
            f.write(self.good)


def helps(s):
    for words in ([], ["start"], ["stop"], ["reload"], ["status"], ["check"],
                  ["config"], ["queue"], ["user"], ["map"]):
        done = s.posthorn(*words, "--help")
        tap.ok(done.returncode == 0 and done.stdout.startswith("usage:") and
               not done.stderr, "posthorn %s --help" % " ".join(words))


def wrong_words(s):
    for words, code, want in [
            (["frobnicate"], 64, "frobnicate"),
            (["-x", "status"], 64, "-x"),
            (["queue", "frobnicate"], 64, "frobnicate"),
            (["queue", "show", "NOSUCH"], 65, "NOSUCH"),
            (["queue", "flush", "NOSUCH"], 65, "NOSUCH"),
            (["config", "nosuch"], 65, "nosuch"),
            (["user", "add", "anna"], 64, "anna"),
            (["user", "passwd", "x@y.test"], 67, "x@y.test"),
            (["map", "hash:/nonexistent"], 66, "/nonexistent"),
            (["map", "-q", "k", "foo:bar"], 64, "foo"),
            (["start"], 75, "runs already"),
            (["-c", "/nonexistent", "status"], 78, "/nonexistent")]:
        done = s.posthorn(*words)
        tap.equal(done.returncode, code, "posthorn %s: exit %d" %
                  (" ".join(words), code))
        tap.ok(want in done.stderr, "and names " + want)


def reports(s):
    for words in (["status"], ["check"], ["queue", "stats"],
                  ["user", "list"]):
        try:
            good = json.loads(s.posthorn(*words, "--json").stdout)
        except ValueError as e:
            good = print("# %s" % e)
        tap.ok(good, "posthorn %s --json" % " ".join(words))
    lines = s.posthorn("config", "--json").stdout.splitlines()
    by_name = {p["name"]: p for p in map(json.loads, lines)}
    tap.equal(by_name["myhostname"]["value"], "mail." + s.DOMAIN,
              "posthorn config --json has the values")
    tap.ok(by_name["myhostname"]["origin"].startswith(s.CONF + ":"),
           "and where they are set")
    text = s.posthorn("status").stdout
    tap.ok("queue: 0 active, 0 waiting, 0 held" in text,
           "posthorn status says how the queue is")


def checks(s):
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    held.listen()
    port = held.getsockname()[1]
    for name, lines, want in [
            ("mynetworks that is none", ["mynetworks = 10.0.0.0/33"],
             "10.0.0.0/33 is not a network"),
            ("mynetworks for all", ["mynetworks = 0.0.0.0/0"],
             "fault: %s:%d: mynetworks has 0.0.0.0/0"),
            ("mynetworks that are wide", ["mynetworks = 8.0.0.0/9"],
             "warning: %s:%d: mynetworks has 8.0.0.0/9"),
            ("a relayhost that is none", ["relayhost = [smtp.test"],
             "relayhost = [smtp.test"),
            ("forwarders", ["resolver_forwarders = ns.test"],
             "resolver_forwarders: ns.test"),
            ("a key that is missing", ["smtpd_tls_key_file = /nonexistent"],
             "fault: %s:%d: smtpd_tls_key_file = /nonexistent: cannot be "
             "read"),
            ("a certificate for another name",
             ["tls_server_sni = other.test:%s:%s" %
              (s.CA_FILE, s.path("key.pem"))], "is not for other.test"),
            ("a log that cannot be written", ["log_target = /nonexistent/x"],
             "log_target = /nonexistent/x: cannot be written"),
            ("a service that is none", ["disabled_services = imap"],
             "there is no service imap"),
            ("a table that is missing", ["virtual_alias_maps = hash:/none"],
             "virtual_alias_maps: /none.db"),
            ("a port in use", ["imap_port = %d" % port],
             "[127.0.0.1]:%d for imap: Address already in use" % port),
            ("a port wanted twice", ["pop3_port = %d" % s.IMAP_PORT],
             "another service of the suite"),
            ("an address of another host", ["inet_interfaces = 192.0.2.1"],
             "192.0.2.1]:%d for smtp" % s.SMTP_PORT)]:
        with Conf(s, *lines) as c:
            if "%s:%d" in want:
                want = want % (s.CONF, c.first)
            done = s.posthorn("check")
            tap.ok(want in done.stdout, "check: " + name)
            tap.equal(done.returncode, 0 if "warning" in want or
                      "is not for" in want else 78,
                      "and its exit code")
            if want not in done.stdout:
                print("# " + done.stdout.replace("\n", "\n# "))
    held.close()
    for name, mode in (("key.pem", 0o644), ("users", 0o644),
                       ("aliases", 0o666), ("posthorn.conf", 0o666)):
        path = s.path(name)
        former = os.stat(path).st_mode & 0o777
        os.chmod(path, mode)
        done = s.posthorn("check")
        os.chmod(path, former)
        tap.ok(done.returncode == 78 and path in done.stdout,
               "check: %s with mode %o" % (name, mode))
    text = s.path("virtual")
    with open(text, "w") as f:
        f.write("a@%s bob\n" % s.DOMAIN)
    s.posthorn("map", "hash:" + text)
    os.utime(text, (2000000000, 2000000000))
    with Conf(s, "virtual_alias_maps = hash:" + text):
        tap.ok("posthorn map hash:%s makes it anew" % text in
               s.posthorn("check").stdout, "check: a database that is old")
    done = s.posthorn("check")
    tap.ok(done.returncode == 0 and "fault:" not in done.stdout,
           "check: nothing is left of that")
    tap.ok("no postmaster@" + s.DOMAIN in done.stdout,
           "check: no postmaster is worth a warning")


def starts(s):
    """What does not hinder a start is said, what does is said once."""
    with Conf(s, "resolver_stub_zones = foo"):
        done = s.posthorn("start")
        tap.equal(done.returncode, 69, "a service that does not start: 69")
        tap.ok('the service resolver is not ready: resolver_stub_zones: '
               '"foo"' in done.stderr, "and the terminal says why")
        done = s.posthorn("status")
        tap.equal(done.returncode, 75, "status: 75")
        tap.ok([line for line in done.stdout.splitlines()
                if line.startswith("resolver ") and '"foo"' in line],
               "and it says why, too")
    tap.equal(s.posthorn("reload").returncode, 0, "mended, then reload")
    tap.ok(wait_for(lambda: s.posthorn("status").returncode == 0, 30),
           "makes it ready")
    s.posthorn("stop")
    os.rename(s.CA_FILE, s.CA_FILE + ".away")
    done = s.posthorn("start")
    tap.ok(done.returncode == 0 and "fault: " in done.stderr and
           s.CA_FILE in done.stderr,
           "a start without the certificate: the terminal names it")
    os.rename(s.CA_FILE + ".away", s.CA_FILE)
    done = s.posthorn("reload")
    tap.ok(done.returncode == 0 and "fault: " not in done.stderr,
           "and no more after a reload with it")


with Instance() as s:
    helps(s)
    wrong_words(s)
    reports(s)
    s.posthorn("stop")
    checks(s)
    for words in (["status"], ["stop"], ["reload"], ["queue", "list"]):
        done = s.posthorn(*words)
        tap.ok(done.returncode == 69 and done.stderr,
               "posthorn %s while nothing runs: 69" % " ".join(words))
    starts(s)
    s.posthorn("stop")
tap.done()
