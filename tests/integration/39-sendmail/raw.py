# SPDX-License-Identifier: Apache-2.0
"""Sends standard input to a unix socket and prints what comes back until the end: raw.py SOCKET"""

import socket
import sys

with socket.socket(socket.AF_UNIX) as client:
    client.settimeout(20)
    client.connect(sys.argv[1])
    client.sendall(sys.stdin.buffer.read())
    client.shutdown(socket.SHUT_WR)
    while part := client.recv(65536):
        print(part.decode("ascii"), end="")
