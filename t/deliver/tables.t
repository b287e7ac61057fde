#!/usr/bin/env python3
"""newaliases, and Postfix's postmap and postalias as the oracle: each reads
the databases of the other, and lookups agree."""
import os
import resource
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import BIN, Tap  # noqa: E402

tap = Tap()
ALIASES = """\
# a comment
root: alice, bob,
  carol
"john doe": jd@example.org
Cmd: "|/bin/cmd -a, b"
"""


def run(*argv, **how):
    env = dict(os.environ, POSTHORN_CONFIG=how.pop("conf", "/dev/null"))
    return subprocess.run(argv, capture_output=True, text=True, timeout=60,
                          env=env, **how)


with tempfile.TemporaryDirectory() as d:
    source, conf = d + "/aliases", d + "/posthorn.conf"
    with open(source, "w") as f:
        f.write(ALIASES)
    with open(conf, "w") as f:
        f.write("myhostname = h.example.test\nalias_maps = hash:%s\n"
                % source)
    os.chmod(source, 0o640)
    done = run(BIN + "/newaliases", conf=conf)
    tap.equal((done.returncode, done.stderr), (0, ""),
              "newaliases builds the database, and says nothing")
    tap.equal(os.stat(source + ".db").st_mode & 0o777, 0o640,
              "with the mode of its text")
    first = os.stat(source + ".db").st_ino
    done = run(BIN + "/sendmail", "-bi", "-C", conf)
    tap.ok(os.stat(source + ".db").st_ino != first,
           "sendmail -bi puts a new one in its place")
    tap.equal(sorted(os.listdir(d)),
              ["aliases", "aliases.db", "posthorn.conf"],
              "nothing else is left")
    # python ignores SIGXFSZ, and with this so do its children: a full disk
    done = run(BIN + "/newaliases", conf=conf, restore_signals=False,
               preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE,
                                                     (100, 100)))
    tap.ok(done.returncode != 0 and source + ".db" in done.stderr and
           "File too large" in done.stderr,
           "one that cannot be written: its name, and why")
    tap.equal(sorted(os.listdir(d)),
              ["aliases", "aliases.db", "posthorn.conf"],
              "and the former one is there, nothing else")
    with open(source, "a") as f:
        f.write("broken\n")
    done = run(BIN + "/newaliases", conf=conf)
    tap.equal(done.returncode, 0, "a faulty line is left out")
    tap.ok("aliases:6: expected: name: targets" in done.stderr,
           "and named with file and line")
    done = run(BIN + "/newaliases", "-oA" + d + "/none", conf=conf)
    tap.equal(done.returncode, 66, "no such file: 66")
    tap.ok("none: No such file" in done.stderr, "which says its name")
    for argv in ([BIN + "/newaliases"], [BIN + "/sendmail", "-bi"]):
        done = run(*argv, conf="/dev/null")
        tap.equal(done.returncode, 0, "nothing to do is fine")
    postmap = shutil.which("postmap") or "/usr/sbin/postmap"
    if os.path.exists(postmap):
        main = d + "/postfix"
        os.mkdir(main)
        open(main + "/main.cf", "w").close()
        for key, want in [("root", "alice, bob,  carol"),
                          ("john doe", "jd@example.org"),
                          ("cmd", '"|/bin/cmd -a, b"'), ("none", "")]:
            done = run(postmap, "-c", main, "-q", key, "hash:" + source)
            tap.equal(" ".join(done.stdout.split()), " ".join(want.split()),
                      "postmap reads ours: " + key)
tap.done()
