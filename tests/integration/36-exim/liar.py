# SPDX-License-Identifier: Apache-2.0
"""A server of the Exim protocol that answers whatever the file beside its socket names."""

import os
import socket
import sys

ANSWERS = {
    "empty": "",
    "cut-list": 'level=secure ignore="!^mx',
    "cut-ttl": "level=none ttl=",
    "no-ttl": "level=none\n",
    "blank": "\n",
    "html": "<html>level=none ttl=300\n",
    "temp": 'level=temp reason="as you wish"\n',
    "whole": "level=none ttl=300\n",
}


def main(path):
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    os.chmod(path, 0o666)
    server.listen(16)
    while True:
        client, _ = server.accept()
        with client:
            client.recv(1024)
            with open(path + ".lie", encoding="ascii") as file:
                client.sendall(ANSWERS[file.read().strip()].encode())


main(*sys.argv[1:])
