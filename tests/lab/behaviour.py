# SPDX-License-Identifier: Apache-2.0
"""What the servers do differently from the table, switched at run time.

Lines in the state directory's file "behaviour", the last one of a server wins:
  smtp HOST KIND         starttls, plain, down (drops the connection), refuses, broken, busy
  https DOMAIN KIND      a kind of the table's https= that needs no other certificate or address
  body DOMAIN TEXT       another policy file (\\r \\n escapes); without TEXT the table's again
"""

import os


class Rereader:
    """Reads a file again whenever it has changed."""

    def __init__(self, path):
        self.path, self.stamp, self.lines = path, None, []

    def changed(self):
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            return False
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        if stamp == self.stamp:
            return False
        self.stamp = stamp
        with open(self.path, encoding="utf-8") as file:
            self.lines = [line.strip() for line in file if line.strip()]
        return True


class Behaviour:
    def __init__(self, state):
        self.file = Rereader(os.path.join(state, "behaviour"))
        self.rules = {}

    def of(self, verb, name, otherwise):
        if self.file.changed():
            self.rules = {}
            for line in self.file.lines:
                what, who, *value = line.split(" ", 2)
                self.rules[what, who] = value[0] if value else None
        return self.rules.get((verb, name)) or otherwise
