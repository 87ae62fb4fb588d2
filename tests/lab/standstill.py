# SPDX-License-Identifier: Apache-2.0
"""Watches, beside what is tested, whether the lab's DNS keeps moving.

A machine that stands still for seconds makes DNS time out, and "temporary" is then the right answer
of a daemon.  The watch asks the resolver for a new name again and again; so the whole way to NSD and
back is seen, and nothing of the daemon.
"""

import threading
import time

import dns.exception
import dns.message
import dns.query

from table import RESOLVER

ZONE = "no-policy.test"  # without faults; the names asked for do not exist
PAUSE = 0.1     # seconds between two questions
LONG = 1.0      # seconds: DNS stood still; some hundredths are usual, tenths under load
PATIENCE = 30.0


class Watch(threading.Thread):
    def __init__(self):
        super().__init__(daemon=True)
        self.began = time.monotonic()  # of the question under way
        self.pauses = []               # (begin, end) of those that took long

    def run(self):
        number = 0
        while True:
            number += 1
            self.began = time.monotonic()
            query = dns.message.make_query(f"watch{number}.{ZONE}", "A")
            try:
                dns.query.udp(query, RESOLVER, timeout=PATIENCE)
            except (OSError, dns.exception.DNSException):
                pass
            ended = time.monotonic()
            if ended - self.began > LONG:
                self.pauses.append((self.began, ended))
            time.sleep(PAUSE)

    def stood_still(self, since, until):
        """Did DNS stand still at some moment between the two, or does it now?"""
        now = time.monotonic()
        pauses = self.pauses + ([(self.began, now)] if now - self.began > LONG else [])
        return any(begin < until and end > since for begin, end in pauses)
