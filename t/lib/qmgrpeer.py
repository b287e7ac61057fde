"""The test in the place of qmgr: sends jobs to a deliverer, takes answers."""
import array
import re
import socket
import tempfile
import time

from alone import packet, parse

TEXT = b"Subject: x\r\n\r\n.dot\r\n..two\r\nend\r\n"


class Qmgr:
    def __init__(self, program):
        self.program = program
        self.number = 0
        self.sock = program.connect()

    def send(self, destination, rcpts=None, text=TEXT, prologue="",
             sender="from@home.test", **other):
        self.number += 1
        path = tempfile.TemporaryFile()
        path.write(b"head" + text + b"tail")
        path.flush()
        attrs = [("number", self.number), ("id", "4bZ%d" % self.number),
                 ("offset", 4), ("length", len(text)),
                 ("destination", destination), ("sender", sender),
                 ("envid", other.get("envid", "")),
                 ("ret", other.get("ret", "")),
                 ("body", other.get("body", "")),
                 ("smtputf8", other.get("smtputf8", 0)),
                 ("arrival", int(time.time() * 1e6)),
                 ("prologue", prologue)]
        rcpts = rcpts or ["to@" + destination]
        for i, r in enumerate(rcpts):
            r = (r, 0, "%", "%") if isinstance(r, str) else r
            attrs.append(("rcpt", "%d %d %s %s %s" %
                          (i, r[1], r[0], r[2], r[3])))
        self.sock.sendmsg([packet("deliver", *attrs)],
                          [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                            array.array("i", [path.fileno()]))])
        path.close()

    def take(self):
        verb, attrs = parse(self.sock.recv(131072))
        assert verb == "done"
        d = dict(attrs)
        d["results"] = []
        for name, value in attrs:
            if name == "result":
                w = [re.sub("%([0-9a-fA-F]{2})",
                            lambda m: chr(int(m.group(1), 16)), x)
                     for x in value.split(" ")]
                d["results"].append(dict(zip(
                    ("index", "status", "dsn", "flags", "relay", "reply"),
                    w)))
        return d

    def deliver(self, destination, rcpts=None, **other):
        self.send(destination, rcpts, **other)
        return self.take()

    def close(self):
        self.sock.close()


def status(d, i=0):
    r = d["results"][i]
    return r["status"], r["dsn"]
