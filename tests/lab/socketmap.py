# SPDX-License-Identifier: Apache-2.0
"""The lab's own socketmap client, and how an answer is compared with the table's.

As a program, inside the lab:
  socketmap.py ping SOCKET               status 0 if something accepts connections there
  socketmap.py ask SOCKET DIALECT KEY    prints the answer as it comes
  socketmap.py expected DIALECT KEY      prints the table's answer
"""

import os
import re
import socket
import sys

import pki
import table as tables


def connect(address, timeout):
    """`address` is the path of a unix socket, or HOST:PORT."""
    if "/" in address:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(timeout)
        client.connect(address)
        return client
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout)


def ask(address, dialect, key, timeout=100.0):
    """One question on one connection, as Postfix asks: netstring out, netstring back."""
    request = f"{dialect} {key}".encode()
    with connect(address, timeout) as client, client.makefile("rb") as stream:
        client.sendall(b"%d:%s," % (len(request), request))
        return read_netstring(stream).decode()


def read_netstring(stream):
    digits = b""
    while (octet := stream.read(1)) != b":":
        if not octet.isdigit() or len(digits) > 6:
            raise ConnectionError("the connection ended" if not octet else "not a netstring")
        digits += octet
    payload = stream.read(int(digits))
    if stream.read(1) != b",":
        raise ConnectionError("a netstring without its comma")
    return payload


def expand(answer, domain, data):
    """Fills {policy} and {pin HOST [KIND]} of a table's answer."""
    if "{policy}" in answer:
        answer = answer.replace("{policy}", " ".join(
            f"{{ policy_string = {line.strip()} }}"
            for line in domain.sts.policy().splitlines() if line.strip()))
    return re.sub(r"\{pin ([^ }]*) ?([^}]*)\}",
                  lambda m: pki.pin(f"{data}/certs/{m[1]}.pem", m[2] or "good"), answer)


def canonical(answer):
    """The order within match= does not matter; everything else does."""
    def sort(match):
        separator = "|" if "|" in match[1] else ":"
        return "match=" + separator.join(sorted(match[1].split(separator)))

    return re.sub(r"match=(\S+)", sort, answer.strip(), count=1)


def same(expected, got):
    """TEMP needs a reason; its words are free."""
    if expected == "TEMP":
        return got.startswith("TEMP ") and bool(got[5:].strip())
    return canonical(expected) == canonical(got)


def expected(dialect, key):
    question = next(q for q in tables.load().questions() if (q.dialect, q.key) == (dialect, key))
    return expand(question.answer, question.domain, os.environ["LAB_DATA"])


def main(verb, *words):
    try:
        if verb == "ping":
            connect(words[0], 5).close()
        elif verb == "ask":
            print(ask(*words))
        else:
            print(expected(*words))
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
