"""Other days than the one of story.py: what happens is drawn with a seed.

A seed gives the same operations; when they meet is the machine's.
"""
import itertools
import random
import threading

from instance import wait_for
from story import Session, Story, Watch

LONGEST = 3     # operations in a row on one message of the queue


class Drawn(Story):
    """Draws what it does with SEED."""

    def __init__(self, seed, *rest):
        super().__init__(*rest)
        self.rng = random.Random(seed)


class Day(Drawn):
    """As always, with other messages; then sessions again."""

    def send(self, rcpts, lines=3, *rest, **more):
        if lines <= 20:
            lines = self.rng.choice([lines, 0, 9, 70, 200])
        return super().send(rcpts, lines, *rest, **more)


class Changes(Drawn):
    """Two folders and more, changed by a session while mail comes in."""

    OPERATIONS = ("append", "copy", "move", "store", "unstore", "expunge",
                  "create", "rename", "delete", "annotate", "grant")
    TIMES = 16

    def pick(self, a):
        """A message of A's folder, but none that we did not send."""
        uids = [u for u, t in sorted(a.messages.items()) if t != "a-bounce"]
        return self.rng.choice(uids) if uids else None

    def create(self, a):
        self.names += 1
        name = "Folder%d" % self.names
        assert a.m.create(name)[0] == "OK"
        self.record.fact("numbers", "alice", name, 0, 0, 0)
        self.folders.append(name)

    def rename(self, a):
        self.names += 1
        i = self.rng.randrange(len(self.folders))
        old, new = self.folders[i], "Renamed%d" % self.names
        self.record.fact("renaming", "alice", old, new)
        assert a.m.rename(old, new)[0] == "OK"
        self.record.fact("renamed", "alice", old, new)
        self.folders[i] = new

    def delete(self, a):
        name = self.folders.pop(self.rng.randrange(len(self.folders)))
        self.record.fact("deleting", "alice", name)
        assert a.m.delete(name)[0] == "OK"
        self.record.fact("deleted", "alice", name)

    def change(self, a, what):
        uid = self.pick(a)
        if what in ("create", "rename", "delete"):
            getattr(self, what)(a)
        elif what == "annotate":
            self.names += 1
            a.annotate(self.rng.choice(self.folders), "note%d" % self.names)
        elif what == "grant":
            a.grant(self.rng.choice(self.folders),
                    self.rng.choice(["l", "lr", "lrs", "lrswi"]))
        elif what == "append":
            a.append(self.rng.choice(self.folders),
                     self.rng.choice([0, 5, 40, 600]))
        elif uid is None:
            return
        elif what in ("copy", "move"):
            a.copy([uid], self.rng.choice(self.folders), move=what == "move")
        elif what == "expunge":
            a.expunge([uid])
        else:
            a.store([uid], "-FLAGS" if what == "unstore" else "+FLAGS",
                    self.rng.choice(["\\Seen", "\\Flagged", "\\Answered"]))

    def mailbox_changes(self):
        self.folders, self.names = [], 0
        a = Session(self, "alice")
        watch = Watch(self, "alice")
        others = threading.Thread(target=self.flow, args=(6,))
        others.start()
        for _ in range(self.TIMES):
            if not self.folders:
                self.create(a)
            self.change(a, self.rng.choice(self.OPERATIONS))
            a.look()
        others.join()
        watch.end()
        for name in self.folders:
            a.select(name)
            self.change(a, "store")
        a.end()

    def run(self):
        self.mail_comes()
        self.mailbox_changes()
        self.drain()


class Queue(Drawn):
    """Sequences of operations on a message of the queue."""

    OPERATIONS = ("enqueue", "defer", "deliver", "bounce", "hold", "release",
                  "remove")
    TIMES = 12

    def enqueue(self):
        self.current = self.relay("later", self.rng.choice([1, 30, 300]))
        self.deferrals += 1
        self.suite.wait_log("status=deferred", 20, self.deferrals)

    def command(self, word):
        if self.current:
            self.suite.posthorn("queue", word, self.ids[self.current])

    def defer(self):
        if self.current and not self.held:
            self.deferrals += 1
            self.command("flush")
            self.suite.wait_log("status=deferred", 20, self.deferrals)

    def deliver(self):
        self.sink.down = False
        if self.held:
            self.release()
        self.command("flush")
        self.over()
        self.sink.down = True

    def bounce(self):
        self.command("bounce")
        self.over()

    def hold(self):
        self.command("hold")
        self.held = True

    def release(self):
        self.command("release")
        self.held = False

    def remove(self):
        if self.current:
            self.record.fact("erasing", self.current, "later")
        self.command("delete")
        self.over()

    def over(self):
        """It leaves the queue."""
        if self.current:
            name = self.ids[self.current]
            wait_for(lambda: name not in self.suite.posthorn(
                "queue", "list").stdout, 20)
        self.current, self.held = None, False

    def run(self):
        self.deferrals, self.current, self.held = 0, None, False
        rows = [row for n in range(1, LONGEST + 1)
                for row in itertools.product(self.OPERATIONS, repeat=n)]
        for row in self.rng.sample(rows, self.TIMES):
            self.enqueue()
            for word in row:
                getattr(self, word)()
            self.remove()
        print("# %d of %d sequences of up to %d operations on the queue" % (
            self.TIMES, len(rows), LONGEST), flush=True)
        self.sink.down = False
        self.drain()


STORIES = {"day": Day, "changes": Changes, "queue": Queue}
