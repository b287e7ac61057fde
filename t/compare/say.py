"""What a server says, as lines that can be compared: what is each server's own
(texts, numbers that it chooses, the order of flags, quoted or not, a
charset that is the default) is the same in all of them."""
import hashlib
import re

from imapvalue import values

NUMBERS = ("UIDVALIDITY", "HIGHESTMODSEQ", "MAILBOXID", "APPENDUID",
           "COPYUID")
# items whose value is the server's to choose
OWN = ("MODSEQ", "EMAILID", "THREADID", "SAVEDATE", "UIDVALIDITY",
       "HIGHESTMODSEQ", "MAILBOXID")
# what an address lacks
NO_ADDRESS = "MISSING_MAILBOX|MISSING_DOMAIN|unspecified-domain"
# unordered lists follow these words
SETS = ("FLAGS", "PERMANENTFLAGS", "LIST", "LSUB")
LONG = 160


def text(v):
    """A value as it is shown."""
    if isinstance(v, list):
        return "(%s)" % " ".join(text(x) for x in v)
    atom = isinstance(v, tuple)
    shown = (v[1] if atom else v).decode("latin-1")
    if atom and (shown == "NIL" or shown[:1] == "\\"):
        return shown
    if len(shown) > LONG:
        return "{%d %s}%r" % (len(v), hashlib.sha1(v).hexdigest()[:8],
                              shown[:40])
    if re.fullmatch(r"[^\s(){%*\"\\\]]+", shown) and shown != "NIL":
        return shown
    return '"%s"' % shown.encode("unicode_escape").decode()


def word(v):
    return v[1].decode("latin-1").upper() if isinstance(v, tuple) else ""


def unordered(before, v):
    """The list after one of SETS, in the order of the alphabet."""
    if isinstance(v, list) and word(before) in SETS:
        return sorted(v, key=lambda x: text(x).lower())
    return v


def squeezed(v):
    """With one space for blanks in a row: how a folded field is unfolded."""
    if isinstance(v, list):
        return [squeezed(x) for x in v]
    return re.sub(rb"[ \t]+", b" ", v) if isinstance(v, bytes) else v


def pairs(items, lead):
    """Items of FETCH or STATUS, a line each."""
    lines = []
    for name, v in zip(items[::2], items[1::2]):
        if word(name) in OWN and v != ("atom", b"NIL"):
            v = ("atom", b"#")
        if word(name) == "ENVELOPE":
            v = squeezed(v)
        shown = text(unordered(name, v))
        if word(name) == "ENVELOPE":
            shown = re.sub(NO_ADDRESS, '""', shown)
        elif word(name) in ("BODY", "BODYSTRUCTURE"):
            shown = re.sub(NO_ADDRESS, '""', shown).lower().replace(
                "(charset us-ascii)", "nil").replace(
                    " charset us-ascii)", ")")
        elif word(name).startswith("BODY[") and shown == '""':
            shown = "NIL"
        lines.append("%s %s %s" % (lead, word(name), shown))
    return lines


def code(line):
    """OK, NO, BAD, BYE with its response code, without the text."""
    m = re.match(r"(\w+)(?: \[(.*?)\](?= |$))?", line)
    if not m.group(2):
        return m.group(1)
    words = re.sub(r"\((.*?)\)", lambda f: "(%s)" % " ".join(
        sorted(f.group(1).split(), key=str.lower)), m.group(2))
    name, _, rest = words.partition(" ")
    if name.upper() == "CAPABILITY":
        rest = ""
    elif name.upper() in ("APPENDUID", "COPYUID"):
        rest = "# " + rest.partition(" ")[2]
    elif name.upper() in NUMBERS:
        rest = "#"
    return "%s [%s]" % (m.group(1), (name.upper() + " " + rest).strip())


def lines(response):
    """The lines of one untagged response, without its star."""
    if re.match(rb"(OK|NO|BAD|BYE|PREAUTH)\b", response):
        said = code(response.decode("latin-1"))
        return [said] if "[" in said else []
    v = values(response)
    kind = word(v[0])
    if kind == "CAPABILITY":
        return ["CAPABILITY " + word(x) for x in v[1:]]
    if len(v) == 3 and word(v[1]) == "FETCH":
        return pairs(v[2], "%s FETCH" % word(v[0]))
    if kind == "STATUS":
        return pairs(v[2], "STATUS " + text(v[1]))
    if kind == "ESEARCH":
        v = [v[0]] + [x for x in v[1:] if not (
            isinstance(x, list) and x and word(x[0]) == "TAG")]
    if kind == "SEARCH":
        v[1:] = sorted(v[1:], key=lambda x: (
            isinstance(x, list), int(text(x)) if text(x).isdigit() else 0))
    if kind in ("SEARCH", "SORT", "ESEARCH"):
        return [re.sub(r"(?i)MODSEQ \d+", "MODSEQ #",
                       " ".join(text(x) for x in v))]
    return [" ".join(text(unordered(before, x)) for before, x in
                     zip([None] + v, v))]
