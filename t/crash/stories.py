"""Other days than the one of story.py: what happens is drawn with a seed.

A seed gives the same operations; when they meet is the machine's.
"""
import itertools
import random
import threading

from instance import wait_for
from story import Session, Story, Watch

LONGEST = 3     # operations in a row on one message of the queue
MANY = 18       # copies that are synced in one go: SYNC_EACH of copy.c, more


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

    OPERATIONS = ("append", "append_two", "replace", "copy", "move", "store",
                  "unstore", "keyword", "expunge", "create", "create_for",
                  "rename", "delete", "annotate", "annotate_all", "grant",
                  "revoke", "subscribe")
    MORE = 5        # of them come again
    USES = ("\\Archive", "\\Junk", "\\Sent", "\\Trash", "\\Flagged",
            "\\Important")

    @staticmethod
    def ours(a):
        """The messages of A's folder, without those that we did not send."""
        return [u for u, t in sorted(a.messages.items()) if t != "a-bounce"]

    def pick(self, a):
        return self.rng.choice(self.ours(a))

    def folder(self):
        if not self.folders:
            self.create(self.session)
        return self.rng.choice(self.folders)

    def create(self, a, use=None):
        self.names += 1
        name = "Folder%d" % self.names
        a.create(name, use)
        self.folders.append(name)

    def create_for(self, a):
        self.create(a, self.uses.pop())

    def rename(self, a):
        old = self.folder()
        self.names += 1
        new = "Renamed%d" % self.names
        self.record.fact("renaming", "alice", old, new)
        assert a.m.rename(old, new)[0] == "OK"
        self.record.fact("renamed", "alice", old, new)
        self.folders[self.folders.index(old)] = new

    def delete(self, a):
        name = self.folder()
        self.folders.remove(name)
        self.record.fact("deleting", "alice", name)
        assert a.m.delete(name)[0] == "OK"
        self.record.fact("deleted", "alice", name)

    def annotate(self, a, folder=None):
        self.names += 1
        a.annotate(folder or self.folder(), "note%d" % self.names)

    def annotate_all(self, a):
        self.annotate(a, "-")

    def grant(self, a):
        self.granted = self.folder()
        a.grant(self.granted, self.rng.choice(["l", "lr", "lrs", "lrswi"]))

    def revoke(self, a):
        if self.granted not in self.folders:
            self.grant(a)
        a.grant(self.granted, "-")

    def subscribe(self, a):
        self.subscribed = not self.subscribed
        a.subscribe(self.subscribed)

    def append(self, a):
        a.append(self.folder(), self.rng.choice([0, 5, 40, 600]))

    def append_two(self, a):
        a.send_texts("APPEND", self.folder(), 2)

    def replace(self, a, uid):
        a.replace(uid, self.folder())

    def copy(self, a, uid):
        a.copy([uid], self.folder())

    def move(self, a, uid):
        a.copy([uid], self.folder(), move=True)

    def expunge(self, a, uid):
        a.expunge([uid])

    def flag(self):
        return self.rng.choice(["\\Seen", "\\Flagged", "\\Answered"])

    def store(self, a, uid):
        a.store([uid], "+FLAGS", self.flag())

    def unstore(self, a, uid):
        a.store([uid], "-FLAGS", self.flag())

    def keyword(self, a, uid):
        a.store([uid], "+FLAGS", "Work")

    OF_MESSAGE = (replace, copy, move, expunge, store, unstore, keyword)

    def change(self, a, what):
        act = getattr(self, what)
        if act.__func__ not in self.OF_MESSAGE:
            act(a)
        elif self.ours(a):
            act(a, self.pick(a))

    def many(self, a):
        """Many messages are copied and moved at once."""
        self.create(a)
        self.create(a)
        few, many = self.folders[-2:]
        a.select("INBOX")
        uids = self.ours(a)[-6:]
        for _ in range(-(-MANY // len(uids))):
            a.copy(uids, few)
        a.select(few)
        a.copy(self.ours(a), many)
        a.copy(self.ours(a), "INBOX", move=True)

    def mailbox_changes(self):
        self.folders, self.names, self.granted = [], 0, None
        self.uses, self.subscribed = list(self.USES), False
        a = self.session = Session(self, "alice")
        watch = Watch(self, "alice")
        others = threading.Thread(target=self.flow, args=(6,))
        others.start()
        rows = self.OPERATIONS + tuple(
            self.rng.choices(self.OPERATIONS, k=self.MORE))
        for what in self.rng.sample(rows, len(rows)):
            self.change(a, what)
            a.look()
        others.join()
        watch.end()
        for name in self.folders:
            a.select(name)
            self.change(a, "store")
        self.many(a)
        a.end()

    def run(self):
        self.mail_comes()
        self.mailbox_changes()
        self.drain()


class Queue(Drawn):
    """Sequences of operations on a message of the queue."""

    OPERATIONS = ("enqueue", "defer", "deliver", "bounce", "hold", "release",
                  "remove", "requeue")
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

    def requeue(self):
        """All is done again for who has not got it."""
        if self.current and not self.held:
            self.deferrals += 1
            self.command("requeue")
            self.suite.wait_log("status=deferred", 20, self.deferrals)

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
