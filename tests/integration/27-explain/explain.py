#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Inside the lab: explanations over the admin socket, against what MTAs get, and octet by octet.

  explain.py agree ADMIN MAP EXIM [--live]   every key of the table in every dialect: a line a deviation
  explain.py harmless FILE                   nothing a terminal might obey or turn round is in FILE
  explain.py in-colour FILE                  the same, but for colours, of which there must be some
  explain.py terminal FILE CMD...            runs CMD on a terminal of its own, which FILE records
"""

import http.client
import json
import os
import pty
import re
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

sys.dont_write_bytecode = True
sys.path.insert(0, os.environ["LAB_DIR"])

import exim_line  # noqa: E402
import oracle_world  # noqa: E402
import socketmap  # noqa: E402
import table as tables  # noqa: E402

AT_ONCE = 12     # fewer than the second looks that the daemon allows at a time
TRIES = 8        # until both say the same: a first contact may be under way
AGAIN = 3.0      # seconds between
PATIENCE = 70.0  # of one explanation
DIALECTS = {"postfix", "postfix-tlsrpt", "postfix-pins", "requiretls", "sts", "exim"}
TTL = re.compile(r" ttl=\d+$")
COLOUR = re.compile(rb"\x1b\[[0-9;]*m")
HARMLESS = re.compile(rb"[\n\x20-\x7e]*")


class Admin(http.client.HTTPConnection):
    """HTTP on a unix socket."""

    def __init__(self, path):
        super().__init__("sealane", timeout=PATIENCE)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def explain(admin, key, live):
    """The explanation, which must be an answer of harmless octets that parses."""
    connection = Admin(admin)
    connection.request("GET", f"/v1/explain/{quote(key, safe='')}{'?live=1' if live else ''}")
    response = connection.getresponse()
    body = response.read()
    connection.close()
    if response.status != 200:
        raise ValueError(f"{response.status} {body!r}")
    if not HARMLESS.fullmatch(body):
        raise ValueError("octets that a terminal might obey")
    return json.loads(body)


def replies(look):
    return {answer["dialect"]: answer["reply"] for answer in look["answers"]}


def live_may_differ(explanation, never_ends):
    """A policy host that hangs longer than anybody waits for an explanation."""
    return never_ends and explanation["live"]["sts"] is None


def without_cause(reply):
    """Of a name that gets no answer a resolver says nothing at first, and SERVFAIL later."""
    return re.sub(r" failed \((timeout|SERVFAIL)\)", " failed", socketmap.canonical(reply))


def answered(addresses, dialect, key):
    """What the MTA gets.  How long Exim's line holds is told beside it in an explanation."""
    if dialect != "exim":
        return socketmap.ask(addresses["map"], dialect, key)
    return TTL.sub("", exim_line.ask(addresses["exim"], "exim " + key).rstrip("\n"))


def deviations(admin, addresses, key, live, never_ends):
    explanation = explain(admin, key, live)
    if set(replies(explanation["known"])) != DIALECTS:
        yield f"{key}: the dialects are {list(replies(explanation['known']))}"
    for dialect, reply in replies(explanation["known"]).items():
        got = answered(addresses, dialect, key)
        if got != reply:
            yield f"{key} ({dialect}): '{reply}' explained, '{got}' answered"
    if not live or explanation["next_hop"] is None:
        return
    if not explanation["live"]:
        yield f"{key}: no live look"
    elif not live_may_differ(explanation, never_ends):
        for dialect, reply in replies(explanation["live"]).items():
            known = replies(explanation["known"])[dialect]
            if without_cause(known) != without_cause(reply):
                yield f"{key} ({dialect}): '{known}' known, '{reply}' live"


def judge(admin, addresses, key, live, never_ends):
    complaints = []
    for _ in range(TRIES):
        try:
            complaints = list(deviations(admin, addresses, key, live, never_ends))
        except (OSError, ValueError, KeyError, http.client.HTTPException) as error:
            complaints = [f"{key}: {error!r}"]
        if not complaints:
            break
        time.sleep(AGAIN)
    return complaints


def keys_of(table):
    for domain in table.domains:
        never_ends = bool(domain.sts) and domain.sts.https in oracle_world.NEVER_ENDS
        for key in dict.fromkeys([domain.key or domain.name, *(q.key for q in domain.questions)]):
            yield key, never_ends
    yield from ((key, False) for key in (".", "[127.0.0.1]", "\u202e\x1b[2J", "x" * 300))


def agree(admin, addresses, live):
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(lambda k: judge(admin, addresses, k[0], live, k[1]),
                                keys_of(tables.load())))
    for line in (line for complaints in results for line in complaints):
        print(repr(line))
    failed = sum(bool(complaints) for complaints in results)
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed or len(results) < 200 else 0


def harmless(path, in_colour):
    with open(path, "rb") as file:
        octets = file.read()
    if in_colour and not COLOUR.search(octets):
        print("no colours")
        return 1
    plain = COLOUR.sub(b"", octets.replace(b"\r\n", b"\n")) if in_colour else octets
    wrong = {hex(octet) for octet in plain if not HARMLESS.fullmatch(bytes([octet]))}
    print(f"{len(octets)} octets, {sorted(wrong)} among them")
    return 1 if wrong or not octets else 0


def terminal(path, command):
    with open(path, "wb") as record:
        def read(descriptor):
            octets = os.read(descriptor, 65536)
            record.write(octets)
            return octets

        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        return os.waitstatus_to_exitcode(pty.spawn(command, read))


def main(verb, *words):
    if verb == "agree":
        return agree(words[0], {"map": words[1], "exim": words[2]}, "--live" in words)
    if verb == "terminal":
        return terminal(words[0], words[1:])
    return harmless(words[0], verb == "in-colour")


sys.exit(main(*sys.argv[1:]))
