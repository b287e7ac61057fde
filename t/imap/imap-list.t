#!/usr/bin/env python3
"""LIST with its options (RFC 5258, 5819, 6154): the RFC's own examples, and
random hierarchies beside Dovecot."""
import os
import random
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "lib"))
from alone import Tap  # noqa: E402
from imapsession import Sessions  # noqa: E402
from oracle import DOVECOT, Oracle  # noqa: E402

HIERARCHIES = 25
QUESTIONS = 12
SEED = int(os.environ.get("LIST_SEED") or random.randrange(1 << 30))
USES = {"Sent": "\\Sent", "Drafts": "\\Drafts", "Trash": "\\Trash",
        "Junk": "\\Junk", "Archive": "\\Archive"}
SETTINGS = "namespace inbox {\n inbox=yes\n separator=/\n%s}\n" % "".join(
    " mailbox %s {\n  special_use=%s\n }\n" % u for u in USES.items())

# (names, subscribed, [(command, responses)])
EXAMPLES = [
    (["Fruit", "Fruit/Apple", "Fruit/Banana", "Tofu", "Vegetable",
      "Vegetable/Broccoli", "Vegetable/Corn"],
     ["INBOX", "Fruit/Banana", "Fruit/Peach", "Vegetable",
      "Vegetable/Broccoli"], [
         # 2
         ('LIST (SUBSCRIBED) "" "*"', [
             "INBOX \\Subscribed", "Fruit/Banana \\Subscribed",
             "Fruit/Peach \\NonExistent \\Subscribed",
             "Vegetable \\Subscribed", "Vegetable/Broccoli \\Subscribed"]),
         # 3
         ('LIST () "" "%" RETURN (CHILDREN)', [
             "INBOX \\HasNoChildren", "Fruit \\HasChildren",
             "Tofu \\HasNoChildren", "Vegetable \\HasChildren"]),
         # 5
         ('LIST (REMOTE SUBSCRIBED) "" "*"', [
             "INBOX \\Subscribed", "Fruit/Banana \\Subscribed",
             "Fruit/Peach \\NonExistent \\Subscribed",
             "Vegetable \\Subscribed", "Vegetable/Broccoli \\Subscribed"]),
         # 6
         ('LIST (REMOTE) "" "*" RETURN (SUBSCRIBED)', [
             "INBOX \\Subscribed", "Fruit", "Fruit/Apple",
             "Fruit/Banana \\Subscribed", "Tofu", "Vegetable \\Subscribed",
             "Vegetable/Broccoli \\Subscribed", "Vegetable/Corn"]),
         # 7
         ('LIST "" ("INBOX" "Tofu" "Fruit/%")', [
             "INBOX", "Fruit/Apple", "Fruit/Banana", "Tofu"]),
     ]),
    # 8
    (["Foo", "Foo/Bar", "Foo/Baz", "Moo"], ["Foo/Baz"], [
        ('LIST (SUBSCRIBED) "" "%"', []),
        ('LIST (SUBSCRIBED RECURSIVEMATCH) "" "%"', ["Foo + SUBSCRIBED"]),
    ]),
    (["Foo", "Foo/Bar", "Foo/Baz", "Moo"], ["Foo", "Foo/Baz"], [
        ('LIST (SUBSCRIBED RECURSIVEMATCH) "" "%"', [
            "Foo \\Subscribed + SUBSCRIBED"])]),
    (["Foo/Bar", "Foo/Baz", "Moo"], ["Foo/Baz"], [
        ('LIST (SUBSCRIBED RECURSIVEMATCH) "" "%"', [
            "Foo \\NonExistent + SUBSCRIBED"])]),
    (["Foo", "Foo/Bar", "Moo"], [], [
        ('LIST (SUBSCRIBED RECURSIVEMATCH) "" "%"', [])]),
    (["Foo", "Foo/Bar", "Moo"], ["Foo", "Moo"], [
        ('LIST (SUBSCRIBED RECURSIVEMATCH) "" "%" RETURN (CHILDREN)', [
            "Foo \\HasChildren \\Subscribed",
            "Moo \\HasNoChildren \\Subscribed"])]),
    # 9
    (["foo2", "foo2/bar1", "foo2/bar2", "baz2", "baz2/bar2", "baz2/bar22",
      "baz2/bar222", "eps2", "eps2/mamba", "qux2/bar2"],
     ["foo2/bar1", "foo2/bar2", "baz2/bar2", "baz2/bar22", "baz2/bar222",
      "eps2", "eps2/mamba", "qux2/bar2"], [
         ('LIST (RECURSIVEMATCH SUBSCRIBED) "" "*2"', [
             "baz2/bar2 \\Subscribed", "baz2/bar22 \\Subscribed",
             "baz2/bar222 \\Subscribed", "eps2 \\Subscribed + SUBSCRIBED",
             "foo2 + SUBSCRIBED", "foo2/bar2 \\Subscribed",
             "qux2/bar2 \\Subscribed"])]),
    # 10
    (["foo"], ["foo/bar"], [
        ('LIST "" ("foo" "foo/*")', ["foo"]),
        ('LIST (SUBSCRIBED) "" "foo/*"', [
            "foo/bar \\NonExistent \\Subscribed"]),
        ('LIST (SUBSCRIBED RECURSIVEMATCH) "" foo RETURN (CHILDREN)', [
            "foo \\HasNoChildren + SUBSCRIBED"])]),
    # 11
    (["music/rock"], [], [
        ('LIST () "" %', ["INBOX", "music \\NonExistent"])]),
    # RFC 6154 section 5.1
    (["Sent", "ToDo", "Sent/2025"], [], [
        ('LIST (SPECIAL-USE) "" "*"', ["Sent \\Sent"]),
        ('LIST (SPECIAL-USE RECURSIVEMATCH) "" "%"', ["Sent \\Sent"]),
        ('LIST "" "%" RETURN (SPECIAL-USE)', [
            "INBOX", "Sent \\Sent", "ToDo"])]),
]

# RFC 5258 section 3.1, and its grammar
BAD = ['LIST (RECURSIVEMATCH) "" "*"', 'LIST (REMOTE RECURSIVEMATCH) "" "*"',
       'LIST (NONE) "" "*"', 'LIST "" "*" RETURN (NONE)', 'LIST "" ()',
       'LIST "" "*" RETURN', 'LIST "" "*" RETURN SUBSCRIBED',
       'LIST "" "*" RETURN (STATUS)', 'LIST "" "*" RETURN (STATUS (NONE))',
       'LIST (SUBSCRIBED) ""', 'LIST "" "*" RETURN () x']

tap = Tap()
rng = random.Random(SEED)
print("# LIST_SEED=%d" % SEED)


def rows(responses, command):
    """LIST responses in the notation above; only what was asked for, since
    each server may add its own."""
    found = []
    for u in responses:
        m = re.match(rb'\* LIST \(([^)]*)\) "/" ("[^"]*"|\S+)'
                     rb'(?: \("?CHILDINFO"? \(([^)]*)\)\))?$', u)
        if not m:
            if not u.startswith(b"* STATUS"):
                found.append(u.decode())
            continue
        attributes = [a for a in m.group(1).decode().split() if
                      a == "\\NonExistent" or
                      ("Children" in a and "CHILDREN" in command) or
                      (a == "\\Subscribed" and "SUBSCRIBED" in command) or
                      (a in USES.values() and "SPECIAL-USE" in command)]
        if m.group(3):
            attributes += ["+"] + sorted(
                m.group(3).decode().replace('"', "").split())
        name = m.group(2).decode().strip('"')
        found.append(" ".join([name] + sorted(
            a for a in attributes if a[0] == "\\") + [
                a for a in attributes if a[0] != "\\"]))
    return sorted(found)


def fresh(sessions):
    fresh.count = getattr(fresh, "count", 0) + 1
    sessions.maildir = sessions.folder.path("mail/joe%d" % fresh.count)
    return sessions.raw()


def fill(side, names, subscribed):
    for name in names:
        assert side.ask('CREATE "%s"' % name)[1].startswith(b"OK"), name
    for name in subscribed:
        assert side.ask('SUBSCRIBE "%s"' % name)[1].startswith(b"OK"), name


def status_names(responses):
    return sorted(u.split()[2].strip(b'"').decode() for u in responses
                  if u.startswith(b"* STATUS"))


def question():
    base = rng.choice([[], ["SUBSCRIBED"], ["SPECIAL-USE"]])
    select = base + rng.choice([[], ["REMOTE"]])
    if base == ["SUBSCRIBED"] and rng.random() < .5:
        select.append("RECURSIVEMATCH")
    rng.shuffle(select)
    # With RECURSIVEMATCH Dovecot tells of the nearest level only, and takes
    # a subscribed name for a child even if there is no such folder.
    recursive = "RECURSIVEMATCH" in select
    patterns = [rng.choice(["*", "%", "*b", "a/%", "%/%", "a*", "INBOX", "c",
                            "*/*", "%/b", "Sent*"])
                for _ in range(rng.choice([1, 1, 2, 3]))]
    if recursive:
        patterns = [rng.choice(["%", "a/%", "%/%"])]
    give = [o for o in ("CHILDREN", "SUBSCRIBED", "SPECIAL-USE",
                        "STATUS (MESSAGES)")
            if rng.random() < .4 and not (recursive and o == "CHILDREN")]
    return "LIST (%s) \"%s\" %s RETURN (%s)" % (
        " ".join(select), rng.choice(["", "", "", "a/", "c"]),
        '"%s"' % patterns[0] if len(patterns) == 1
        else "(%s)" % " ".join('"%s"' % p for p in patterns), " ".join(give))


def beside(sessions, oracle):
    """A folder that is not there cannot be subscribed to in Dovecot, so it is
    deleted afterwards; not one that has a use or children, which Dovecot
    still shows."""
    levels = ["a", "b", "c", "bb"]
    every = ["/".join(rng.choice(levels) for _ in range(rng.randrange(1, 4)))
             for _ in range(8)] + rng.sample(sorted(USES), 2)
    every = sorted(set(every))
    subscribed = [n for n in every if rng.random() < .5]
    gone = [n for n in every if rng.random() < .3 and n not in USES and
            not any(m.startswith(n + "/") for m in every)]
    r = fresh(sessions)
    oracle.copy()
    theirs = oracle.open()
    for side in r, theirs:
        fill(side, every, subscribed)
        for name in gone:
            side.ask('DELETE "%s"' % name)
    for _ in range(QUESTIONS):
        command = question()
        got, want = r.ask(command), theirs.ask(command)
        tap.equal(
            (rows(got[0], command), status_names(got[0]), got[1].split()[0]),
            (rows(want[0], command), status_names(want[0]),
             want[1].split()[0]),
            "%s with %s, subscribed %s, gone %s" % (
                command, every, subscribed, gone))
    r.close()
    theirs.close()


with Sessions() as all_sessions, Oracle(all_sessions, SETTINGS) as dovecot:
    for names, subscribed, asked in EXAMPLES:
        r = fresh(all_sessions)
        fill(r, names, subscribed)
        for command, want in asked:
            tap.equal(rows(r.ask(command)[0], command), sorted(want),
                      "%s of %s" % (command, " ".join(names)))
        r.close()
    r = fresh(all_sessions)
    for command in BAD:
        tap.ok(r.ask(command)[1].startswith(b"BAD"), command)
    # RFC 5819 section 3: no STATUS of what only has matching children
    fill(r, ["foo", "foo/x"], ["INBOX", "foo/x"])
    tap.equal(status_names(r.ask('LIST (SUBSCRIBED RECURSIVEMATCH) "" % '
                                 'RETURN (STATUS (MESSAGES))')[0]),
              ["INBOX"], "STATUS of what meets the criteria only")
    r.close()
    if os.path.exists(DOVECOT):
        for _ in range(HIERARCHIES):
            beside(all_sessions, dovecot)
tap.done()
