"""Turning source around: each place of a C file where something is decided or
done, with what is to stand there while it is turned.

All of them are compiled in at once, and one is chosen when a program starts
(mutant.c): so a mutant costs no build, and it is known which tests reach it.
"""
import re
from dataclasses import dataclass

# What writes, syncs or changes names, and gives 0 when it has.
CALLS = ("fsync", "fdatasync", "syncfs", "sync_file_range", "rename",
         "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat",
         "ftruncate", "fallocate", "file_write", "file_pwrite",
         "file_sync_dir", "folder_sync", "folder_write",
         "folder_replace_journal", "index_commit", "index_sync",
         "index_snapshot", "index_rotate", "index_write_anew",
         "journal_make_sure", "journal_make_synced", "journal_write",
         "slot_mark_freed", "slot_mark_promised", "message_reserve",
         "message_write_journal", "message_trim", "messages_sync",
         "messages_rename", "messages_remove", "messages_create",
         "messages_link", "content_put_aside", "add_sync", "add_commit",
         "add_undo", "incoming_write", "incoming_finish", "incoming_sync",
         "sync_all", "sync_content", "sync_contents", "sync_dirs",
         "sync_name", "store_replace_file", "store_remove_tree")
# What writes and gives how much: its third argument.
COUNTED = ("write", "pwrite")

CONDITION = re.compile(r"\b(?:if|while) (?=\()")
CALL = re.compile(r"(?<![\w.>])(%s)(?=\()" % "|".join(CALLS + COUNTED))
RESULT = re.compile(r"\breturn ([^;]*);")
FUNCTION = re.compile(r"^(\w[^;{}()]*?)\b(\w+)\(", re.M)
COMPARES = re.compile(r"&&|\|\||[=!<>]=|^!| [<>] ")
CODES = {"true": "false", "false": "true", "ERR_OK": "ERR_IO"}


@dataclass
class Mutant:
    """TEXT[begin:end] gets BEFORE and AFTER, in which %d is its number."""
    name: str
    line: int
    function: str
    kind: str
    text: str
    begin: int
    end: int
    before: str
    after: str
    again: int = 1  # which of those in FUNCTION that read the same

    def key(self):
        """What stays when the lines around it change."""
        return "%s: %s: %s: %s%s" % (
            self.name, self.function, self.kind, self.text,
            " #%d" % self.again if self.again > 1 else "")


def blind(text):
    """TEXT with comments, strings and directives blanked, as long."""
    def blank(found):
        return re.sub(r"[^\n]", " ", found.group())
    return re.sub(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|"
                  r"'(?:\\.|[^'\\\n])+'|(?m:^#(?:[^\n]*\\\n)*[^\n]*)", blank, text,
                  flags=re.S)


def close_of(text, at):
    """The place behind the bracket that closes the one at AT."""
    depth = 0
    for i in range(at, len(text)):
        depth += {"(": 1, ")": -1}.get(text[i], 0)
        if depth == 0:
            return i + 1
    raise ValueError("a bracket is not closed")


def third(text):
    """The third argument of a call's brackets."""
    parts, depth, last = [], 0, 1
    for i, c in enumerate(text):
        depth += {"(": 1, ")": -1}.get(c, 0)
        if c == "," and depth == 1 or depth == 0:
            parts.append(text[last:i])
            last = i + 1
    return parts[2].strip()


def in_function(text, at):
    return text[text.rfind("\n", 0, at) + 1] == "\t"


def conditions(text):
    for found in CONDITION.finditer(text):
        begin = found.end()
        yield ("condition", begin, close_of(text, begin), "(mutant_turns(%d, ",
               "))")


def calls(text):
    for found in CALL.finditer(text):
        if not in_function(text, found.start()):
            continue
        end = close_of(text, found.end())
        done = "0"
        if found.group(1) in COUNTED:
            done = "(ssize_t)(%s)" % third(text[found.end():end])
        yield ("call", found.start(), end, "(mutant_is(%%d) ? %s : " % done,
               ")")


def results(text):
    for found in RESULT.finditer(text):
        value = found.group(1)
        begin, end = found.span(1)
        other = CODES.get(value)
        if re.match(r"(code|ERR_\w+)$|err_(sys|set)\(", value):
            other = other or "ERR_OK"
        if other:
            yield "result", begin, end, "mutant_is(%%d) ? %s : " % other, ""
        elif not COMPARES.search(value) or "?" in value:
            continue
        elif "bool" in function_at(text, begin)[0].split():
            yield "result", begin, end, "mutant_turns(%d, (", "))"
        else:  # an order, below, at or above 0
            yield ("order", begin, end, "(mutant_is(%d) ? -1 : 1) * (", ")")


def function_at(seen, at):
    """The function around AT, whose bracket is in column 0: what it gives, and
    its name."""
    return FUNCTION.findall(seen[:seen.rfind("\n{\n", 0, at)])[-1]


def find(name, text):
    """All mutants of the file NAME with TEXT."""
    seen, times = blind(text), {}
    for turn in (conditions, calls, results):
        for kind, begin, end, before, after in turn(seen):
            m = Mutant(name, text.count("\n", 0, begin) + 1,
                       function_at(seen, begin)[1], kind,
                       " ".join(text[begin:end].split()), begin, end,
                       before, after)
            key = m.key()
            m.again = times[key] = times.get(key, 0) + 1
            yield m


def known(text):
    """A table of mutants that may survive: the reason for each key. A line
    that begins with a blank is the reason for those above it."""
    reasons, waiting = {}, []
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if not line[0].isspace():
            waiting.append(line)
            continue
        reasons.update(dict.fromkeys(waiting, line.strip()))
        waiting = []
    if waiting:
        raise ValueError("no reason is given for " + waiting[0])
    return reasons


def turned(name, text, numbered):
    """TEXT with the mutants NUMBERED [(number, mutant)] in it."""
    put = []
    for number, m in numbered:
        size = m.end - m.begin
        before = m.before % number
        put.append((m.begin, 1, -size, before.replace("%%", "%")))
        put.append((m.end, 0, size, m.after))
    out, at = [], 0
    # what ends ends before what begins; the wider is outside
    for place, _, _, piece in sorted(put, key=lambda p: p[:3]):
        out += text[at:place], piece
        at = place
    return '#include "base/mutant.h"\n#line 1 "%s"\n' % name + "".join(
        out) + text[at:]
