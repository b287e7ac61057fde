"""Is a server's response what the grammar says (RFC 3501 and 9051 section 9,
with the extensions that we have)? Written from the RFCs, for no answer of
another shape to pass unseen in any test.

    complain(b"* STATUS INBOX (MESSAGES 1) \\r\\n")     what is wrong, or None

To a client that has enabled UIDONLY (RFC 9586) no response has the number of a
message.
"""
import re

ATOM = re.compile(rb"[^(){ \x00-\x1f\x7f-\xff%*\"\\\]]+")
ASTRING_ATOM = re.compile(rb"[^(){ \x00-\x1f\x7f-\xff%*\"\\]+")
FLAG = re.compile(rb"\\?[^(){ \x00-\x1f\x7f-\xff%*\"\\\]]+")
QUOTED = re.compile(rb'"((?:[^"\\\r\n\0]|\\["\\])*)"')
LITERAL = re.compile(rb"(~?)\{(\d+)\}\r\n")
SECTION = re.compile(rb"\[[^]\r\n]*\](<\d+>)?")
DATE = re.compile(rb'"( \d|\d\d)-(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|'
                  rb'Dec)-\d{4} \d\d:\d\d:\d\d [+-]\d{4}"')
SET = re.compile(rb"(\d+(:\d+)?)(,\d+(:\d+)?)*")
CODE = re.compile(rb"\[([A-Z0-9-]+)( (?:[^]\"\r\n]|\"(?:[^\"\\]|\\.)*\")+)?\]")
THREAD_PART = re.compile(rb"\((?=[1-9(])|\)(?=[()\r])|"
                         rb"[1-9]\d*( [1-9]\d*)*( (?=\()|(?=\)))")
STATUS = (b"MESSAGES", b"RECENT", b"UIDNEXT", b"UIDVALIDITY", b"UNSEEN",
          b"SIZE", b"HIGHESTMODSEQ", b"APPENDLIMIT", b"DELETED",
          b"DELETED-STORAGE")


class Wrong(Exception):
    pass


class Parser:
    def __init__(self, data, utf8, uidonly):
        self.data, self.at, self.utf8 = data, 0, utf8
        self.uidonly = uidonly

    def wrong(self, wanted):
        raise Wrong("%s expected at %d, before %r" % (
            wanted, self.at, self.data[self.at:self.at + 40]))

    def next(self, text):
        return self.data.startswith(text, self.at)

    def take(self, text):
        if not self.next(text):
            self.wrong(text)
        self.at += len(text)

    def match(self, pattern, wanted):
        m = pattern.match(self.data, self.at)
        if not m:
            self.wrong(wanted)
        self.at = m.end()
        return m.group()

    def number(self):
        return int(self.match(re.compile(rb"\d+"), "number"))

    def nz(self):
        if self.number() == 0:
            self.wrong("a number above 0, got 0")

    def quoted(self):
        text = self.match(QUOTED, "quoted string")
        if not self.utf8 and any(c > 127 for c in text):
            raise Wrong("8 bits in a quoted string: %r" % text)
        return text

    def string(self, eight=False):
        if self.next(b'"'):
            return self.quoted()
        m = LITERAL.match(self.data, self.at)
        if not m:
            self.wrong("string")
        self.at = m.end() + int(m.group(2))
        text = self.data[m.end():self.at]
        if m.group(1) and not eight:
            raise Wrong("literal8 where none may be")
        if not m.group(1) and b"\0" in text:
            raise Wrong("NUL in a literal")
        return text

    def nstring(self, eight=False):
        return self.nil() or self.string(eight)

    def nil(self):
        if re.compile(rb"NIL(?=[ )\r\]]|$)").match(self.data, self.at):
            self.at += 3
            return b"NIL"
        return None

    def astring(self):
        if self.next(b'"') or self.next(b"{"):
            return self.string()
        return self.match(ASTRING_ATOM, "astring")

    def mailbox(self):
        name = self.astring()
        if name.strip(b'"').upper() == b"INBOX" and \
                name.strip(b'"') != b"INBOX":
            raise Wrong("INBOX is spelt %r" % name)

    def items(self, item, least=0, between=b" "):
        """A list in parentheses, of LEAST items."""
        self.take(b"(")
        n = 0
        while not self.next(b")"):
            if n > 0:
                self.take(between)
            item()
            n += 1
        self.take(b")")
        if n < least:
            raise Wrong("an empty list")

    def flags(self):
        self.items(lambda: self.match(FLAG, "flag"))

    # ENVELOPE and BODYSTRUCTURE

    def sp(self, *parts):
        for part in parts:
            self.take(b" ")
            part()

    def address(self):
        self.take(b"(")
        self.nstring()
        self.sp(self.nstring, self.nstring, self.nstring)
        self.take(b")")

    def addresses(self):
        self.nil() or self.items(self.address, 1, b"")

    def envelope(self):
        self.take(b"(")
        self.nstring()
        self.sp(self.nstring, *[self.addresses] * 6)
        self.sp(self.nstring, self.nstring)
        self.take(b")")

    def parameters(self):
        def pair():
            self.string()
            self.sp(self.string)
        self.nil() or self.items(pair, 1)

    def disposition(self):
        if not self.nil():
            self.take(b"(")
            self.string()
            self.sp(self.parameters)
            self.take(b")")

    def language(self):
        if self.next(b"("):
            self.items(self.string, 1)
        else:
            self.nstring()

    def extensions(self, *first):
        for part in first + (self.disposition, self.language, self.nstring):
            if not self.next(b" "):
                return
            self.sp(part)

    def body(self):
        self.take(b"(")
        if self.next(b"("):
            while self.next(b"("):
                self.body()
            self.sp(self.string)
            self.extensions(self.parameters)
        else:
            self.part()
        self.take(b")")

    def part(self):
        kind = self.string().strip(b'"').lower()
        self.take(b" ")
        sub = self.string().strip(b'"').lower()
        self.sp(self.parameters, self.nstring, self.nstring, self.string,
                self.number)
        if kind == b"text":
            self.sp(self.number)
        elif (kind, sub) == (b"message", b"rfc822") or (
                (kind, sub) == (b"message", b"global") and
                re.compile(rb" \((NIL|\"|\{)").match(self.data, self.at)):
            self.sp(self.envelope, self.body, self.number)
        self.extensions(self.nstring)

    # responses

    def date(self):
        self.nil() or self.match(DATE, "date and time")

    def id(self):
        self.nil() or self.items(lambda: self.match(ATOM, "id"), 1)

    def fetch_item(self):
        name = self.match(re.compile(rb"[A-Z0-9.]+"), "item")
        if name in (b"BODY", b"BINARY") and self.next(b"["):
            self.match(SECTION, "section")
            self.sp(lambda: self.nstring(name == b"BINARY"))
        elif name == b"BINARY.SIZE":
            self.match(SECTION, "section")
            self.sp(self.number)
        else:
            if name not in self.FETCH:
                raise Wrong("no item is called %r" % name)
            self.sp(lambda: self.FETCH[name](self))

    FETCH = {
        b"FLAGS": flags, b"ENVELOPE": envelope, b"INTERNALDATE": date,
        b"RFC822": nstring, b"RFC822.HEADER": nstring,
        b"RFC822.TEXT": nstring, b"RFC822.SIZE": number, b"BODY": body,
        b"BODYSTRUCTURE": body, b"UID": nz, b"SAVEDATE": date,
        b"PREVIEW": nstring, b"EMAILID": id, b"THREADID": id,
        b"MODSEQ": lambda self: self.items(self.number, 1)}

    def text(self):
        """resp-text: a code, and some text in any case."""
        if self.next(b"["):
            code = self.match(CODE, "response code")
            if self.uidonly and code.startswith(b"[UNSEEN "):
                raise Wrong("UNSEEN has a number")
            self.take(b" ")
        if not re.compile(rb"[^\r\n\0]+\r\n$").match(self.data, self.at):
            self.wrong("text")
        self.at = len(self.data) - 2

    def list(self):
        self.sp(self.flags)
        self.take(b" ")
        self.nil() or self.quoted()
        self.sp(self.mailbox)
        if self.next(b" "):
            self.sp(lambda: self.items(self.any))

    def any(self):
        """A value of any kind."""
        if self.next(b"("):
            self.items(self.any)
        elif self.next(b'"') or LITERAL.match(self.data, self.at):
            self.string(True)
        else:
            self.match(re.compile(rb"[^() \x00-\x1f\x7f\"]+"), "value")

    def values(self):
        while self.next(b" "):
            self.sp(self.any)

    def status(self):
        def one():
            name = self.match(ATOM, "item")
            if name not in STATUS and name != b"MAILBOXID":
                raise Wrong("no item is called %r" % name)
            self.sp(self.id if name == b"MAILBOXID" else
                    lambda: self.nil() or self.number())
        self.sp(self.mailbox, lambda: self.items(one))

    def esearch(self):
        if self.uidonly and not re.compile(rb"( \([^)]*\))? UID").match(
                self.data, self.at):
            self.wrong("UID")
        self.values()

    def search(self):
        while self.next(b" ") and not self.next(b" ("):
            self.sp(self.nz)
        if self.next(b" ("):
            self.take(b" (MODSEQ ")
            self.nz()
            self.take(b")")

    def threads(self):
        """thread-list: numbers, and below them two lists or none; a chain of
        them may be longer than the stack is deep."""
        if not self.next(b" "):
            return
        self.take(b" ")
        lists = []
        while True:
            part = self.match(THREAD_PART, "thread")
            if part == b"(":
                lists.append(0)
            elif part == b")":
                if lists.pop() == 1:
                    raise Wrong("one list within a list")
                if not lists and not self.next(b"("):
                    return
                if lists:
                    lists[-1] += 1

    def vanished(self):
        if self.next(b" ("):
            self.take(b" (EARLIER)")
        self.sp(lambda: self.match(SET, "set"))

    def of_mailbox(self):
        self.sp(self.mailbox)
        self.values()

    def atoms(self):
        while self.next(b" "):
            self.sp(lambda: self.match(ATOM, "atom"))

    def quotaroot(self):
        self.sp(self.mailbox)
        while self.next(b" "):
            self.sp(self.astring)

    KINDS = {
        b"OK": text, b"NO": text, b"BAD": text, b"BYE": text,
        b"PREAUTH": text, b"CAPABILITY": atoms, b"ENABLED": atoms,
        b"FLAGS": lambda self: self.sp(self.flags), b"LIST": list,
        b"LSUB": list, b"STATUS": status, b"SEARCH": search, b"SORT": search,
        b"THREAD": threads, b"VANISHED": vanished, b"ESEARCH": esearch,
        b"QUOTAROOT": quotaroot, b"METADATA": of_mailbox, b"ACL": of_mailbox,
        b"MYRIGHTS": of_mailbox, b"LISTRIGHTS": of_mailbox}

    def response(self):
        if self.next(b"+"):
            self.match(re.compile(rb"\+ [^\r\n]*"), "continuation")
        elif self.next(b"* "):
            self.at = 2
            self.untagged()
        else:
            self.match(re.compile(rb"[^\s+*(){%\"\\]+ (?=(OK|NO|BAD) )"),
                       "a tag and its result")
            self.match(ATOM, "result")
            self.take(b" ")
            self.text()
        self.take(b"\r\n")
        if self.at != len(self.data):
            self.wrong("the end")

    def untagged(self):
        if self.data[2:3].isdigit():
            self.number()
            self.take(b" ")
            kind = self.match(ATOM, "response")
            if kind == (b"UIDFETCH" if self.uidonly else b"FETCH"):
                self.sp(lambda: self.items(self.fetch_item, 1))
            elif kind not in (b"EXISTS", b"RECENT") and \
                    (kind != b"EXPUNGE" or self.uidonly):
                self.wrong("EXISTS, RECENT, EXPUNGE or FETCH")
            return
        kind = self.match(ATOM, "response")
        if self.KINDS.get(kind) is Parser.text:
            self.take(b" ")
        self.KINDS.get(kind, Parser.values)(self)


def complain(response, utf8=False, uidonly=False):
    """What is wrong with a RESPONSE, None if nothing; quoted strings may hold
    UTF8 when the client has asked for that."""
    try:
        Parser(response, utf8, uidonly).response()
        return None
    except Wrong as e:
        return "%s in %r" % (e, response[:300])
