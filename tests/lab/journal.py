# SPDX-License-Identifier: Apache-2.0
"""What the lab's servers saw, one JSON object a line, so that tests can ask."""

import json
import os
import time


class Journal:
    def __init__(self, path):
        self.file = open(path, "a", encoding="utf-8")  # pylint: disable=consider-using-with

    def write(self, **event):
        self.file.write(json.dumps({"time": round(time.time(), 3), **event}) + "\n")
        self.file.flush()


def read(state, name):
    path = os.path.join(state, name)
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]
