# SPDX-License-Identifier: Apache-2.0
"""What Postfix or Exim must do with a mail, given an answer and the table's servers.

A model of smtp(8) 3.7 and 3.10, and of Exim 4.96 and 4.98 with our routers and transport: hosts in
order of preference, equal ones in any order, each under the level that the answer gives it, until
one takes the mail.
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
        if level == "fingerprint":  # any of the keys, at any host; "mismatch" is nobody's
            pins = re.findall(r"\{pin (\S+) (\S+)\}", answer)
            return "sent-verified" if (server.name in [host for host, kind in pins
                                                       if kind != "mismatch"]) else None
        if server.cert not in GOOD_CERTIFICATES:
            return None
        parent = "*." + server.name.partition(".")[2]
        certified = parent if server.cert == "wildcard" else server.name
        names = re.search(r"match=(\S+)", answer)[1].split(":")
        if "mx_host_pattern=" in answer:
            names = [attempt["name"]]
        return "sent-verified" if any(certificate_fits(certified, n) for n in names) else None


class EximMailer(Mailer):
    """`answer` is the oracle's: "secure dane=no".  DANE is Exim's own, host by host."""

    def results(self, key, answer):
        level = answer.split()[0]
        if level == "temp":
            return {"deferred"}
        name = key if key.isascii() else key.encode("idna").decode()
        situation = self.oracle.situation(name)
        mx, secure, targets = self.world.mx_of(name.lower())
        nowhere = {"deferred" if level == "secure" else "bounced"}
        if mx == "error":
            return {"deferred"}
        if mx in ("null", "nxdomain", "nodata-no-address"):
            return nowhere
        attempts = [self.attempt_of(target, p, secure) for p, target in targets
                    if not re.fullmatch(r"[0-9.]+", target)]  # an address: no such host
        if level == "secure":
            attempts = [a for a in attempts if a["state"].state in ("DANE", "ERR")
                        or situation.matching(a["state"])]
        if level == "dane":  # dnssec_require_domains: the alias in front of an address counts too
            for a in attempts:
                if not any(self.world.lookup(a["name"], t).secure for t in ("A", "AAAA")):
                    a["addresses"], a["soft"] = [], True
        reachable = [a for a in attempts if a["addresses"]]
        if not reachable:
            return {"deferred"} if any(a["soft"] for a in attempts) else nowhere
        return {self.deliver(order, answer, secure) for order in orders(reachable)}

    def level_for(self, attempt, answer, mx_secure):
        """"dane-only" where Exim does DANE itself; nothing: it does not go there."""
        level, state = answer.split()[0], attempt["state"].state
        if not mx_secure or "dane=no" in answer or state in ("NONE", "DEAD"):
            return level
        if self.is_at_alias(attempt["name"]):  # Exim looks where the alias leads
            return None if level == "dane" else level
        if state == "ERR":
            return None
        if self.kinds(attempt) <= {"pkix", "bad-usage"}:  # TLS is mandatory, with the host's SNI
            return "encrypt" if level in ("none", "may") else level
        return "dane-only"

    def is_at_alias(self, name):
        """Are the TLSA records those of an alias, and there are none where it leads?"""
        target = self.world.lookup(name, "A").name
        if not target or target == name:
            return False
        return self.world.lookup(f"_25._tcp.{target}", "TLSA").what in ("nodata", "nxdomain")

    def kinds(self, attempt):
        """The TLSA records of a host, whatever they are good for."""
        host = self.table.hosts.get(attempt["name"])
        usable = {kind for kind, _ in attempt["state"].tlsa}
        return set(host.tlsa) if host and host.tlsa else usable

    def session(self, attempt, answer, mx_secure):
        level = self.level_for(attempt, answer, mx_secure)
        server = attempt["server"]
        if not level or not server or server.smtp in ("down", "busy"):
            return None
        if server.smtp != "starttls":  # tls_tempfail_tryclear
            return "sent-clear" if level in ("none", "may") else None
        fits = certified(server, attempt["name"])
        if level == "dane-only":
            return "sent-dane" if exim_dane_fits(self.kinds(attempt), server, fits) else None
        if level == "secure":
            return "sent-verified" if fits else None
        return "sent-encrypted"  # or verified, if some other host before it made Exim send SNI


def exim_dane_fits(kinds, server, certificate_fits_name):
    """As GnuTLS judges: any record that fits is enough, and a full trust anchor is of no use."""
    if {"good", "sha512", "cert", "full", "full-cert"} & kinds:
        return True
    by_anchor = {"ta", "ta-cert"} & kinds
    return bool(by_anchor and server.cert != "leaf-only" and certificate_fits_name)


def certified(server, name):
    """Is the server's certificate one of the CA for this name?"""
    if server.cert not in GOOD_CERTIFICATES:
        return False
    parent = "*." + server.name.partition(".")[2]
    return mx_matches(parent if server.cert == "wildcard" else server.name, name)


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
