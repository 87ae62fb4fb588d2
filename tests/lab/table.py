# SPDX-License-Identifier: Apache-2.0
"""Reads table.txt, the description of the lab's Internet, and gives every server its address.

The grammar stands at the top of table.txt.  Addresses follow from the order of the table, so that
every program of the lab finds the same ones by reading it.
"""

import os
import re
from dataclasses import dataclass, field

HERE = os.path.dirname(os.path.abspath(__file__))
TABLE = os.environ.get("LAB_TABLE", os.path.join(HERE, "table.txt"))

RESOLVER = "127.0.0.1"
ROOT_NS, TLD_NS = "127.0.0.2", "127.0.0.3"    # one NSD
ZONE_NS, HIDDEN_NS = "127.0.0.4", "127.0.0.5"  # the front, and the NSD behind it
TLD_KINDS = {"nsec", "nsec3", "optout", "unsigned"}
ZONE_KINDS = {"signed", "nsec3", "optout", "unsigned", "expired", "not-yet", "wrong-ds",
              "no-signatures", "unknown-algorithm", "absent"}
ALGORITHMS = {"RSASHA256", "RSASHA512", "ECDSAP256SHA256", "ECDSAP384SHA384", "ED25519", "ED448"}
V6_NET = "fd5e:a1a::"  # SMTP servers' IPv6 addresses
DIALECTS = {"postfix", "postfix-tlsrpt", "postfix-pins", "requiretls", "sts"}
MAIL = {"sent-dane", "sent-verified", "sent-encrypted", "sent-clear", "deferred", "bounced"}
FAULTS = {"servfail", "refused", "formerr", "drop", "nxdomain", "empty"}
CHOICES = {  # attribute -> allowed values (tlsa takes several, separated by commas)
    "addr": {"v4", "v6", "both", "none"},
    "tlsa": {"good", "mismatch", "pkix", "unknown-digest", "ta", "sha512", "sha512-mismatch", "cert",
             "full", "full-cert", "ta-full", "ta-cert", "short", "bad-selector", "bad-usage"},
    "cert": {"good", "self-signed", "wrong-name", "expired", "wildcard", "leaf-only"},
    "smtp": {"starttls", "plain", "down", "refuses", "broken", "busy"},
    "https": {"good", "wrong-name", "expired", "self-signed", "cn-only", "404", "500", "redirect",
              "html", "no-type", "big", "huge", "big-headers", "slow", "drip", "hang", "hang-connect",
              "hang-tls", "hang-body", "close", "short", "old-tls", "refused", "dead-first",
              "no-address", "chunked", "until-eof", "cname", "wildcard"},
    "txt": {"good", "none", "duplicate", "v10-beside", "invalid", "cname", "split", "spf-beside",
            "extended", "no-id", "long-id", "upper"},
}


@dataclass
class Host:
    """One SMTP server, or an alias of one."""
    name: str
    addr: str = "v4"
    tlsa: list = field(default_factory=list)
    tlsa_at: str = ""
    cert: str = "good"
    smtp: str = "starttls"
    cname: str = ""
    at: str = ""          # the address records' owner, if it is not the name: a wildcard
    tlsa_owner: str = ""  # the same for the TLSA records
    ip: str = ""
    ip6: str = ""

    def addresses(self):
        return [ip for ip in (self.ip, self.ip6) if ip]


@dataclass
class Sts:
    """What a domain publishes by MTA-STS."""
    mode: str
    mx: list
    max_age: int = 604800
    https: str = "good"
    txt: str = "good"
    addr: str = "v4"
    body: str = ""
    ip: str = ""
    dead_ip: str = ""

    def policy(self):
        """The policy file, lines ended by CRLF as RFC 8461 prefers."""
        if self.body:
            return self.body
        lines = ["version: STSv1", f"mode: {self.mode}"] + [f"mx: {mx}" for mx in self.mx]
        return "\r\n".join(lines + [f"max_age: {self.max_age}", ""])


@dataclass
class Question:
    """One key to ask in one dialect, and the answer that decision.md demands."""
    key: str
    dialect: str
    answer: str
    domain: "Domain"


@dataclass
class Domain:
    """One block of the table."""
    name: str
    row: str
    key: str = ""
    mx: list = field(default_factory=list)
    sts: Sts = None
    txt: list = field(default_factory=list)
    questions: list = field(default_factory=list)
    mail: list = field(default_factory=list)
    within: float = 31.0
    settles: tuple = ()
    debatable: str = ""


@dataclass
class Table:
    tlds: dict = field(default_factory=dict)
    zones: dict = field(default_factory=dict)
    zone_options: dict = field(default_factory=dict)  # zone -> {"alg": …, "ttl": …}
    records: list = field(default_factory=list)       # (owner, type, data) beside the others
    hosts: dict = field(default_factory=dict)
    domains: list = field(default_factory=list)
    spoils: list = field(default_factory=list)
    faults: dict = field(default_factory=dict)

    def zone_of(self, name):
        """The zone a name belongs to: the longest declared one."""
        labels = name.split(".")
        for i in range(len(labels)):
            if ".".join(labels[i:]) in self.zones:
                return ".".join(labels[i:])
        raise ValueError(f"{name}: no zone holds this name")

    def server_of(self, name, hops=8):
        """Follows aliases to the host that runs the SMTP server (or stays in a loop of them)."""
        host = self.hosts[name]
        return self.server_of(host.cname, hops - 1) if host.cname and hops else host

    def questions(self):
        return [q for domain in self.domains for q in domain.questions]


def spread(words):
    """Replaces "10 m{1..3}.test" by "10 m1.test 10 m2.test 10 m3.test"."""
    for preference, name in zip(words[::2], words[1::2]):
        found = re.match(r"(.*)\{(\d+)\.\.(\d+)\}(.*)", name)
        first, last = (int(found[2]), int(found[3])) if found else (0, 0)
        for i in range(first, last + 1):
            yield int(preference), f"{found[1]}{i}{found[4]}" if found else name


def check(attribute, value):
    if value not in CHOICES[attribute]:
        raise ValueError(f"{attribute}={value}: not one of {sorted(CHOICES[attribute])}")
    return value


def attributes(words):
    return dict(word.split("=", 1) for word in words if "=" in word)


class Reader:
    """One statement per line; a "domain" line opens a block, in which "@" stands for its name."""

    def __init__(self):
        self.table = Table()
        self.domain = None
        self.implied = []

    def read(self, path):
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                line = line.split("# ")[0].strip()
                if not line or line == "#":
                    continue
                try:
                    self.statement(line)
                except (ValueError, KeyError, IndexError, AttributeError, TypeError) as error:
                    raise SystemExit(f"{path}:{number}: {error!r}") from error
        for name in self.implied:
            if not self.owned(name):
                self.table.hosts.setdefault(name, Host(name))
        number_servers(self.table)
        return self.table

    def owned(self, name):
        """Does a "record" line say what this name is: an alias, by CNAME or DNAME?"""
        return any(owner == name or (rtype == "DNAME" and name.endswith("." + owner))
                   for owner, rtype, _ in self.table.records)

    def statement(self, line):
        if self.domain and not line.startswith("domain "):
            line = line.replace("@", self.domain.name)
        verb, _, rest = line.partition(" ")
        words = rest.split()
        if verb in DIALECTS:
            self.domain.questions.append(
                Question(self.domain.key or self.domain.name, verb, rest.strip(), self.domain))
            return
        getattr(self, "on_" + verb)(rest.strip(), words)

    def on_tld(self, _, words):
        if words[1] not in TLD_KINDS:
            raise ValueError(words[1])
        self.table.tlds[words[0]] = words[1]

    def on_zone(self, _, words):
        name, kind = words[:2]
        options = attributes(words)
        if kind not in ZONE_KINDS or name.split(".")[-1] not in self.table.tlds:
            raise ValueError(f"{name} {kind}")
        if options.get("alg", "ED25519") not in ALGORITHMS:
            raise ValueError(options["alg"])
        self.table.zones[name] = kind
        self.table.zone_options[name] = options

    def on_domain(self, _, words):
        options = attributes(words)
        self.on_zone("", words)
        self.domain = Domain(words[0], options["row"])
        self.table.domains.append(self.domain)

    def on_key(self, rest, _):
        self.domain.key = rest

    def on_mx(self, _, words):
        plain = [word for word in words if "=" not in word]
        for preference, name in spread(plain):
            self.domain.mx.append((preference, name))
            if name == "." or name.replace(".", "").isdigit():
                continue
            if attributes(words):
                self.on_host("", [name] + words[len(plain):])
            else:
                self.implied.append(name)

    def on_host(self, _, words):
        options = attributes(words)
        for name in [word for word in words if "=" not in word]:
            self.table.zone_of(name)
            host = Host(name, cname=options.get("cname", ""), tlsa_at=options.get("tlsa-at", ""),
                        at=options.get("at", ""), tlsa_owner=options.get("tlsa-owner", ""))
            for attribute in ("addr", "cert", "smtp"):
                setattr(host, attribute,
                        check(attribute, options.get(attribute, getattr(host, attribute))))
            host.tlsa = [check("tlsa", v) for v in options.get("tlsa", "").split(",") if v]
            self.table.hosts[name] = host

    def on_policy(self, _, words):
        options = attributes(words)
        plain = [word for word in words if "=" not in word]
        sts = Sts(plain[0], plain[1].split(",") if len(plain) > 1 else [])
        sts.max_age = int(options.get("max_age", sts.max_age))
        for attribute in ("https", "txt", "addr"):
            value = options.get(attribute, getattr(sts, attribute))
            setattr(sts, attribute, check(attribute, value))
        self.domain.sts = sts

    def on_body(self, rest, _):
        self.domain.sts.body = rest.encode("ascii").decode("unicode_escape")

    def on_record(self, rest, _):
        owner, rtype, data = rest.split(None, 2)
        self.table.zone_of(owner.removeprefix("*."))
        self.table.records.append((owner, rtype, data))

    def on_debatable(self, rest, _):
        self.domain.debatable = rest

    def on_spoil(self, _, words):
        self.table.spoils.append((words[0], words[1]))

    def on_fault(self, _, words):
        name, rtype, action = words
        if action not in FAULTS:
            raise ValueError(action)
        self.table.faults[(name, rtype)] = action

    def on_also(self, rest, _):
        key, dialect, answer = rest.split(None, 2)
        if dialect not in DIALECTS:
            raise ValueError(dialect)
        self.domain.questions.append(Question(key, dialect, answer, self.domain))

    def on_mail(self, _, words):
        if words[0] not in MAIL:
            raise ValueError(words[0])
        default = self.domain.key or self.domain.name
        self.domain.mail.append((words[1] if len(words) > 1 else default, words[0]))

    def on_within(self, rest, _):
        self.domain.within = float(rest)

    def on_settles(self, _, words):
        self.domain.settles = (float(words[0]), " ".join(words[1:]))


def number_servers(table):
    """SMTP servers live in 127.1/16, policy hosts in 127.2/16; nothing listens in 127.3/16."""
    def address(net, count):
        return f"127.{net}.{count // 250}.{count % 250 + 1}"

    for count, host in enumerate(h for h in table.hosts.values() if not h.cname):
        v4, v6 = address(1, count), f"{V6_NET}{count + 1:x}"
        host.ip, host.ip6 = {"v4": (v4, ""), "v6": ("", v6), "both": (v4, v6),
                             "none": ("", "")}[host.addr]
    for count, sts in enumerate(d.sts for d in table.domains if d.sts):
        sts.ip = "::1" if sts.addr == "v6" else address(2, count)
        if sts.https == "dead-first":
            sts.dead_ip = address(3, count)


def load(path=TABLE):
    return Reader().read(path)
