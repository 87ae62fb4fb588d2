# SPDX-License-Identifier: Apache-2.0
"""Datagrams that a collector has got, one a line (35-postfix-tlsrpt/reports.py listens).

  datagrams.py sts FILE              "DOMAIN CODES" of each policy of type sts, sorted
  datagrams.py compare FILE LIBRARY  ours against those that libtlsrpt sends for the same calls

What the library is told follows from the table, and from the body that behaviour.py was given; only
the cause of a failed fetch is taken from our datagram.  "dpv" is left out where the library sends
none (0.5.0rc1).
"""

import ctypes
import json
import os
import re
import socket
import sys
import tempfile

import table as tables

STS, MISMATCH = 2, b"mtasts-policy-mx-mismatch"
VERSION = b'"dpv": "1",'


def datagrams(file):
    with open(file, "rb") as lines:
        return [line.rstrip(b"\n") for line in lines]


def sts(file):
    found = []
    for datagram in map(json.loads, datagrams(file)):
        for policy in datagram["policies"]:
            codes = [str(detail["c"]) for detail in policy.get("failure-details", [])]
            if policy["policy-type"] == STS:
                found.append(" ".join([datagram["d"]] + codes))
    print("\n".join(sorted(found)))
    return 0


class Library:
    """libtlsrpt, sending to a socket of our own."""

    def __init__(self, path):
        self.calls = ctypes.CDLL(path)
        self.folder = tempfile.TemporaryDirectory()
        name = os.path.join(self.folder.name, "socket")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(name)
        self.socket.settimeout(5)
        self.connection = ctypes.c_void_p()
        self.call("open", ctypes.byref(self.connection), name.encode())

    def call(self, name, *args):
        status = getattr(self.calls, "tlsrpt_" + name)(*args)
        if status:
            raise SystemExit(f"tlsrpt_{name}: status {status}")

    def datagram(self, domain, record, strings, patterns, failures, result):
        delivery = ctypes.c_void_p()
        self.call("init_delivery_request", ctypes.byref(delivery), self.connection, domain, record)
        self.call("init_policy", delivery, STS, domain)
        for text in strings:
            self.call("add_policy_string", delivery, text)
        for text in patterns:
            self.call("add_mx_host_pattern", delivery, text)
        for code, host, reason in failures:
            self.call("add_delivery_request_failure", delivery, code, None, host, None, None, None,
                      reason)
        self.call("finish_policy", delivery, result)
        self.call("finish_delivery_request", ctypes.byref(delivery))
        return self.socket.recv(65536)


def expected(library, ours, table, bodies, records):
    """What the library makes of what our datagram is about."""
    name = ours["d"]
    domain = next(domain for domain in table.domains if domain.name == name)
    details = ours["policies"][0]["failure-details"]
    failures = [(detail["c"], None, detail["f"].encode()) for detail in details]
    strings, patterns = [], []
    if domain.sts.mode == "testing":
        body = bodies.get(name, domain.sts.policy())
        strings = [line.encode() for line in body.splitlines()]
        patterns = [mx.encode() for mx in domain.sts.mx]
        failures = [(205, host.encode(), MISMATCH) for host in sorted(
            host for _, host in domain.mx if host not in domain.sts.mx)]
    return library.datagram(name.encode(), records[name], strings, patterns, failures, 1)


def records_of(table, file):
    """TLSRPT records by domain: the table's, and "DOMAIN TEXT" lines of those changed since."""
    records = {owner.removeprefix("_smtp._tls."): data.strip('"').encode()
               for owner, _, data in table.records if owner.startswith("_smtp._tls.")}
    with open(file, "rb") as lines:
        for line in lines:
            name, _, text = line.rstrip(b"\n").partition(b" ")
            records[name.decode()] = text
    return records


def bodies_of(file):
    """Policy files that behaviour.py was given."""
    with open(file, encoding="utf-8") as lines:
        found = [re.match(r"body (\S+) (.*)", line) for line in lines]
    return {match[1]: match[2].encode().decode("unicode_escape") for match in found if match}


def compare(file, path, changed):
    table, library, compared, failed = tables.load(), Library(path), 0, 0
    bodies = bodies_of(os.path.join(os.environ["LAB_STATE"], "behaviour"))
    records = records_of(table, changed)
    for ours in datagrams(file):
        if VERSION not in ours:
            continue  # Postfix's, by its own library
        told = json.loads(ours)
        theirs = expected(library, told, table, bodies, records)
        if VERSION not in theirs:
            ours = ours.replace(VERSION, b"", 1)
        compared += 1
        failed += ours != theirs
        if ours != theirs:
            print(f"ours:   {ours}\ntheirs: {theirs}")
    print(f"{compared - failed} passed, {failed} failed")
    return 1 if failed or not compared else 0


sys.exit(sts(sys.argv[2]) if sys.argv[1] == "sts" else compare(*sys.argv[2:]))
