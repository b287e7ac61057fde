#!/usr/bin/env python3
"""An administrator's mistakes: no mail is lost or refused for good because of
one, and the commands say which it is and what mends it."""
import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from instance import Conf, Instance, message, wait_for  # noqa: E402

tap = Tap()


def replace(path, text):
    """As an editor does: the file keeps its owner and mode."""
    st = os.stat(path)
    with open(path + ".new", "w") as f:
        f.write(text)
    os.chmod(path + ".new", st.st_mode & 0o777)
    if os.geteuid() == 0:
        os.chown(path + ".new", st.st_uid, st.st_gid)
    os.rename(path + ".new", path)


def rcpt(s, *names):
    """The codes for recipients; a name without domain is of the users'."""
    c = s.smtp()
    c.ehlo("client.test")
    c.mail("a@remote.test")
    codes = [c.rcpt(n if "@" in n else s.address(n))[0] for n in names]
    c.quit()
    return codes


def becomes(s, names, codes):
    """True when the codes for NAMES are CODES: programs remember a recipient
    that they found for a moment."""
    return wait_for(lambda: rcpt(s, *names) == codes)


def check_says(s, file, line, what):
    """check, status and their exit codes while FILE has a broken LINE."""
    where = "%s:%d: " % (s.path(file), line)
    done = s.posthorn("check")
    tap.ok(done.returncode == 78 and any(
        where in l and what in l for l in done.stdout.splitlines()),
        "check names %s:%d" % (file, line), done.stdout)
    done = s.posthorn("status")
    tap.ok(done.returncode == 75 and any(
        where in l and "not found waits until" in l
        for l in done.stdout.splitlines()),
        "so does status", done.stdout)


def users(s):
    with open(s.path("users")) as f:
        good = f.read()
    secret = "$6$salt$not-to-be-shown"
    tap.ok(becomes(s, [s.USER1, "nobody"], [250, 550]), "good users")
    replace(s.path("users"), good + "third@%s %s:::::\n" % (s.DOMAIN, secret))
    tap.ok(wait_for(lambda: rcpt(s, "third") == [451]),
           "a user whose line is broken: try again")
    tap.ok(becomes(s, [s.USER1, s.USER2, "nobody"], [250, 250, 451]),
              "others get mail, and nobody is unknown for certain")
    check_says(s, "users", good.count("\n") + 1, "with colons between")
    done = s.posthorn("user", "list")
    tap.ok(done.returncode == 65 and s.address() in done.stdout and
           "users:%d: " % (good.count("\n") + 1) in done.stderr,
           "user list: the others, and the number of the line", done.stderr)
    shown = [done] + [s.posthorn(*words) for words in (
        ["user", "list", "--json"], ["check"], ["check", "--json"],
        ["status"], ["status", "--json"])]
    tap.ok(not any("not-to-be" in d.stdout + d.stderr for d in shown) and
           "not-to-be" not in s.read_log(), "a password hash is never shown")
    replace(s.path("users"), good)
    tap.ok(wait_for(lambda: rcpt(s, "third") == [550]),
           "when it is mended, the user is unknown")
    tap.ok("users" not in s.posthorn("status").stdout,
           "and status has nothing to say")


def tables(s):
    """Each as text and as database: the lines are broken in several ways."""
    text = s.path("virtual")
    for broken, line, what in (
            ("rob@%s:x\n" % s.DOMAIN, 2, "expected: key value"),
            ("rob@%s: x\n" % s.DOMAIN, 2, "punctuation"),
            (" rob@%s x\n" % s.DOMAIN, 1, "is not an address"),
            ("rob@%s\n" % s.DOMAIN, 2, "expected: key value")):
        with open(text, "w") as f:
            f.write("info@%s %s\n%s" % (s.DOMAIN, s.address(), broken))
        for kind in "texthash:", "hash:":
            with Conf(s, "virtual_alias_maps = " + kind + text):
                if kind == "hash:":
                    done = s.posthorn("map", kind + text)
                    tap.ok("virtual:%d: " % line in done.stderr and
                           what in done.stderr,
                           "map names the line: %r" % broken, done.stderr)
                tap.equal(s.posthorn("reload").returncode, 0, "reload")
                # the first line of an indented one is no target either
                tap.ok(becomes(
                    s, ["info", s.USER1, "rob"],
                    [451 if line == 1 and kind == "texthash:" else 250, 250,
                     451]), "%s %r" % (kind, broken))
                check_says(s, "virtual", line, what)
    with Conf(s, "alias_maps = hash:" + s.path("aliases")):
        done = s.posthorn("map", "hash:" + s.path("aliases"))
        tap.ok(done.returncode == 64 and "map -a" in done.stderr,
               "the text of aliases is not built as pairs", done.stderr)


def aliases(s):
    with Conf(s, "alias_maps = aliases:" + s.path("aliases"),
              "mydestination = localhost." + s.DOMAIN):
        here = "@localhost." + s.DOMAIN
        replace(s.path("aliases"), "\ufeffteam: %s\r\n" % s.address())
        s.posthorn("reload")
        tap.ok(becomes(s, ["team" + here, "ops" + here], [250, 550]),
                  "a byte order mark and CRLF are no mistakes")
        replace(s.path("aliases"), "team: %s\nops root\n" % s.address())
        tap.ok(becomes(s, ["team" + here, "ops" + here], [250, 451]),
                  "a blank for the colon")
        check_says(s, "aliases", 2, "with a colon between")
        tap.equal(s.posthorn("queue", "list").stdout.count("ops"), 0, "queue")
        s.smtp().sendmail("a@remote.test", ["team" + here],
                          message("a@remote.test", "team" + here, "to the team"))
        tap.ok(len(s.wait_messages(1)) == 1, "an alias in a good line works")
        os.rename(s.path("aliases"), s.path("aliases.away"))
        s.posthorn("reload")
        tap.ok(becomes(s, ["team" + here, s.USER1], [451, 250]),
                  "without the file its names are not unknown")
        done = s.posthorn("check")
        tap.ok(done.returncode == 78 and any(
            "alias_maps" in l and s.path("aliases") in l and "No such" in l
            for l in done.stdout.splitlines()), "check says so", done.stdout)
        os.rename(s.path("aliases.away"), s.path("aliases"))
        replace(s.path("aliases"), "")
    s.posthorn("reload")


def settings(s):
    """What would refuse or misdirect mail keeps its former value: a reload
    refuses it, check says what is wrong, and where."""
    for lines, what in (
            (["mydestination = " + s.DOMAIN],
             "virtual_mailbox_domains: %s is in mydestination, too" %
             s.DOMAIN),
            (["virtual_alias_domains = x.test " + s.DOMAIN],
             "virtual_alias_domains: %s is in virtual_mailbox_domains, too" %
             s.DOMAIN),
            (["virtual_uid_maps = static:0"],
             "virtual_uid_maps = static:0: is root"),
            (["pop3_port = %d" % s.SMTP_PORT],
             "pop3_port = %d: is the port of smtp_port, too" % s.SMTP_PORT),
            (["submissions_port = %d" % s.SUBMISSION_PORT],
             "submissions_port = %d: is the port of submission_port, too" %
             s.SUBMISSION_PORT)):
        with Conf(s, *lines):
            done = s.posthorn("check")
            tap.ok(done.returncode == 78 and any(
                what in l and s.CONF + ":" in l
                for l in done.stdout.splitlines()), "check: " + what,
                done.stdout)
            done = s.posthorn("reload")
            tap.ok(done.returncode == 78 and lines[0].split()[0] in
                   done.stderr, "and a reload is refused", done.stderr)
    with Conf(s, "pop3_port = 0", "pop3s_port = 0"):
        tap.equal(s.posthorn("reload").returncode, 0,
                  "two services that are switched off have no port")
    with Conf(s, "pop3_port = %d" % s.SMTP_PORT, "disabled_services = pop3d"):
        tap.equal(s.posthorn("reload").returncode, 0, "nor have disabled ones")
    with Conf(s, "virtual_mailbox_domains = exmaple.test"):
        done = s.posthorn("check")
        tap.ok("does not have %s, which users in" % s.DOMAIN in done.stdout
               and "has exmaple.test, and " in done.stdout,
               "check: a misspelt domain", done.stdout)
    tap.equal(s.posthorn("reload").returncode, 0, "all is as it was")
    tap.ok(becomes(s, [s.USER1], [250]), "and mail is taken")


def overlap(s):
    """A suite that ran with a domain in two lists comes up after an update."""
    with Conf(s, "virtual_alias_domains = " + s.DOMAIN):
        s.stop()
        done = s.posthorn("start")
        what = "virtual_alias_domains: %s is in " % s.DOMAIN
        tap.ok(done.returncode == 0 and what in done.stderr,
               "start: goes on, and says so", done.stderr)
        tap.ok(any("warning" in l and what in l
                   for l in s.read_log().splitlines()), "so does the log")
        tap.ok(becomes(s, [s.USER1], [250]), "the first list wins")
    tap.equal(s.posthorn("reload").returncode, 0, "mended by a reload")


def counts(s, what):
    """Do mailq, queue list, and status count what was left?"""
    return all(what in subprocess.run(argv, capture_output=True, text=True,
                                      timeout=60).stdout
               for argv in ([s.MAILQ], [s.path("posthorn"), "queue", "list"],
                            [s.path("posthorn"), "status"]))


def stats(s):
    return json.loads(s.posthorn("queue", "stats", "--json").stdout)


def dropped(s):
    drop = s.path("spool/drop")
    for name in "tmp.1", "tmp.2":
        with open(os.path.join(drop, name), "w") as f:
            f.write("no mail\n")
        os.rename(os.path.join(drop, name),
                  os.path.join(drop, name.replace("tmp", "mail")))
    tap.ok(wait_for(lambda: counts(s, "2 files of local programs in drop/ "
                                      "could not be taken")),
           "files that pickup set aside are counted")
    tap.equal(stats(s)["aside"], 2, "in JSON, too")
    done = s.posthorn("check")
    tap.ok(done.returncode == 0 and "drop/bad.mail.1" in done.stdout and
           "drop/bad.mail.2" in done.stdout, "and check names them",
           done.stdout)
    os.unlink(os.path.join(drop, "bad.mail.1"))
    os.unlink(os.path.join(drop, "bad.mail.2"))
    tap.ok(wait_for(lambda: stats(s)["aside"] == 0), "until they are removed")


def copied(s, slot):
    """Copies of a message's file that somebody made in the queue."""
    st = os.stat(slot)
    copy = slot[:-1] + ("Y" if slot[-1] != "Y" else "Z")
    for to in copy, slot + ".bak", os.path.join(
            os.path.dirname(slot), "..", os.path.basename(slot)):
        shutil.copy2(slot, to)
        if os.geteuid() == 0:
            os.chown(to, st.st_uid, st.st_gid)
    done = s.posthorn("check")
    tap.ok(done.returncode == 0 and "3 files in the queue are not" in
           done.stdout and copy[-9:] + " (holds the message of another" in
           done.stdout and slot[-9:] + ".bak (is not the name" in
           done.stdout and "(is in the wrong folder)" in done.stdout,
           "check names copies", done.stdout)
    s.stop()
    s.posthorn("start")
    tap.ok(wait_for(lambda: counts(s, "1 damaged file in corrupt/")) and
           stats(s)["waiting"] == 1,
           "the copy of a slot is no second message")


def read_only(s, slot):
    """A message's file that was made read-only, and mended later."""
    left = "1 file in the queue was left alone"
    st = os.stat(slot)
    os.chmod(slot, 0o444)
    if os.geteuid() == 0:
        os.chown(slot, 0, 0)
    s.posthorn("queue", "flush", "ALL")
    tap.ok(wait_for(lambda: counts(s, left)),
           "one that became read-only is left alone, and counted")
    tap.ok(stats(s)["waiting"] == 0 and slot[-15:] in s.read_log(),
           "it is not tried, and the log names it")
    s.stop()
    s.posthorn("start")
    tap.ok(wait_for(lambda: counts(s, left)), "so it is at a start")
    found = s.posthorn("check").stdout
    tap.ok("(belongs to" in found or "(its mode" in found, "check names it")
    os.chmod(slot, 0o600)
    if os.geteuid() == 0:
        os.chown(slot, st.st_uid, st.st_gid)
    s.posthorn("queue", "flush", "ALL")
    tap.ok(wait_for(lambda: stats(s)["waiting"] == 1 and
                    stats(s)["strange"] == 0), "when mended it waits again")


def slots(s):
    """What people do with files of the queue."""
    with Conf(s, "relayhost = [127.0.0.1]:1"):
        s.posthorn("reload")
        subprocess.run([s.SENDMAIL, "x@held.test"], input="x\n", text=True,
                       check=True)
        tap.ok(wait_for(lambda: stats(s)["waiting"] == 1), "a message waits")
        listed = s.posthorn("queue", "list", "--json").stdout.splitlines()
        name = json.loads(listed[0])["id"][-6:]
        slot = s.path("spool/queue/%s/%s" % (name[2:4], name))
        read_only(s, slot)
        copied(s, slot)
        s.posthorn("queue", "delete", "ALL")
    s.posthorn("reload")


with Instance() as s:
    users(s)
    tables(s)
    aliases(s)
    settings(s)
    overlap(s)
    dropped(s)
    slots(s)
tap.done()
