#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Inside the lab: asks a daemon as Exim does.

  exim_line.py ask ADDRESS WORD...     the answer to "exim WORD ..."; ADDRESS: a path or HOST:PORT
  exim_line.py check ADDRESS           every domain of the table against the oracle

check compares the level and the words beside it, and reads the list of hosts as Exim does: which of
the domain's MX hosts, and of hosts that an attacker would like to see in it, may be used.
"""

import os
import re
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

import oracle as oracles  # noqa: E402
import table as tables  # noqa: E402

PATIENCE = 25     # seconds; the daemon answers Exim within 18
AT_ONCE = 32
TRIES = 10
WORD = re.compile(r'([a-z]+)=(?:"([^"\\`{}]*)"|([^ "]+))(?: |$)')
FOREIGN = ["mx.evil.test", "evil.test", "mxXevil.test"]


def ask(address, request, end="\n"):
    """One request, and all that comes until the end."""
    path = address.startswith("/")
    with socket.socket(socket.AF_UNIX if path else socket.AF_INET) as client:
        client.settimeout(PATIENCE)
        client.connect(address if path else (address.split(":")[0], int(address.split(":")[1])))
        client.sendall((request + end).encode())
        client.shutdown(socket.SHUT_WR)
        parts = []
        while part := client.recv(65536):
            parts.append(part)
    return b"".join(parts).decode("ascii")


def words(line):
    """The line as a dictionary, by the grammar of docs/formats.md."""
    if not line.endswith("\n") or "\n" in line[:-1]:
        raise ValueError("not one line")
    found, at = {}, 0
    while at < len(line) - 1:
        word = WORD.match(line[:-1], at)
        if not word or word[1] in found:
            raise ValueError(f"no word at {line[at:at + 20]!r}")
        found[word[1]] = word[2] if word[2] is not None else word[3]
        at = word.end()
    if not line.startswith("level="):
        raise ValueError("level= is not the first word")
    if (found["level"] == "temp") != ("ttl" not in found) or ("ttl" in found) != (
            list(found)[-1] == "ttl"):
        raise ValueError("ttl= must be the last word of every answer but level=temp")
    return found


def ignored(items, host):
    """Exim's host list: the first item that fits decides; regular expressions only."""
    for item in items.split(" : "):
        if item == "*":
            return True
        if not re.fullmatch(r"!\^.*\$", item):
            raise ValueError(f"not an item of ours: {item}")
        if re.search(item[1:], host):
            return False
    raise ValueError("the list does not end with *")


def settled(address, key):
    """The answer; one that holds for this moment only is asked for again: a policy is under way."""
    for _ in range(TRIES):
        line = ask(address, "exim " + key)
        if not line.endswith(" ttl=0\n"):
            break
        time.sleep(0.5)
    return line


def complaint(oracle, domain, address):
    key = domain.key or domain.name
    expected = oracle.exim_level(key)
    line = settled(address, key)
    try:
        got = words(line)
        shown = " ".join([got["level"]] + [f"{k}={got[k]}" for k in ("dane", "mode") if k in got])
        if shown != expected:
            return f"{expected} expected, got {line}"
        if got["level"] == "temp":
            return None if got["reason"].startswith(key) or not key.isascii() else line
        return list_complaint(oracle.situation(key), got)
    except (ValueError, KeyError) as error:
        return f"{error!r}: {line}"


def list_complaint(situation, got):
    if got.get("mode") == "testing":
        for host in situation.hosts:
            if bool(re.search(got["match"], host.name)) != situation.matching(host):
                return f"{host.name} is misjudged by match={got['match']}"
        return None
    if (got["level"] == "secure") != ("ignore" in got):
        return "ignore= goes with level=secure"
    if "ignore" not in got:
        return None
    for host in situation.hosts:
        usable = host.state in ("DANE", "ERR") or situation.matching(host)
        if ignored(got["ignore"], host.name) == usable:
            return f"{host.name} is misjudged by {got['ignore']}"
        if not ignored(got["ignore"], "x." + host.name + ".evil.test"):
            return f"a longer name passes {got['ignore']}"
    passing = [name for name in FOREIGN if not ignored(got["ignore"], name)]
    return f"{passing} pass {got['ignore']}" if passing else None


def check(address):
    table = tables.load()
    oracle = oracles.Oracle(table)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(lambda domain: complaint(oracle, domain, address), table.domains))
    for domain, text in zip(table.domains, found):
        if text:
            print(f"{domain.name} (row {domain.row}): {text}")
    failed = sum(bool(text) for text in found)
    print(f"{len(found) - failed} passed, {failed} failed")
    return 1 if failed else 0


def main(verb, address, *rest):
    if verb == "check":
        return check(address)
    print(ask(address, " ".join(("exim", *rest))), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
