#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A client that takes places and says nothing of use:  slow.py SOURCE PORT COUNT

Opens COUNT connections from the address SOURCE, sends an octet of a request on each every half
second, and prints "PLACES SECONDS": how many were not closed at once, and when the last one was.
"""

import select
import socket
import sys
import time

PATIENCE = 60


def dead(client):
    """The server has closed; what is sent shows it at the latest."""
    try:
        client.send(b"X")
        ready, _, _ = select.select([client], [], [], 0)
        return bool(ready) and client.recv(1) == b""
    except OSError:
        return True


def main(source, port, count):
    clients = [socket.create_connection(("127.0.0.1", port), 10, (source, 0))
               for _ in range(count)]
    for client in clients:
        client.send(b"GET /v1/policy/")
    time.sleep(2)
    begin, clients = time.monotonic(), [client for client in clients if not dead(client)]
    places = len(clients)
    print("placed", flush=True)
    while clients and time.monotonic() - begin < PATIENCE:
        time.sleep(0.5)
        clients = [client for client in clients if not dead(client)]
    print(places, round(time.monotonic() - begin), flush=True)


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
