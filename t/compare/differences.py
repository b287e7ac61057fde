"""The table of explained differences: paragraphs of reasons, and below each,
indented, which differences it explains.

    Dovecot says so and so, because ….
    	dovecot  3501-6.3.1*  +OK \\[UNSEEN.*

is: of dovecot, in dialogues of that name (with * and ?), a line that only it
says and that matches the rest. "-" are lines that only we say. "cyrus,dovecot"
are both.
"""
import fnmatch
import re


class Rule:
    def __init__(self, line, reason):
        servers, self.dialogue, self.line = line.split(None, 2)
        self.servers = servers.split(",")
        self.pattern = re.compile(self.line)
        self.reason, self.used = reason, 0

    def explains(self, server, dialogue, line):
        if (server in self.servers and fnmatch.fnmatchcase(
                dialogue, self.dialogue) and self.pattern.fullmatch(line)):
            self.used += 1
            return True
        return False


class Table:
    def __init__(self, path):
        self.rules, reason, indented = [], "", True
        with open(path) as f:
            for line in f:
                if not line.strip() or line.startswith("#"):
                    continue
                if line[0] in " \t":
                    self.rules.append(Rule(line.strip(), reason))
                    indented = True
                else:
                    reason = line.strip() if indented else \
                        reason + " " + line.strip()
                    indented = False

    def reason(self, server, dialogue, line):
        for rule in self.rules:
            if rule.explains(server, dialogue, line):
                return rule.reason
        return None

    def unused(self):
        return [rule for rule in self.rules if not rule.used]
