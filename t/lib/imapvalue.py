"""IMAP values as Python's: strings, lists, and ("atom", text)."""
import re


def value(data, at):
    """The IMAP value at AT as Python's, and where it ends."""
    while data[at:at + 1] == b" ":
        at += 1
    first = data[at:at + 1]
    if first == b"(":
        return a_list(data, at + 1)
    if first == b'"':
        return quoted(data, at + 1)
    if data[at:at + 2] == b"~{":
        first, at = b"{", at + 1
    if first == b"{":
        close = data.index(b"}", at)
        n = int(data[at + 1:close])
        return data[close + 3:close + 3 + n], close + 3 + n
    m = re.compile(rb"(\[[^]\r\n]*\]|[^ ()\[\r\n])+").match(data, at)
    return ("atom", m.group()), m.end()


def a_list(data, at):
    found = []
    while True:
        while data[at:at + 1] == b" ":
            at += 1
        if data[at:at + 1] == b")":
            return found, at + 1
        got, at = value(data, at)
        found.append(got)


def quoted(data, at):
    text = b""
    while data[at:at + 1] != b'"':
        at += data[at:at + 1] == b"\\"
        text += data[at:at + 1]
        at += 1
    return text, at + 1


def values(data):
    """All values of a response."""
    found, at = [], 0
    while at < len(data.rstrip()):
        got, at = value(data, at)
        found.append(got)
    return found


def answers(out):
    """{number: {item: value}} of FETCH responses."""
    found = {}
    for m in re.finditer(rb"\* (\d+) FETCH ", out):
        got = value(out, m.end())[0]
        found[int(m.group(1))] = dict(
            (k[1], v) for k, v in zip(got[::2], got[1::2]))
    return found
