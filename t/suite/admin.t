#!/usr/bin/env python3
"""posthorn(8): every command answers --help, reports in JSON where it reports,
names what is wrong, and ends with the exit code of its manual."""
import json
import os
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from instance import (Conf, Instance, message, mounted,  # noqa: E402
                      wait_for)

tap = Tap()


def helps(s):
    for words in ([], ["start"], ["stop"], ["reload"], ["status"], ["check"],
                  ["config"], ["queue"], ["user"], ["mailbox"], ["map"]):
        done = s.posthorn(*words, "--help")
        tap.ok(done.returncode == 0 and done.stdout.startswith("usage:") and
               not done.stderr, "posthorn %s --help" % " ".join(words))


def without_configuration(s):
    """Who asks how a command is used may just be mending the file."""
    broken = s.path("broken.conf")
    with open(broken, "w") as f:
        f.write("no such thing\nqueue_directory = relative\n")
    for path in (broken, s.path("missing.conf")):
        for words, more in ((["start"], ["x"]), (["stop"], ["x"]),
                            (["reload"], ["x"]), (["status"], ["x"]),
                            (["check"], ["x"]), (["config"], ["-x"]),
                            (["queue"], []), (["user"], []), (["map"], []),
                            (["mailbox"], []), (["mailbox"], ["check"]),
                            (["mailbox"], ["check", "a", "b", "c", "d", "e"])):
            name = " ".join(["posthorn", *words, *more])
            done = s.posthorn("-c", path, *words, *more)
            tap.ok(done.returncode == 64 and not done.stdout and
                   done.stderr.startswith("usage:"),
                   name + " with a broken configuration: the usage",
                   done.stderr)
            done = s.posthorn("-c", path, *words, "--help")
            tap.ok(done.returncode == 0 and not done.stderr and
                   done.stdout.startswith("usage:"), name + " --help: too",
                   done.stderr)
    os.unlink(broken)


def wrong_words(s):
    for words, code, want in [
            (["frobnicate"], 64, "frobnicate"),
            (["-x", "status"], 64, "-x"),
            (["queue", "frobnicate"], 64, "frobnicate"),
            (["queue", "show", "NOSUCH"], 65, "NOSUCH"),
            (["queue", "flush", "NOSUCH"], 65, "NOSUCH"),
            (["queue", "show", ""], 64, "empty"),
            (["queue", "show", "a\33[31m"], 65, "a\\033[31m: no such"),
            (["-c"], 64, "-c wants a file"),
            (["-c", "", "status"], 64, "-c wants a file"),
            (["map", "hash:"], 64, "no path"),
            (["config", "nosuch"], 65, "nosuch"),
            (["user", "add", "anna"], 64, "anna: not of the form"),
            (["user", "frobnicate", "a@y.test"], 64, "frobnicate"),
            (["user", "passwd", "x@y.test"], 67, "x@y.test"),
            (["map", "hash:/nonexistent"], 66, "/nonexistent"),
            (["map", "-q", "k", "foo:bar"], 64, "foo"),
            (["start"], 75, "runs already"),
            (["-c", "/nonexistent", "status"], 78, "/nonexistent")]:
        done = s.posthorn(*words)
        tap.equal(done.returncode, code, "posthorn %s: exit %d" %
                  (" ".join(words), code))
        tap.ok(want in done.stderr, "and names " + want)


def names_of_users(s):
    """Who is added can get mail, and log in, by the name that was given."""
    with open(s.path("users")) as f:
        former = f.read()
    for name, want in [
            ("zz@..", "not of the form user@domain"),
            ("@" + s.DOMAIN, "not of the form"), ("a@", "not of the form"),
            ("", "not of the form"), ("a b@" + s.DOMAIN, "not of the form"),
            ("x" * 300 + "@" + s.DOMAIN, "too long"),
            ("x" * 65 + "@" + s.DOMAIN, "64 bytes at most"),
            ("a@" + "x" * 64 + ".test", "not of the form"),
            ("a@[192.0.2.1]", "IP address"),
            ('"a b"@' + s.DOMAIN, "white space"),
            ("../a@" + s.DOMAIN, "must not begin"),
            ("a/b@" + s.DOMAIN, "must not hold"),
            ("#a@" + s.DOMAIN, "must not begin"),
            ("a\n@" + s.DOMAIN, "not of the form")]:
        done = s.posthorn("user", "add", name, input="secret\n")
        tap.ok(done.returncode == 64 and want in done.stderr,
               "user add %r: %s" % (name[:70], want), done.stderr)
    with open(s.path("users")) as f:
        tap.equal(f.read(), former, "and the file is as it was")
    done = s.posthorn("user", "add", "Z\u00f6e@B\u00fccher.test",
                      input="secret\n")
    tap.ok(done.returncode == 0 and "virtual_mailbox_domains" in done.stderr,
           "one of another domain is made, with a warning", done.stderr)
    tap.ok("z\u00f6e@xn--bcher-kva.test" in
           s.posthorn("user", "list").stdout.lower(),
           "in the form in which mail is looked up")
    done = s.posthorn("user", "add", "z\u00f6e@xn--bcher-kva.test",
                      input="secret\n")
    tap.ok(done.returncode == 65 and "there already" in done.stderr,
           "and is not made twice", done.stderr)
    for code in 0, 67:
        tap.equal(s.posthorn("user", "remove",
                             "Z\u00f6e@b\u00fccher.test").returncode,
                  code, "and removed by either name, once")
    with open(s.path("users"), "a") as f:
        f.write("\nzz@..:x\n")
    tap.equal(s.posthorn("user", "remove", "").returncode, 67,
              "an empty line is nobody")
    tap.equal(s.posthorn("user", "remove", "zz@..").returncode, 0,
              "a name that is none can be removed")
    done = s.posthorn("user", "passwd", s.address(), input="x" * 300 + "\n")
    tap.ok(done.returncode == 65 and "too long" in done.stderr,
           "a password is not cut", done.stderr)
    with open(s.path("users")) as f:
        tap.equal(f.read(), former + "\n", "nothing else was changed")
    os.truncate(s.path("users"), len(former.encode()))


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
    with open("/dev/full", "w") as full:
        lost = subprocess.run([s.path("posthorn"), "config"], stdout=full,
                              stderr=subprocess.PIPE, text=True)
    # the reason is known if all fits into one write
    tap.ok(lost.returncode == 74 and ("No space left" in lost.stderr or
                                      "not all could" in lost.stderr),
           "a report that cannot be printed is no success")
    text = s.posthorn("status").stdout
    tap.ok("queue: 0 active, 0 waiting, 0 held" in text,
           "posthorn status says how the queue is")


def closed_pipes(s):
    """`posthorn queue list | head`: who stops reading ends it, quietly."""
    with Conf(s, "relayhost = [127.0.0.1]:1"):
        s.posthorn("reload")
        subprocess.run([s.SENDMAIL, "-f", "a" * 60 + "@x.test"] +
                       ["%s%03d@held.test" % ("b" * 40, j) for j in
                        range(90)], input="x\n", text=True, check=True)
        tap.ok(wait_for(lambda: "held.test" in
                        s.posthorn("queue", "list").stdout, 60),
               "a message waits")
        closed_pipes_with_mail(s)
        s.posthorn("queue", "delete", "ALL")
    s.posthorn("reload")


def closed_pipes_with_mail(s):
    with open(s.path("users")) as f:
        former = f.read()
    with open(s.path("users"), "a") as f:
        for j in range(2000):
            f.write("%s%04d@%s:!\n" % ("c" * 50, j, s.DOMAIN))
    posthorn = s.path("posthorn")
    for argv in ([posthorn, "queue", "list"], [posthorn, "status"],
                 [posthorn, "queue", "list", "--json"],
                 [posthorn, "user", "list"], [posthorn, "config"],
                 [posthorn, "config", "--manual"], [posthorn, "check"],
                 [posthorn, "--help"], [s.MAILQ], [s.SENDMAIL, "-bp"]):
        for ignored in (False, True):
            reader, writer = os.pipe()
            os.close(reader)
            done = subprocess.run(
                argv, stdout=writer, stderr=subprocess.PIPE, text=True,
                timeout=60, preexec_fn=lambda: signal.signal(
                    signal.SIGPIPE, signal.SIG_IGN if ignored else
                    signal.SIG_DFL), restore_signals=False)
            os.close(writer)
            tap.ok(done.returncode in (-signal.SIGPIPE,
                                       128 + signal.SIGPIPE) and
                   not done.stderr, "%s into a pipe that is closed%s" %
                   (" ".join(argv).replace(s.path(""), ""),
                    ", SIGPIPE ignored" if ignored else ""),
                   "%s %s" % (done.returncode, done.stderr))
    with open(s.path("users"), "w") as f:
        f.write(former)


def users_apart(s):
    """The users of programs that speak with strangers are never root, nor one
    another; without root they are not asked for."""
    root = os.geteuid() == 0
    users = ["net_user", "queue_user", "check_user", "account_user",
             "tls_user"]
    for user in users + ["default_privs"]:
        for value, says in (("root", "is root"), ("0", "is root"),
                            ("0:64100", "is root"),
                            ("64100:0", "its group is root")):
            if user == "default_privs" and "group" in says:
                continue
            with Conf(s, "%s = %s" % (user, value)) as c:
                done = s.posthorn("check")
                want = "fault: %s:%d: %s = %s: " % (s.CONF, c.first, user,
                                                    value)
                found = [line for line in done.stdout.splitlines()
                         if line.startswith(want) and says in line]
                tap.equal(len(found), 1 if root or user == "default_privs"
                          else 0, "check: %s = %s" % (user, value))
                if not root or user == "default_privs" or value != "root":
                    continue
                done = s.posthorn("reload")
                tap.ok(done.returncode == 78 and says in done.stderr,
                       "and a reload with it is refused")
    for value in ("64103", "64103:64108"):
        with Conf(s, "net_user = " + value, "check_user = 64103") as c:
            done = s.posthorn("check")
            tap.equal("warning: %s:%d: check_user = 64103: is the user of "
                      "net_user, too" % (s.CONF, c.first + 1) in done.stdout,
                      root, "check: two users that are one: " + value)
            tap.equal(done.returncode, 0, "is a warning")
    tap.ok("is the user of" not in s.posthorn("check").stdout,
           "check: no word of users that are apart")


def before_start(s):
    """What lies in a folder that a start makes is no fault before it."""
    run = s.path("run2")
    with Conf(s, "run_directory = " + run, "lmtp_socket = %s/public/lmtp" % run,
              "log_target = %s/log" % run):
        out = s.posthorn("check").stdout
        tap.ok("lmtp_socket" not in out and "log_target" not in out,
               "check: folders that are made by a start", out)
    with Conf(s, "lmtp_socket = %s/other/lmtp" % run,
              "log_target = %s/other/log" % run):
        out = s.posthorn("check").stdout
        tap.ok("lmtp_socket = " in out and "log_target = " in out,
               "check: folders that are not", out)


def mailbox_owners(s):
    """Virtual users' mail belongs to none of the suite's own users."""
    if os.geteuid() != 0:
        return
    with Conf(s, "virtual_uid_maps = static:64101") as c:
        out = s.posthorn("check").stdout
        tap.ok("fault: %s:%d: virtual_uid_maps = static:64101: is net_user, "
               "whom" % (s.CONF, c.first) in out and "chown -R" in out,
               "check: mail that belongs to net_user", out)
        tap.equal(out.count("is net_user, whom"), 1, "said once")
        done = s.posthorn("reload")
        tap.ok(done.returncode == 78 and "is net_user, whom" in done.stderr,
               "and a reload with it is refused", done.stderr)
    with Conf(s, "mail_user = 64101"):
        tap.equal(s.posthorn("reload").returncode, 78,
                  "nor may mail_user be one of them")
    with Conf(s, "mail_user = posthorn-none"):
        done = s.posthorn("reload")
        tap.ok(done.returncode == 78 and "mail_user = posthorn-none: there is "
               "no such user; to make it, as make install does: useradd" in
               done.stderr, "a mail_user that is missing, and what makes it",
               done.stderr)
    with open(s.path("users")) as f:
        former = f.read()
    for name, uid in (("first", 64102), ("second", 64102)):
        with open(s.path("users"), "a") as f:
            f.write("%s@%s:!:%d:%d::%s:\n" % (name, s.DOMAIN, uid, uid,
                                             s.path("mail/" + name)))
    out = s.posthorn("check").stdout
    tap.ok("virtual_users_file: line 3: first@%s has the uid of queue_user" %
           s.DOMAIN in out and "(such users: 2)" in out,
           "check: a user with the uid of queue_user", out)
    tap.equal(s.posthorn("reload").returncode, 0, "such mail goes on")
    s.imap().logout()
    what = "first@%s belongs to queue_user" % s.DOMAIN
    s.wait_log(what)
    tap.equal([s.read_log().count(x) for x in (what, "belongs to")], [1, 1],
              "the log warns once")
    with open(s.path("users"), "w") as f:
        f.write(former)
    s.posthorn("reload")
    not_the_users(s)
    taken_over(s)


def not_the_users(s):
    """A mailbox came back from a backup as root's, or as a stranger's."""
    home = s.path("mail/first")
    maildir = home + "/Maildir"
    with open(s.path("users")) as f:
        former = f.read()
    with open(s.path("users"), "a") as f:
        f.write("first@%s:!:64199:64199::%s:\n" % (s.DOMAIN, home))
    for part in ("", "new", "cur"):
        os.makedirs(os.path.join(maildir, part), 0o700, exist_ok=True)
        os.chown(os.path.join(maildir, part), 64199, 64199)
    mailbox = "the mailbox of first@%s belongs to " % s.DOMAIN
    for part, uid, name in (("", 0, "root"), ("cur", 64777, "uid 64777")):
        os.chown(os.path.join(maildir, part), uid, -1)
        done = s.posthorn("check")
        tap.ok(mailbox + name in done.stdout and
               "chown -R 64199 " + home in done.stdout,
               "check: a mailbox that belongs to " + name, done.stdout)
        os.chown(os.path.join(maildir, part), 64199, -1)
    tap.ok(mailbox not in s.posthorn("check").stdout, "check: until it is mended")
    with open(s.path("users"), "w") as f:
        f.write(former)


def taken_over(s):
    """The mail is still net_user's, from before there was mail_user."""
    home = os.path.join(s.MAILROOT, s.USER2)
    before = len(s.messages(s.USER2))

    def give(uid):
        for path, _, names in os.walk(home):
            for name in [""] + names:
                os.lchown(os.path.join(path, name), uid, uid)
    s.stop()
    give(64101)
    s.start()
    with s.smtp() as c:
        c.sendmail("a@b.test", [s.address(s.USER2)],
                   message("a@b.test", s.address(s.USER2), "it waits"))
    s.wait_log("status=deferred")
    out = s.posthorn("check").stdout
    tap.ok("the mailbox of %s belongs to net_user, and its mail waits until" %
           s.address(s.USER2) in out and "chown -R 64199 " + home in out,
           "check: mail from before mail_user", out)
    give(64199)
    s.posthorn("queue", "flush", "ALL")
    tap.equal(len(s.wait_messages(before + 1, s.USER2)), before + 1,
              "waits until it is given to mail_user, and then arrives")
    tap.ok("belongs to" not in s.posthorn("check").stdout, "check: as it was")


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
             "fault: %s:%d: relayhost = [smtp.test"),
            ("a pattern for a domain", ["virtual_alias_domains = *.a.test"],
             "fault: %s:%d: virtual_alias_domains: *.a.test is not a domain"),
            ("forwarders", ["resolver_forwarders = ns.test"],
             "resolver_forwarders: ns.test"),
            ("a key that is missing", ["smtpd_tls_key_file = /nonexistent"],
             "fault: %s:%d: smtpd_tls_key_file: cannot open /nonexistent"),
            ("without TLS nobody logs in", ["smtpd_tls_cert_file ="],
             "warning: %s:%d: smtpd_tls_cert_file is empty: there is no TLS, "
             "and nobody can log in"),
            ("unless passwords may be in the clear",
             ["smtpd_tls_cert_file =", "disable_plaintext_auth = no"],
             "warning: %s:%d: smtpd_tls_cert_file is empty: there is no TLS, "
             "and no submission; IMAP and POP3 take passwords in the clear"),
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
    with open(s.CONF) as f:
        user = ([line.split("=")[1].strip() for line in f
                 if line.startswith("account_user")] or ["posthorn-account"])
    for name, mode, mend in (
            ("key.pem", 0o644, "; chmod 600 it"),
            ("users", 0o644, "; chgrp %s and chmod 640 it" % user[-1]),
            ("aliases", 0o666, "is writable by everybody"),
            ("posthorn.conf", 0o666, "chmod o-w it")):
        path = s.path(name)
        former = os.stat(path).st_mode & 0o777
        os.chmod(path, mode)
        done = s.posthorn("check")
        os.chmod(path, former)
        tap.ok(done.returncode == 78 and [
            line for line in done.stdout.splitlines()
            if path in line and mend in line],
            "check: %s with mode %o" % (name, mode), done.stdout)
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
    tap.ok("warning: dmarc_reject = no" in done.stdout,
           "check: so is DMARC without consequences")
    with Conf(s, "dmarc_reject = yes"):
        tap.ok("dmarc_reject" not in s.posthorn("check").stdout,
               "check: not when they are on")
    for value, good in (("postmaster@example.org", False),
                        ("mailto:post master@example.org", False),
                        ("https://example.org/help", True), ("", True)):
        with Conf(s, "imap_server_admin = " + value):
            tap.equal("is not a URI" in s.posthorn("check").stdout, not good,
                      "check: imap_server_admin = %s" % value)


def emptied(s):
    """Tables that decide who is known, and hold nobody."""
    for name, param in (("users", "virtual_users_file"),
                        ("aliases", "alias_maps")):
        path = s.path(name)
        with open(path) as f:
            former = f.read()
        for text in ("", "# nobody\n\n"):
            with open(path, "w") as f:
                f.write(text)
            with Conf(s, "virtual_mailbox_domains = v.example.test",
                      "alias_maps = aliases:" + s.path("aliases")):
                done = s.posthorn("check")
            tap.ok(any("warning: " in line and param in line and
                       path + " holds no entry" in line
                       for line in done.stdout.splitlines()),
                   "check: %s that holds nothing: %r" % (name, text),
                   done.stdout)
        with open(path, "w") as f:
            f.write(former)


def out_of_reach(s):
    """Folders that a service must write to or go through as its user."""
    shut = s.path("shut")
    os.mkdir(shut, 0o500)
    with open(s.path("users")) as f:
        former = f.read()

    def check(base, want, name):
        with Conf(s, "virtual_mailbox_base = " + base) as c:
            out = s.posthorn("check").stdout
        line = "fault: %s:%d: virtual_mailbox_base" % (s.CONF, c.first)
        tap.ok((line in out) == bool(want) and (want or "") in out, name, out)

    check(shut, None, "check: a base that nobody's home is in may be shut")
    with open(s.path("users"), "a") as f:
        f.write("zoe@%s:!\n" % s.DOMAIN)
    check(shut, "cannot make folders there: Permission denied",
          "check: one that the mail's user cannot write to")
    check(shut + "/none/mail", "cannot make it in " + shut,
          "check: one that he cannot make")
    check(s.path("mail"), None, "check: one that he can")
    check(s.path("mail/a/b"), None, "check: one that he can make")
    check("mail", "absolute", "check: one that is relative")
    check(s.path("aliases"), "Permission denied", "check: one that is a file")
    with open(s.path("users"), "w") as f:
        f.write(former)
    if os.geteuid() == 0:
        os.chmod(shut, 0o700)
        for param in ("queue_directory", "data_directory", "run_directory"):
            with Conf(s, "%s = %s/none" % (param, shut)) as c:
                out = s.posthorn("check").stdout
            tap.ok("fault: %s:%d: %s = %s/none: " % (s.CONF, c.first, param,
                                                     shut) in out and
                   "cannot get to " + shut in out,
                   "check: %s in a folder that is shut" % param, out)
        with open(shut + "/virtual", "w") as f:
            f.write("a@%s b\n" % s.DOMAIN)
        with Conf(s, "virtual_alias_maps = texthash:" + shut + "/virtual"):
            tap.ok("(account_user) cannot read " + shut + "/virtual" in
                   s.posthorn("check").stdout, "check: and a table there")
    subprocess.run(["rm", "-r", shut], check=True)


def away(s):
    """What is in the place of a file, and what mailq and sendmail say."""
    drop = s.path("spool/drop")
    os.rename(drop, drop + ".away")
    for make, reason in ((lambda: None, "No such file or directory"),
                         (lambda: open(drop, "w").close(),
                          "Not a directory")):
        make()
        for argv, code in (([s.MAILQ], 69), ([s.SENDMAIL, s.address()], 75)):
            done = subprocess.run(argv, capture_output=True, text=True,
                                  input="x\n", timeout=60)
            tap.equal(done.returncode, code, "without a drop folder: exit %d"
                      % code)
            tap.ok(any(drop in line and line.endswith(reason)
                       for line in done.stderr.splitlines()),
                   "and it is named, with the reason: " + reason)
    os.unlink(drop)
    os.rename(drop + ".away", drop)
    os.rename(s.path("users"), s.path("users.away"))
    os.mkdir(s.path("users"))
    for words in (["user", "list"], ["check"]):
        done = s.posthorn(*words)
        tap.ok(s.path("users") + " is no regular file" in
               done.stdout + done.stderr,
               "posthorn %s: a folder in place of users" % words[0])
    os.rmdir(s.path("users"))
    os.rename(s.path("users.away"), s.path("users"))


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
    with Conf(s, "mynetworks = 127.0.0.0/8 10.0.0.0/33") as c:
        done = s.posthorn("reload")
        tap.ok(done.returncode == 0 and "fault: %s:%d: mynetworks" %
               (s.CONF, c.first) in done.stderr and
               done.stderr.endswith("the new configuration is in force in "
                                    "spite of the fault above\n"),
               "a reload with what only check calls a fault: done, and said",
               done.stderr)
    done = s.posthorn("reload")
    tap.ok(done.returncode == 0 and "in spite" not in done.stderr,
           "one without faults has nothing to say of that", done.stderr)
    s.posthorn("stop")
    os.rename(s.CA_FILE, s.CA_FILE + ".away")
    done = s.posthorn("start")
    tap.ok(done.returncode == 0 and "fault: " in done.stderr and
           s.CA_FILE in done.stderr and "the suite runs in spite of" in
           done.stderr, "a start without the certificate: the terminal names it")
    os.rename(s.CA_FILE + ".away", s.CA_FILE)
    done = s.posthorn("reload")
    tap.ok(done.returncode == 0 and "fault: " not in done.stderr,
           "and no more after a reload with it")


def services_named(s):
    """The names that disabled_services wants are in the manual."""
    top = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    with open(os.path.join(top, "man", "master.8")) as f:
        manual = f.read().splitlines()
    lines = s.posthorn("status").stdout.splitlines()
    names = [line.split()[0] for line in lines[1:lines.index("")]]
    tap.ok(len(names) > 10, "status names services")
    for name in names:
        tap.ok(".It Li " + name in manual, "master(8) says what %s is" % name)


def full_log(s):
    """The disk of the log is full: mail goes on, and status says so."""
    disk = s.path("disk")
    tap.equal(json.loads(s.posthorn("status", "--json").stdout)["log"], "",
              "a log that can be written is no news")
    s.posthorn("stop")
    if not mounted(disk, "64k"):
        print("# no file system of its own can be mounted here")
        return
    try:
        with Conf(s, "log_target = %s/log" % disk):
            full_log_on(s, disk)
            s.posthorn("stop")
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def full_log_on(s, disk):
    s.posthorn("start")
    filled = subprocess.run(["dd", "if=/dev/zero", "of=%s/filler" % disk],
                            capture_output=True)
    tap.ok(filled.returncode != 0, "the disk of the log is full")
    want = "the log cannot be written: %s/log: No space left on device" % disk
    done = s.posthorn("status")
    tap.ok(done.returncode == 75 and want in done.stdout.splitlines(),
           "status says so, and ends with 75", done.stdout)
    done = s.posthorn("status", "--json")
    tap.equal(json.loads(done.stdout)["log"], "No space left on device",
              "status --json, too")
    os.unlink(disk + "/filler")
    tap.ok(wait_for(lambda: s.posthorn("status").returncode == 0, 60),
           "until there is space again")


def left_alone(s):
    """A file in the queue that may be mail and cannot be looked at: whoever
    asks for the queue is told, on standard output."""
    folder = s.path("spool/queue/0Z")
    os.makedirs(folder, exist_ok=True)
    os.symlink("/nonexistent", folder + "/000Z00")
    if os.geteuid() == 0:
        owner = os.stat(s.path("spool/queue")).st_uid
        os.chown(folder, owner, -1)
    s.posthorn("start")
    wait_for(lambda: not json.loads(
        s.posthorn("status", "--json").stdout)["queue"]["scanning"])
    want = "1 file in the queue was left alone, and mail may be in it: " \
        "the log names each."
    for argv, code, line in (([s.MAILQ], 0, "-- " + want),
                             (["posthorn", "queue", "list"], 0, want),
                             (["posthorn", "status"], 75, want)):
        argv[0] = s.path(argv[0])
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
        tap.equal(done.returncode, code, "%s: exit %d" % (argv, code))
        tap.ok(line in done.stdout.splitlines() and
               "empty" not in done.stdout, "and says what was left alone",
               done.stdout)
    done = s.posthorn("check")
    tap.ok(done.returncode == 0 and [
        line for line in done.stdout.splitlines()
        if line.startswith("warning: %s:" % s.CONF) and
        "queue/0Z/000Z00 (is no slot)" in line],
           "check: names the file", done.stdout)
    done = s.posthorn("queue", "list", "--json")
    tap.ok(not done.stdout and want in done.stderr,
           "not in the midst of JSON", done.stdout)
    s.posthorn("stop")
    os.unlink(folder + "/000Z00")


def restored(s):
    """Slots of a spool that was restored without care: stuck mail is named
    before, at and after the start, and comes back when that is mended."""
    with Conf(s, "relayhost = [127.0.0.1]:1"):
        s.posthorn("start")
        for i in range(5):
            subprocess.run([s.SENDMAIL, "x%d@held.test" % i], input="x\n",
                           text=True, check=True)

        def queue():
            return json.loads(s.posthorn("status", "--json").stdout)["queue"]

        def waits(n):
            return wait_for(lambda: queue()["waiting"] + queue()["active"] == n
                            and not queue()["scanning"])

        tap.ok(waits(5), "messages wait")
        seen = {}
        for _ in range(25):
            for line in s.posthorn("queue", "list",
                                   "--json").stdout.splitlines():
                m = json.loads(line)
                if m["next"]:
                    seen.setdefault(m["id"], set()).add(m["next"])
            time.sleep(0.04)
        tap.ok(len(seen) == 5 and not any(n + 1 in all_next for all_next in
                                          seen.values() for n in all_next),
               "the time of the next try is the same each time", seen)
        s.posthorn("stop")
        tap.ok("queue_directory" not in s.posthorn("check").stdout,
               "check: nothing is wrong with them")
        slots = [os.path.join(at, name)
                 for at, _, names in os.walk(s.path("spool/queue"))
                 for name in names if len(name) == 6]
        root = os.geteuid() == 0
        owner = os.stat(slots[0]).st_uid
        for path in slots:
            os.chmod(path, 0)
            if root:
                os.chown(path, 0, 0)
        done = s.posthorn("check")
        why = "belongs to another user" if root else "its mode is too narrow"
        tap.ok(done.returncode == 0 and
               "cannot use %d of the files" % len(slots) in done.stdout and
               done.stdout.count(why) == min(3, len(slots)) and
               "chown -R " in done.stdout, "check: names them", done.stdout)
        done = s.posthorn("start")
        tap.ok(done.returncode == 0 and "cannot use %d of the files" %
               len(slots) in done.stderr, "so does the start", done.stderr)
        tap.ok(waits(0) and queue()["strange"] == len(slots),
               "all are left alone")
        tap.ok("%d files in the queue were left alone" % len(slots) in
               subprocess.run([s.MAILQ], capture_output=True,
                              text=True).stdout, "mailq says so")
        for path in slots:
            os.chmod(path, 0o600)
            if root:
                os.chown(path, owner, -1)
        done = s.posthorn("queue", "flush", "ALL")
        tap.ok(done.returncode == 0 and waits(5) and queue()["strange"] == 0,
               "once they are mended, flush finds them", done.stderr)
        s.posthorn("queue", "delete", "ALL")
        s.posthorn("stop")


def put_aside(s):
    """Damaged mail in corrupt/: the same people are told."""
    for name in ("000001.1", "000002.1"):
        with open(s.path("spool/corrupt/" + name), "w") as f:
            f.write("damaged\n")
    s.posthorn("start")

    def queue():
        return json.loads(s.posthorn("status", "--json").stdout)["queue"]

    done = s.posthorn("check")
    tap.ok(done.returncode == 0 and "2 damaged files, perhaps mail, lie " in
           done.stdout and "corrupt/000001.1" in done.stdout,
           "check: names them", done.stdout)
    tap.ok(wait_for(lambda: queue()["corrupt"] == 2, 30),
           "status --json counts what is in corrupt/")
    want = "2 damaged files in corrupt/ wait for you: posthorn-queue(5) " \
        "says what to do."
    for argv, line in (([s.MAILQ], "-- " + want),
                       ([s.path("posthorn"), "queue", "list"], want),
                       ([s.path("posthorn"), "status"], want)):
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
        tap.ok(done.returncode == 0 and line in done.stdout.splitlines(),
               "%s: says what is in corrupt/" % argv, done.stdout)
    tap.ok("corrupt            2\n" in s.posthorn("queue", "stats").stdout,
           "queue stats, too")
    for name in os.listdir(s.path("spool/corrupt")):
        os.unlink(s.path("spool/corrupt/" + name))
    tap.ok(wait_for(lambda: queue()["corrupt"] == 0, 30),
           "until they are removed")
    s.posthorn("stop")


with Instance() as s:
    helps(s)
    without_configuration(s)
    wrong_words(s)
    names_of_users(s)
    reports(s)
    services_named(s)
    closed_pipes(s)
    users_apart(s)
    before_start(s)
    mailbox_owners(s)
    s.posthorn("stop")
    checks(s)
    for words in (["status"], ["stop"], ["reload"], ["queue", "list"]):
        done = s.posthorn(*words)
        tap.ok(done.returncode == 69 and done.stderr,
               "posthorn %s while nothing runs: 69" % " ".join(words))
    with open(s.path("nul.conf"), "wb") as f:
        f.write(b"a = \0\n")
    for word in ("status", "reload", "stop"):
        done = s.posthorn("-c", s.path("nul.conf"), word)
        tap.ok(done.returncode == 69 and "may run elsewhere" in done.stderr,
               "posthorn %s: who cannot read where it would be says so" % word,
               done.stderr)
    emptied(s)
    out_of_reach(s)
    away(s)
    starts(s)
    full_log(s)
    left_alone(s)
    restored(s)
    put_aside(s)
tap.done()
