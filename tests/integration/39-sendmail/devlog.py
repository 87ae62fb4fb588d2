# SPDX-License-Identifier: Apache-2.0
"""Writes what comes to a log socket into a file: devlog.py SOCKET FILE"""

import os
import socket
import sys


def main(path, log):
    reader = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    reader.bind(path)
    os.chmod(path, 0o666)
    with open(log, "w", encoding="utf-8", errors="replace") as file:
        while True:
            file.write(reader.recv(65536).decode("utf-8", "replace").rstrip("\0\n") + "\n")
            file.flush()


main(*sys.argv[1:])
