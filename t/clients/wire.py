"""A relay between a client and a server, which keeps what both say.

    with Wire(s.IMAP_PORT) as w:
        ...a client on w.port...
        w.refused()         tagged BAD and NO, with the commands
"""
import re
import socket
import threading


class Wire:
    def __init__(self, port):
        self.server, self.said = port, []

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *what):
        self.listener.close()

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.server))
            both = (bytearray(), bytearray())
            self.said.append(both)
            for a, b, kept in ((client, server, both[0]),
                               (server, client, both[1])):
                threading.Thread(target=self.copy, args=(a, b, kept),
                                 daemon=True).start()

    @staticmethod
    def copy(a, b, kept):
        try:
            while data := a.recv(65536):
                kept += data
                b.sendall(data)
        except OSError:
            pass
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def commands(self):
        """All that clients have said."""
        return b"".join(bytes(c) for c, _ in self.said)

    def refused(self, but=()):
        """(command, answer) of all that was refused, BUT answers that contain
        one of these words."""
        found = []
        for client, server in self.said:
            for tag, answer in re.findall(
                    rb"(?m)^(\S+) ((?:BAD|NO) .*?)\r$", bytes(server)):
                command = re.search(rb"(?m)^%s (.*?)\r$" % re.escape(tag),
                                    bytes(client))
                if not any(word in answer for word in but):
                    found.append((command and command.group(1), answer))
        return found
