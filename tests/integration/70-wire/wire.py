# SPDX-License-Identifier: Apache-2.0
"""Speaks to a socketmap server as Postfix would not: wire.py SOCKET"""

import socket
import sys

import socketmap

PATIENCE = 60
CONNECTIONS = 2000
JUNK = [b"x", b":", b"-1:a,", b"3:abc;", b"\0\0\0\0", b"GET / HTTP/1.1\r\n\r\n", b"99999999999:"]


def netstring(text):
    return b"%d:%s," % (len(text), text)


def pipelined(path):
    """Five requests in one write: the replies come in the order of the questions."""
    keys = [b"policy-slow.unsigned", b"dane-good.test", b".dane-good.test",
            b"sts-good.unsigned", b"no-policy.test"]
    with socketmap.connect(path, PATIENCE) as client, client.makefile("rb") as stream:
        client.sendall(b"".join(netstring(b"postfix " + key) for key in keys))
        got = [socketmap.read_netstring(stream).decode().strip() for _ in keys]
    wanted = [socketmap.expected("postfix", key.decode()) for key in keys]
    return None if got == wanted else f"{wanted} expected, got {got}"


def piecemeal(path):
    """One request, an octet at a time."""
    with socketmap.connect(path, PATIENCE) as client, client.makefile("rb") as stream:
        for octet in netstring(b"postfix dane-good.test"):
            client.sendall(bytes([octet]))
        got = socketmap.read_netstring(stream)
    return None if got == b"OK dane-only" else f"got {got}"


def junk(path):
    """After junk the connection is closed, without a reply that Postfix could take for one."""
    for text in JUNK:
        with socketmap.connect(path, PATIENCE) as client:
            client.sendall(text + b"\n" * 32)
            try:
                got = client.recv(4096)
            except ConnectionResetError:
                continue
            if got:
                return f"{text!r} was answered by {got!r}"
    return None


def odd_keys(path):
    """Keys that are no domain: NOTFOUND or TEMP, and the connection lives on."""
    keys = [b"", b" ", b"a b", b"\xff\xfe", b"x" * 9000, b"..", b"[", b"[]:25", b"a:99999",
            "\u202e.test".encode(), b"a\0b", b"*.test"]
    with socketmap.connect(path, PATIENCE) as client, client.makefile("rb") as stream:
        for key in keys:
            client.sendall(netstring(b"postfix " + key))
            got = socketmap.read_netstring(stream)
            if not got.startswith((b"NOTFOUND", b"TEMP ")):
                return f"{key[:40]!r} was answered by {got!r}"
    return None


def crowd(path):
    """2,000 connections at a time, each with its answer."""
    clients = [socketmap.connect(path, PATIENCE) for _ in range(CONNECTIONS)]
    request, wanted = netstring(b"postfix dane-good.test"), netstring(b"OK dane-only")
    for client in clients:
        client.sendall(request)
    right = sum(client.recv(len(wanted), socket.MSG_WAITALL) == wanted for client in clients)
    for client in clients:
        client.close()
    return None if right == CONNECTIONS else f"{right} of {CONNECTIONS} got their answer"


def main(path):
    failed = 0
    for check in (pipelined, piecemeal, junk, odd_keys, crowd):
        try:
            complaint = check(path)
        except OSError as error:
            complaint = repr(error)
        if complaint:
            failed += 1
            print(f"not so: {check.__doc__} {complaint}")
    return 1 if failed else 0


sys.exit(main(sys.argv[1]))
