#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Inside the lab: kills the daemon under load, again and again, and looks what is left.

  crash.py --rounds N [--seed N] --config FILE --store FILE --map SOCKET --log FILE

A round: the daemon starts, with an empty store or with that of the round before; clients ask for all
domains of the lab that have a policy; after a random moment it is killed.  Then all policy hosts
are dead, and the next daemon must give, to whatever was answered "OK secure", the same answer; and
its row must be there.  Prints what failed and ends with "N checks, N failed".
"""

import argparse
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "lab"))
sys.dont_write_bytecode = True

import socketmap  # noqa: E402
import table as tables  # noqa: E402

CLIENTS = 8
START_PATIENCE = 20.0  # seconds until the daemon must accept
ANSWER_PATIENCE = 40.0
LONGEST_LOAD = 0.9     # seconds until the kill, at most: by then all domains are known
TAKEN_BACK = re.compile(r"^max_age: *0\r?$", re.MULTILINE)  # used for five minutes, and not kept


class Crash:
    def __init__(self, arguments):
        self.arguments = arguments
        self.random = random.Random(arguments.seed)
        self.checks, self.failures = 0, 0
        self.daemon = None
        self.known = {}  # what an answer relied on, and the answer
        self.most = 0
        self.domains = sorted({q.key for q in tables.load().questions()
                               if q.dialect == "postfix" and q.answer.startswith("OK secure")
                               and q.domain.sts and q.domain.name == q.key
                               and not TAKEN_BACK.search(q.domain.sts.policy())})
        self.behaviour = os.path.join(os.environ["LAB_STATE"], "behaviour")

    def check(self, good, text):
        self.checks += 1
        if not good:
            self.failures += 1
            print("not so:", text, flush=True)

    # ---- the daemon

    def start(self):
        with open(self.arguments.log, "ab") as log:
            self.daemon = subprocess.Popen(
                [os.environ["SEALANED"], "--config", self.arguments.config], stderr=log)
        end = time.monotonic() + START_PATIENCE
        while time.monotonic() < end and self.daemon.poll() is None:
            try:
                socketmap.connect(self.arguments.map, 5).close()
                return True
            except OSError:
                time.sleep(0.01)
        self.check(False, f"the daemon starts (status {self.daemon.poll()})")
        return False

    def kill(self):
        self.daemon.send_signal(signal.SIGKILL)
        self.daemon.wait()

    def ask(self, key):
        try:
            return socketmap.ask(self.arguments.map, "postfix", key, ANSWER_PATIENCE)
        except (OSError, ConnectionError):
            return ""

    # ---- the policy hosts

    def policy_hosts(self, kind):
        with open(self.behaviour, "w", encoding="utf-8") as file:
            if kind:
                file.writelines(f"https {name} {kind}\n" for name in self.domains)

    # ---- a round

    def load(self, answers):
        """All domains, in an order of this round's, until the daemon is dead."""
        waiting = self.domains[:]
        self.random.shuffle(waiting)

        def client():
            while waiting:
                try:
                    key = waiting.pop()
                except IndexError:
                    return
                answer = self.ask(key)
                if answer.startswith("OK secure"):
                    answers[key] = answer

        clients = [threading.Thread(target=client) for _ in range(CLIENTS)]
        for thread in clients:
            thread.start()
        return clients

    def empty_store(self):
        for end in ("", "-wal", "-shm"):
            path = self.arguments.store + end
            if os.path.exists(path):
                os.unlink(path)
        self.known = {}

    def round(self, number):
        if self.random.random() < 0.7:
            self.empty_store()
        moment = self.random.uniform(0, LONGEST_LOAD)
        self.policy_hosts(None)
        answers = {}
        if not self.start():
            return False
        clients = self.load(answers)
        time.sleep(moment)
        self.kill()
        for thread in clients:
            thread.join()
        self.known.update(answers)
        self.most = max(self.most, len(answers))
        return self.verify(f"round {number}, killed after {moment:.3f} s")

    def verify(self, what):
        self.policy_hosts("close")
        if not self.start():
            return False
        for key, answer in sorted(self.known.items()):
            again = self.ask(key)
            self.check(again == answer, f"{what}: {key}: '{answer}' before, '{again}' now")
        with sqlite3.connect(f"file:{self.arguments.store}?mode=ro", uri=True) as store:
            rows = {name for (name,) in store.execute(
                "SELECT domain FROM domains WHERE policy_body IS NOT NULL")}
        missing = sorted(set(self.known) - rows)
        self.check(not missing, f"{what}: no row of {missing}")
        self.kill()
        return True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    for name in ("config", "store", "map", "log"):
        parser.add_argument("--" + name, required=True)
    crash = Crash(parser.parse_args())
    print(f"seed {crash.arguments.seed}, {len(crash.domains)} domains", flush=True)
    crash.check(len(crash.domains) >= 30, "the lab has 30 domains with a policy")
    began = time.monotonic()
    answers = kills = 0
    for number in range(crash.arguments.rounds):
        if not crash.round(number):
            break
        kills += 2  # the second one in the middle of what the questions after it have begun
        answers += len(crash.known)
    crash.check(answers > crash.arguments.rounds, "kills came while answers were given")
    print(f"{kills} kills, {answers} answers looked at again, {time.monotonic() - began:.0f} s")
    print(f"{crash.checks} checks, {crash.failures} failed")
    return 0 if crash.failures == 0 else 1


sys.exit(main())
