#!/usr/bin/env python3
"""Programs that copy mailboxes, and libraries, on our IMAP and POP3:
offlineimap, interimap (QRESYNC), Perl's Mail::IMAPClient, curl."""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "lib")]
from alone import Tap  # noqa: E402
from instance import Instance  # noqa: E402
from wire import Wire  # noqa: E402

tap = Tap()


def letter(i):
    return ("From: <friend%d@elsewhere.test>\r\nTo: <alice@example.test>\r\n"
            "Subject: letter %d\r\nMessage-ID: <%d@client.test>\r\n"
            "Date: Tue, 24 Nov 2026 02:00:00 +0000\r\n\r\nbody %d\r\n" % (
                i % 7, i, i, i)).encode()


def fill(s, count=30):
    with s.imap() as m:
        for name in ("Work", "Work/Sub", "Entw&APw-rfe"):
            m.create('"%s"' % name)
            m.subscribe('"%s"' % name)
            m.append('"%s"' % name, None, None, letter(1))
        for i in range(count):
            m.append("INBOX", None, None, letter(i))


def run(name, words, home, wanted=0):
    done = subprocess.run(words, capture_output=True, text=True, timeout=120,
                          env=dict(os.environ, HOME=home, XDG_DATA_HOME=home,
                                   XDG_CONFIG_HOME=home))
    said = (done.stdout + done.stderr)[-1500:]
    tap.equal((done.returncode, done.returncode != wanted and said),
              (wanted, False), name)
    return done.stdout + done.stderr


def write(path, text):
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, 0o600)
    return path


def files(path):
    return sorted(os.path.join(path, sub, name) for sub in ("cur", "new")
                  for name in os.listdir(os.path.join(path, sub)))


OFFLINEIMAP = """[general]
accounts = a
metadata = {home}/offline
ui = basic
[Account a]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = {home}/near
[Repository far]
type = IMAP
remotehost = 127.0.0.1
remoteport = {port}
remoteuser = {user}
remotepass = {password}
ssl = no
starttls = no
folderfilter = lambda name: True
"""


def offlineimap(s, home):
    fill(s)
    with Wire(s.IMAP_PORT) as w:
        command = ["offlineimap", "-o", "-c", write(
            home + "/offlineimaprc", OFFLINEIMAP.format(
                home=home, port=w.port, user=s.USER1, password=s.PASS1))]
        run("offlineimap copies", command, home)
        inbox = home + "/near/INBOX"
        tap.equal(len(files(inbox)), 30, "all messages")
        tap.ok(os.path.isdir(home + "/near/Work.Sub"), "of all folders")
        first, second = files(inbox)[:2]
        os.unlink(first)
        base = os.path.basename(second).partition(":2,")[0]
        os.rename(second, inbox + "/cur/" + base + ":2,F")
        write(inbox + "/new/1800000000.1.near", letter(99).decode())
        with s.imap() as m:
            m.select()
            m.store("7", "+FLAGS", "(\\Deleted)")
            m.expunge()
        run("offlineimap again, after changes on both sides", command, home)
        with s.imap() as m:
            tap.equal(m.select()[1], [b"29"], "on the server")
            tap.equal(len(m.search(None, "FLAGGED")[1][0].split()), 1,
                      "a flag has come over")
        tap.equal(len(files(inbox)), 29, "and here")
        before = len(w.commands())
        said = run("offlineimap a third time", command, home)
        tap.ok("Copy message" not in said, "copies nothing", said[-500:])
        tap.ok(b"APPEND" not in w.commands()[before:], "and sends nothing")
        tap.equal(w.refused(), [], "nothing that offlineimap said was refused")


INTERIMAP = """database = both.db
list-mailbox = *
[local]
type = imap
host = 127.0.0.1
port = {port}
username = {user1}
password = {pass1}
STARTTLS = NO
compress = NO
[remote]
type = imap
host = 127.0.0.1
port = {port}
username = {user2}
password = {pass2}
STARTTLS = NO
compress = NO
"""


def interimap(s, home):
    """It needs QRESYNC, and keeps two servers the same; we are both."""
    fill(s)
    with Wire(s.IMAP_PORT) as w:
        command = ["interimap", "--config=" + write(
            home + "/interimaprc", INTERIMAP.format(
                port=w.port, user1=s.USER1, pass1=s.PASS1, user2=s.USER2,
                pass2=s.PASS2))]
        os.makedirs(home + "/interimap", exist_ok=True)
        run("interimap copies", command, home)
        with s.imap(s.USER2, s.PASS2) as m:
            tap.equal(m.select()[1], [b"30"], "all messages")
            tap.equal(len(m.list()[1]), 4, "of all folders")
            m.store("3:4,9", "+FLAGS", "(\\Deleted)")
            m.expunge()
            m.store("1", "+FLAGS", "(\\Flagged key)")
            m.append("Work", None, None, letter(50))
        with s.imap() as m:
            m.select()
            m.store("30", "+FLAGS", "(\\Deleted)")
            m.expunge()
            m.append("INBOX", None, None, letter(51))
        run("interimap again, after changes on both sides", command, home)
        for user, password in ((s.USER1, s.PASS1), (s.USER2, s.PASS2)):
            with s.imap(user, password) as m:
                tap.equal(m.select()[1], [b"27"], "INBOX of " + user)
                tap.equal(m.search(None, "FLAGGED KEYWORD key")[1],
                          [b"1"], "with its flags")
                tap.equal(m.select("Work")[1], [b"2"], "and the other folder")
        tap.ok(b"QRESYNC (" in w.commands(), "with QRESYNC")
        tap.equal(w.refused((b"[ALREADYEXISTS]",)), [],
                  "nothing that interimap said was refused")


PERL = r"""
use strict; use warnings; use Mail::IMAPClient;
my ($port, $user, $pass) = @ARGV;
my $n = 0;
sub is { my ($got, $want, $name) = @_; $n++;
    print $got eq $want ? "ok" : "not ok", " $n - $name",
        $got eq $want ? "" : " ($got)", "\n"; }
my $m = Mail::IMAPClient->new(Server => "127.0.0.1", Port => $port,
    User => $user, Password => $pass, Uid => 1, Ignoresizeerrors => 0)
    or die "login: $@";
is(scalar(grep { $_ eq "Work/Sub" } $m->folders), 1, "folders");
is($m->separator, "/", "separator");
$m->create("Perl stuff") or die;
my $uid = $m->append_string("Perl stuff", "Subject: one\r\n\r\nbody\r\n",
    "\\Flagged", " 1-Nov-2026 02:00:00 +0100") or die;
is($m->message_count("Perl stuff"), 1, "append and count");
$m->select("INBOX") or die;
is(scalar(@{$m->messages}), 30, "messages");
my @found = $m->search("SUBJECT", "letter 1");
is(scalar(@found), 11, "search");
is(scalar(@{$m->sort("REVERSE ARRIVAL", "UTF-8", "ALL")}), 30, "sort");
is(scalar(@{$m->thread("REFERENCES", "UTF-8", "ALL")}), 30, "thread");
is($m->subject($found[0]), "letter 1", "subject");
my $h = $m->parse_headers($found[0], "Date", "Message-ID");
is($h->{"Message-ID"}[0], "<1\@client.test>", "parse_headers");
my $e = $m->get_envelope($found[0]);
is($e->subject, "letter 1", "get_envelope");
my $b = $m->get_bodystructure($found[0]);
is($b->bodytype . "/" . $b->bodysubtype, "TEXT/PLAIN", "get_bodystructure");
is($m->bodypart_string($found[0], 1), "body 1\r\n", "bodypart_string");
is($m->size($found[0]), length($m->message_string($found[0])), "size");
my $all = $m->fetch_hash("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE");
is(scalar(keys %$all), 30, "fetch_hash");
$m->set_flag("Answered", $found[0]) or die;
is(($m->search("ANSWERED"))[0], $found[0], "set_flag");
$m->copy("Perl stuff", @found[0 .. 1]) or die $m->LastError;
$m->move("Perl stuff", $found[2]) or die $m->LastError;
$m->expunge or die;
is($m->message_count("Perl stuff"), 4, "copy and move");
is($m->uidnext("Perl stuff"), 5, "uidnext");
is($m->is_parent("Work") ? 1 : 0, 1, "is_parent");
$m->rename("Perl stuff", "Perl") or die;
is($m->exists("Perl") ? 1 : 0, 1, "rename");
$m->select("Perl") or die;
$m->delete_message([$m->messages]) or die;
$m->close or die;
is($m->message_count("Perl"), 0, "delete_message and close");
$m->select("INBOX");
my $tag = $m->idle or die;
$m->done($tag) or die;
is($m->noop ? 1 : 0, 1, "idle and done");
is(scalar(grep { /STORAGE \d+ 102400/ } $m->getquotaroot("INBOX")), 1, "quota");
$m->delete("Perl") or die;
is($m->logout ? 1 : 0, 1, "logout");
"""


def perl(s, home):
    fill(s)
    with Wire(s.IMAP_PORT) as w:
        said = run("Mail::IMAPClient", [
            "perl", write(home + "/client.pl", PERL), str(w.port), s.USER1,
            s.PASS1], home)
        results = [x for x in said.splitlines() if "ok " in x[:7]]
        for line in results:
            good, _, name = line.partition(" - ")
            tap.ok(good.startswith("ok"), "Mail::IMAPClient: " + name)
        tap.equal(len(results), 23, "all of it")
        tap.equal(w.refused(), [],
                  "nothing that Mail::IMAPClient said was refused")


def curl(s, home):
    fill(s, 3)
    mail = write(home + "/mail", letter(77).decode())
    with Wire(s.IMAP_PORT) as w, Wire(s.POP3_PORT) as p:
        def ask(name, *words, scheme="imap", port=w.port):
            return run("curl: " + name, [
                "curl", "-sS", "-u", "%s:%s" % (s.USER1, s.PASS1)] + [
                    word.replace("URL", "%s://127.0.0.1:%d" % (scheme, port))
                    for word in words], home)
        tap.ok('"Work/Sub"' in ask("folders", "URL/"), "are all there")
        ask("upload", "-T", mail, "URL/Work")
        tap.ok("Subject: letter 77" in ask(
            "a message", "URL/Work;UID=2"), "is whole")
        tap.ok("body 77" in ask("a part", "URL/Work;UID=2/;SECTION=TEXT"),
               "is whole")
        tap.equal(ask("search", "URL/INBOX?SUBJECT%20%22letter%202%22").split(),
                  ["*", "SEARCH", "3"], "finds")
        tap.ok("Seen" in ask("a command", "URL/INBOX", "-X",
                             "STORE 1 +Flags \\Seen"), "is answered")
        tap.equal(w.refused(), [], "nothing that curl said was refused")
        pop = {"scheme": "pop3", "port": p.port}
        tap.equal(len(ask("POP3 list", "URL/", **pop).split()), 6, "is whole")
        tap.ok("body 1" in ask("POP3 message", "URL/2", **pop), "is whole")
        tap.ok("letter 0" in ask("POP3 TOP", "-X", "TOP 1 0", "URL/", **pop),
               "has the header")
        ask("POP3 DELE", "-X", "DELE", "-I", "URL/1", **pop)
        with s.imap() as m:
            tap.equal(m.select()[1], [b"2"], "a message has gone")


for test in (offlineimap, interimap, perl, curl):
    with Instance("disable_plaintext_auth=no", "mailbox_quota=100M") as s:
        home = s.path("home")
        os.mkdir(home)
        test(s, home)
tap.done()
