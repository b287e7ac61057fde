"""What servers say differently, and the reasons for it."""
import collections


def differing(ours, theirs):
    """What one says and the other does not, as "-line" and "+line"."""
    a, b = collections.Counter(ours), collections.Counter(theirs)
    return (["-" + line for line in sorted((a - b).elements())] +
            ["+" + line for line in sorted((b - a).elements())])


class Report:
    def __init__(self, table):
        self.table, self.rows = table, []

    def take(self, dialogue, server, ours, theirs):
        for (step, said), (_, other) in zip(ours, theirs):
            for line in differing(said, other):
                self.rows.append((dialogue.name, step, server.name, line,
                                  self.table.reason(server.name, dialogue.name,
                                                    step + ": " + line)))

    def print_rows(self, rows):
        before = None
        for name, step, server, line, _ in rows:
            if (name, step) != before:
                print("\n%s: %s" % (name, step))
            before = (name, step)
            print("    %-8s %s" % (server, line))

    def print(self, whole, verbose):
        count = collections.Counter(r[4] for r in self.rows)
        print("\n%d differences in %d steps:" % (
            len(self.rows), len({r[:2] for r in self.rows})))
        for reason, n in count.most_common():
            print("%6d  %s" % (n, reason or "without a reason"))
            if verbose and reason:
                self.print_rows([r for r in self.rows if r[4] == reason])
        unexplained = [r for r in self.rows if not r[4]]
        if unexplained:
            print("\nWithout a reason:")
            self.print_rows(unexplained)
        unused = self.table.unused() if whole else []
        for rule in unused:
            print("explains nothing: %s %s" % (rule.dialogue, rule.line))
        return not unexplained and not unused
