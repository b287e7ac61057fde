"""Crowds of SMTP clients that say a part of what they should, and then stall
or drip, in a thread beside the test."""
import itertools
import selectors
import socket
import threading
import time


class Puppet:
    """Says the next of LINES (bytes) with each reply, and after the last one
    the pieces of DRIP, again and again."""

    def __init__(self, port, source, lines, drip=()):
        self.todo, self.drip = list(lines), itertools.cycle(drip)
        self.heard, self.over = b"", False
        self.sock = socket.socket()
        self.sock.setblocking(False)
        self.sock.bind((source, 0))
        self.sock.connect_ex(("127.0.0.1", port))

    def on_input(self):
        try:
            data = self.sock.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.heard += data
        self.over = not data
        # a reply is whole, and asks for what comes next
        last = self.heard.split(b"\r\n")[-2:]
        if len(last) == 2 and not last[1] and last[0][3:4] == b" " and \
                self.todo:
            self.send(self.todo.pop(0))

    def on_time(self):
        piece = b"" if self.todo else next(self.drip, b"")
        if piece:
            self.send(piece)

    def send(self, data):
        try:
            self.sock.send(data)
        except BlockingIOError:
            pass
        except OSError:
            self.over = True


class Crowd(threading.Thread):
    """TOTAL of them, MAKE(n) each; each drips every PAUSE seconds. Who is sent
    away comes back."""

    def __init__(self, make, total, pause):
        super().__init__(daemon=True)
        self.make, self.total, self.pause = make, total, pause
        self.stop, self.sent_away = False, 0
        self.all = {}
        self.start()

    def add(self, n):
        self.all[n] = self.make(n)
        self.sel.register(self.all[n].sock, selectors.EVENT_READ, n)

    def replace(self, n):
        self.sel.unregister(self.all[n].sock)
        self.all[n].sock.close()
        self.sent_away += 1
        self.add(n)

    def run(self):
        self.sel = selectors.DefaultSelector()
        for n in range(self.total):
            self.add(n)
        dripped = 0
        while not self.stop:
            for key, _ in self.sel.select(0.05):
                self.all[key.data].on_input()
            for n in [n for n, p in self.all.items() if p.over]:
                self.replace(n)
            if time.monotonic() - dripped >= self.pause:
                dripped = time.monotonic()
                for p in self.all.values():
                    p.on_time()
        for p in self.all.values():
            p.sock.close()

    def stalls(self):
        """How many have said all."""
        return sum(not p.todo for p in list(self.all.values()))

    def end(self):
        self.stop = True
        self.join()
