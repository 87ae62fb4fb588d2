# SPDX-License-Identifier: Apache-2.0
"""What Postfix must do with a mail, given an answer, its main.cf level and the table's servers.

A model of smtp(8) 3.7 and 3.10 as mta-contract.md describes it: hosts in order of preference, equal
ones in any order, each under the level that the answer gives it, until one takes the mail.
"""

import itertools
import re

from oracle import mx_matches

MAX_ADDRESSES = 5   # smtp_mx_address_limit
MAX_ORDERS = 24     # orders of equal hosts that are tried out
GOOD_CERTIFICATES = {"good", "wildcard", "leaf-only"}  # we have the CA ourselves


class Mailer:
    def __init__(self, oracle, level="may", halfdane="may"):
        self.oracle, self.world, self.table = oracle, oracle.world, oracle.table
        self.level = level        # smtp_tls_security_level
        self.halfdane = halfdane  # smtp_tls_dane_insecure_mx_policy

    def results(self, key, answer):
        """The set of things that may rightly happen: the order of equal hosts is chance."""
        name = re.sub(r"^\[|\](:\w+)?$|:\w+$", "", key)
        name = name if name.isascii() else name.encode("idna").decode()
        mx, secure, targets = self.world.mx_of(name.lower())
        if mx == "error":
            return {"deferred"}
        if mx in ("null", "nxdomain", "nodata-no-address"):
            return {"bounced"}
        # 3.7 takes a "." among others for a null MX.
        domain = next(d for d in self.table.domains if name.lower() in (d.name, d.key))
        if any(host == "." for _, host in domain.mx):
            return {"bounced"}
        attempts = [self.attempt_of(target, p, secure) for p, target in targets]
        attempts = [a for a in attempts if a]
        reachable = [a for a in attempts if a["addresses"]]
        if not reachable:
            return {"deferred" if any(a["soft"] for a in attempts) else "bounced"}
        return {self.deliver(order, answer, secure) for order in orders(reachable)}

    def attempt_of(self, target, preference, mx_secure):
        literal = re.fullmatch(r"[0-9.]+", target)
        if literal:  # Postfix goes to an address that stands in an MX record; nothing listens there
            return {"name": target, "preference": preference, "addresses": [target], "soft": False,
                    "state": self.world.judge_host(target, preference, mx_secure), "server": None}
        answers = [self.world.lookup(target, rtype) for rtype in ("A", "AAAA")]
        addresses = [ip for a in answers if a.what == "data" for ip in a.data]
        state = self.world.judge_host(target, preference, mx_secure)
        server = self.server_at(addresses)
        return {"name": target, "preference": preference, "addresses": addresses,
                "soft": any(a.what == "error" for a in answers), "state": state, "server": server}

    def server_at(self, addresses):
        return next((h for h in self.table.hosts.values() if set(h.addresses()) & set(addresses)),
                    None)

    def deliver(self, order, answer, secure):
        count, soft = 0, False
        for attempt in order:
            for _ in attempt["addresses"]:
                if count == MAX_ADDRESSES:
                    return "deferred"
                count += 1
                result = self.session(attempt, answer, secure)
                if result:
                    return result
                soft = True
        return "deferred" if soft else "bounced"

    # ---- one host

    def level_for(self, attempt, answer, mx_secure):
        """The level in effect at this host; nothing: Postfix does not go there."""
        word = answer.removeprefix("OK ").split()[0]
        level = self.level if word == "NOTFOUND" else word
        if level == "TEMP":
            return None
        if "mx_host_pattern=" in answer and not any(
                mx_matches(p, attempt["name"])
                for p in re.findall(r"mx_host_pattern=(\S+)", answer)):
            return None
        if not level.startswith("dane"):
            return level
        state = attempt["state"].state
        if not mx_secure:
            if level == "dane-only":
                return None
            if self.halfdane == "may":
                return "may"
        if state == "ERR":
            return None
        if level == "dane-only":
            return "dane" if state == "DANE" else None
        return {"DANE": "dane" if mx_secure else "halfdane", "ENC": "encrypt"}.get(state, "may")

    def session(self, attempt, answer, mx_secure):
        level = self.level_for(attempt, answer, mx_secure)
        server = attempt["server"]
        if not level or not server or server.smtp in ("down", "busy"):
            return None
        if server.smtp == "plain":
            return "sent-clear" if level == "may" else None
        if server.smtp == "refuses":  # Postfix goes on in the clear where it may
            return "sent-clear" if level == "may" else None
        if server.smtp == "broken":   # in the clear only after a while in the queue
            return None
        return self.authenticated(level, attempt, server, answer)

    def authenticated(self, level, attempt, server, answer):
        if level in ("may", "encrypt"):
            return "sent-encrypted"
        if level in ("dane", "halfdane"):
            if not dane_fits(attempt["state"], server):
                return None
            return "sent-dane" if level == "dane" else "sent-encrypted"
        if server.cert not in GOOD_CERTIFICATES:
            return None
        parent = "*." + server.name.partition(".")[2]
        certified = parent if server.cert == "wildcard" else server.name
        names = re.search(r"match=(\S+)", answer)[1].split(":")
        if "mx_host_pattern=" in answer:
            names = [attempt["name"]]
        return "sent-verified" if any(certificate_fits(certified, n) for n in names) else None


def orders(attempts):
    """All orders that respect the preferences (or so many of them)."""
    tiers = [list(group) for _, group in itertools.groupby(attempts, lambda a: a["preference"])]
    choices = [list(itertools.islice(itertools.permutations(t), MAX_ORDERS)) for t in tiers]
    for choice in itertools.islice(itertools.product(*choices), MAX_ORDERS * MAX_ORDERS):
        yield [attempt for tier in choice for attempt in tier]


def certificate_fits(certified, name):
    """Postfix's match= list: a name, or .parent for anything below it."""
    if name.startswith("."):
        return certified.endswith(name)
    return mx_matches(certified, name)


def dane_fits(host, server):
    """Does one usable record fit what the server shows?"""
    kinds = {kind for kind, _ in host.tlsa}
    by_anchor = {"ta", "ta-cert", "ta-full"} & kinds
    by_key = {"good", "sha512", "cert", "full", "full-cert"} & kinds
    if by_key:
        return True
    # A trust anchor asks for names and dates; a digest of it also needs it in the chain.
    in_chain = server.cert != "leaf-only" or "ta-full" in by_anchor
    named = server.cert in ("good", "leaf-only", "wildcard")
    return bool(by_anchor and in_chain and named)
