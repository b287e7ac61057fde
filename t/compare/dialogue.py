"""Dialogues: read from a text, and played with a server.

    = name          a dialogue, with a mailbox of its own
    ! login         nobody is logged in
    put a b         messages of those names into INBOX, to begin with
    SELECT INBOX    a command of the first session
    2 NOOP          of the second
    IDLE, DONE      … reads what comes until it may go on
    expect EXISTS   waits for a response with this word
    let m           $m is from now on what $modseq is here

In a command @name is that message as a literal, $modseq and $uidvalidity what
the server said last. Lines that begin with # are for the reader.
"""
import re
import socket

from imapsession import Raw
from servers import connect
from say import code, lines


class Dialogue:
    peers = ("dovecot", "cyrus")

    def __init__(self, name):
        self.name, self.steps, self.login, self.put = name, [], False, []


def parse(text):
    found = []
    for line in text.splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("= "):
            found.append(Dialogue(line[2:]))
        elif line == "! login":
            found[-1].login = True
        elif line.startswith("put "):
            found[-1].put += line.split()[1:]
        else:
            found[-1].steps.append(line)
    return found


class Play:
    """One dialogue with one server."""

    def __init__(self, server, user, messages):
        self.server, self.user, self.messages = server, user, messages
        self.sessions, self.idling = {}, {}
        self.known = {"modseq": "1", "uidvalidity": "1"}

    def session(self, number, login=False):
        if number not in self.sessions:
            self.sessions[number] = (
                Raw(connect(self.server.imap_port)) if login
                else self.server.imap(self.user))
        return self.sessions[number]

    def run(self, dialogue):
        """[(step, lines)] of all steps."""
        try:
            self.begin(dialogue)
            return [(step, self.step(step)) for step in dialogue.steps
                    if not step.startswith("let ") or self.let(step)]
        finally:
            self.close()

    def close(self):
        for r in self.sessions.values():
            r.close()

    def begin(self, dialogue):
        r = self.session("1", dialogue.login)
        for name in dialogue.put:
            said = r.ask(self.filled("APPEND INBOX \"24-Nov-2026 02:00:00 "
                                     "+0000\" @" + name))[1]
            assert said.startswith(b"OK"), (name, said)

    def let(self, step):
        self.known[step.split()[1]] = self.known["modseq"]

    def filled(self, command):
        out = b""
        for part in re.split(r"(@[a-z0-9]+|\$[a-z0-9]+)", command):
            if part[:1] == "@" and part[1:] in self.messages:
                data = self.messages[part[1:]]
                out += b"{%d+}\r\n%s" % (len(data), data)
            elif part[:1] == "$" and part[1:] in self.known:
                out += self.known[part[1:]].encode()
            else:
                out += part.encode("utf-8")
        return out

    def step(self, step):
        number, _, command = step.partition(" ")
        if number not in ("1", "2", "3"):
            number, command = "1", step
        r = self.session(number)
        try:
            said = self.say(r, number, command)
        except (socket.timeout, OSError):
            return ["(no answer)"]
        for response in said:
            for name, n in re.findall(rb"(UIDVALIDITY|HIGHESTMODSEQ) (\d+)",
                                      response):
                self.known["modseq" if name[0] == 72 else
                           "uidvalidity"] = n.decode()
        return [line for response in said for line in self.shown(response)]

    @staticmethod
    def shown(response):
        response = response.rstrip(b"\r\n")
        if response.startswith(b"* "):
            try:
                return lines(response[2:])
            except (AttributeError, IndexError, ValueError):
                return ["(does not parse) %r" % response]
        if response.startswith(b"+"):
            return ["+"]
        return ["-> " + code(response.partition(b" ")[2].decode("latin-1"))
                if response else "(closed)"]

    def say(self, r, number, command):
        """Sends COMMAND; the responses up to where it may go on."""
        if command.startswith("expect "):
            return self.until(r, command[7:].encode())
        if command == "DONE":
            r.send(b"DONE\r\n")
            return r.until(self.idling.pop(number))
        r.tags += 1
        tag = "t%d" % r.tags
        r.send(tag.encode() + b" " + self.filled(command) + b"\r\n")
        if command == "IDLE":
            self.idling[number] = tag
            return self.until(r, b"+", (tag + " ").encode())
        return r.until(tag)

    @staticmethod
    def until(r, *words):
        out = []
        while not out or out[-1] and not any(w in out[-1] for w in words):
            out.append(r.line())
        return out
