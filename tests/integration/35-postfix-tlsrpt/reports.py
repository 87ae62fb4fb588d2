# SPDX-License-Identifier: Apache-2.0
"""TLSRPT datagrams: reports.py listen SOCKET FILE · reports.py check FILE

What must be in them follows from the table's facts: the policy file of the domain.
"""

import json
import os
import socket
import sys

import table as tables
from oracle import Oracle

TLSA, STS, NONE = 1, 2, 9
# Failure codes of libtlsrpt that mean "the certificate will not do".
CERTIFICATE_FAILURES = {202, 203, 204}


def listen(path, file):
    collector = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    collector.bind(path)
    os.chmod(path, 0o666)
    with open(file, "ab") as out:
        while True:
            out.write(collector.recv(65536) + b"\n")
            out.flush()


def reports_of(file):
    """recipient domain -> its policies, of all datagrams."""
    found = {}
    with open(file, encoding="utf-8") as lines:
        for line in lines:
            report = json.loads(line.replace("\x00", ""))
            found.setdefault(report["d"], []).extend(report["policies"])
    return found


def complaints_about(domain, policies, oracle):
    """One domain that asks for reports."""
    answer = oracle.answer(domain.name, "postfix-tlsrpt")
    if not policies:
        return ["no datagram"]
    first = policies[0]
    if "policy_type=sts" not in answer:
        wanted = TLSA if answer.startswith("OK dane") else NONE
        return [] if first["policy-type"] == wanted else [f"type {wanted} expected: {first}"]
    patterns = [word.partition("=")[2] for word in answer.split() if "mx_host_pattern=" in word]
    wanted = {"policy-type": STS, "policy-domain": domain.name,
              "policy-string": domain.sts.policy().split("\r\n")[:-1]}
    if patterns:
        wanted["mx-host"] = patterns
    return [f"{key}: '{value}' expected, '{first.get(key)}' found"
            for key, value in wanted.items() if first.get(key) != value]


def failure_complaint(name, policies):
    codes = {detail["c"] for policy in policies for detail in policy.get("failure-details", [])}
    return [] if codes & CERTIFICATE_FAILURES else [f"no certificate failure for {name}: {codes}"]


def check(file):
    table = tables.load()
    oracle, found, failed, asked = Oracle(table), reports_of(file), 0, 0
    for domain in table.domains:
        if not any(owner == "_smtp._tls." + domain.name for owner, _, _ in table.records):
            continue
        asked += 1
        complaints = complaints_about(domain, found.get(domain.name, []), oracle)
        if domain.name == "sts-wrong-cert.unsigned":
            complaints += failure_complaint(domain.name, found.get(domain.name, []))
        failed += bool(complaints)
        for complaint in complaints:
            print(f"{domain.name}: {complaint}")
    print(f"{asked - failed} passed, {failed} failed")
    return 1 if failed or not asked else 0


sys.exit(listen(*sys.argv[2:]) if sys.argv[1] == "listen" else check(sys.argv[2]))
