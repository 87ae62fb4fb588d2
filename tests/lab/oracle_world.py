# SPDX-License-Identifier: Apache-2.0
"""The intended world: what an honest, validating lookup of the table's facts would find.

Nothing is asked here.  Records, aliases, wildcards, security and errors follow from the table alone;
then the states of hosts and the classes of domains follow as decision.md defines them in its
sections 1 to 3.
"""

import re
from dataclasses import dataclass, field

import https_hosts
import table as tables
import zones

FAMILIES = ("A", "AAAA")
MAX_ALIASES = 8
SECURE = {"signed", "nsec3", "optout"}
BROKEN = {"expired", "not-yet", "wrong-ds", "no-signatures"}
MAX_TARGETS = 50
MAX_BODY = 65536
USABLE = {"good", "mismatch", "ta", "sha512", "sha512-mismatch", "cert", "full", "full-cert", "ta-full",
          "ta-cert"}
# Policy hosts that give nothing usable, at once or after any client's patience.
NO_POLICY = {"wrong-name", "expired", "self-signed", "cn-only", "404", "500", "redirect", "html",
             "no-type", "big", "huge", "big-headers", "close", "short", "old-tls", "refused",
             "no-address", "hang-connect"}
SYNTHESISED = {}  # stands for the records of a name below a DNAME
NEVER_ENDS = https_hosts.HANGING - NO_POLICY


@dataclass
class Found:
    """The outcome of one lookup: "data", "nodata", "nxdomain" or "error"."""
    what: str
    secure: bool = False
    data: list = field(default_factory=list)
    name: str = ""       # where the aliases led
    aliases: list = field(default_factory=list)


@dataclass
class HostState:
    """One MX host as section 1 judges it."""
    name: str
    preference: int
    state: str
    tlsa: list = field(default_factory=list)   # the usable records' kinds and whose they are
    address_error: bool = False


class World:
    def __init__(self, table):
        self.table = table
        self.records = {}
        for domain in table.domains:
            self.add_domain(domain)
        for host in table.hosts.values():
            self.add_host(host)
        for owner, rtype, data in table.records:
            self.add(owner, rtype, data.split()[-1].rstrip(".") if rtype in ("CNAME", "DNAME")
                     else self.parsed(rtype, data))

    def add(self, owner, rtype, data):
        self.records.setdefault(owner, {}).setdefault(rtype, []).append(data)

    @staticmethod
    def parsed(rtype, data):
        if rtype == "MX":
            preference, name = data.split()
            return int(preference), name.rstrip(".") or "."
        return "".join(re.findall(r'"([^"]*)"', data)) if rtype == "TXT" else data

    def add_domain(self, domain):
        for entry in domain.mx:
            self.add(domain.name, "MX", entry)
        if domain.sts:
            for text in zones.sts_texts(domain.sts):
                owner = "_mta-sts." + domain.name
                if domain.sts.txt == "cname":
                    self.records[owner] = {"CNAME": [owner.replace(".", ".hosted.", 1)]}
                    owner = owner.replace(".", ".hosted.", 1)
                self.add(owner, "TXT", self.parsed("TXT", text))
            self.add_policy_host(domain.sts, "mta-sts." + domain.name)

    def add_policy_host(self, sts, owner):
        if sts.https == "no-address":
            return
        if sts.https == "cname":
            self.add(owner, "CNAME", owner.replace(".", ".hosted.", 1))
            owner = owner.replace(".", ".hosted.", 1)
        for ip in [ip for ip in (sts.dead_ip, sts.ip) if ip]:
            self.add(owner, "AAAA" if ":" in ip else "A", ip)

    def add_host(self, host):
        if host.cname:
            self.add(host.name, "CNAME", host.cname)
        for ip in host.addresses():
            self.add(host.at or host.name, "AAAA" if ":" in ip else "A", ip)
        owner = "_25._tcp." + host.name
        if host.tlsa_at:
            self.add(owner, "CNAME", host.tlsa_at)
        for kind in host.tlsa:
            server = self.table.server_of(host.name).name
            self.add(host.tlsa_at or host.tlsa_owner or owner, "TLSA", (kind, server))

    # ---- DNS

    def exists(self, name):
        """The name itself or one below it."""
        return any(owner == name or owner.endswith("." + name) for owner in self.records)

    def node(self, name, zone, rtype):
        """(owner, records, proof is by opt-out) of the name, by wildcard or DNAME if need be."""
        if self.exists(name) or name == zone:
            return name, self.records.get(name, {}), False
        encloser = name
        while encloser != zone and not self.exists(encloser):
            encloser = encloser.partition(".")[2]
        if "DNAME" in self.records.get(encloser, {}):
            # Unbound (1.17) can't validate a synthesised alias that is asked for by itself.
            if rtype == "CNAME":
                return encloser, SYNTHESISED, False
            target = self.records[encloser]["DNAME"][0]
            return encloser, {"CNAME": [name.removesuffix(encloser) + target]}, False
        optout = self.table.zones[zone] == "optout"
        if "*." + encloser in self.records:
            return "*." + encloser, self.records["*." + encloser], optout
        return name, None, optout

    def zone_of(self, name):
        try:
            zone = self.table.zone_of(name)
        except ValueError:
            return None
        return None if self.table.zones[zone] == "absent" else zone

    def step(self, name, rtype):
        """One lookup without following the alias it may find."""
        zone = self.zone_of(name)
        if not zone:
            proven = self.table.tlds.get(name.split(".")[-1], "nsec") in ("nsec", "nsec3")
            return Found("nxdomain", proven)
        kind, fault = self.table.zones[zone], self.table.faults.get((name, rtype))
        secure = kind in SECURE
        if kind in BROKEN or fault in ("servfail", "refused", "formerr", "drop"):
            return Found("error")
        if fault:  # forged absence, without proof
            return Found("error") if secure else Found(
                {"empty": "nodata"}.get(fault, fault), False)
        owner, here, optout = self.node(name, zone, rtype)
        if here is SYNTHESISED:
            return Found("error")
        if here is None:
            return Found("nxdomain", secure and not optout)
        present = rtype if rtype in here else "CNAME" if "CNAME" in here else None
        if (name, present or rtype) in self.table.spoils or (owner, present) in self.table.spoils:
            return Found("error")
        if not present:
            return Found("nodata", secure and not optout)
        return Found("data" if present == rtype else "alias", secure, here[present], name)

    def lookup(self, name, rtype):
        aliases, secure = [], True
        while len(aliases) <= MAX_ALIASES:
            found = self.step(name, rtype)
            secure = secure and found.secure
            if found.what == "error":
                return found
            if found.what != "alias":
                return Found(found.what, secure, found.data, name, aliases)
            aliases.append(name)
            name = found.data[0]
        return Found("error")

    # ---- section 1

    def judge_tlsa(self, host, bases, port):
        for base in bases:
            found = self.lookup(f"_{port}._tcp.{base}", "TLSA")
            if found.what == "error":
                host.state = "ERR"
                return host
            if found.what == "data" and found.secure:
                host.tlsa = usable(found.data)
                host.state = "DANE" if host.tlsa else "ENC"
                return host
        host.state = "NONE"
        return host

    def judge_host(self, name, preference, mx_secure, port=25, families=FAMILIES):
        host = HostState(name, preference, "NONE")
        if re.fullmatch(r"[0-9.]+", name):
            return host
        answers = [self.lookup(name, rtype) for rtype in families]
        with_addresses = [a for a in answers if a.what == "data"]
        for answer in with_addresses:
            if answer.secure:
                return self.judge_tlsa(host, unique([answer.name, name]), port)
        if any(answer.aliases for answer in with_addresses):
            alias = self.step(name, "CNAME")
            if alias.what == "error":
                host.state, host.address_error = "ERR", True
                return host
            if alias.secure and alias.what == "data":
                return self.judge_tlsa(host, [name], port)
        if with_addresses:
            return host
        host.address_error = any(answer.what == "error" for answer in answers)
        host.state = "ERR" if host.address_error and mx_secure else "DEAD"
        return host

    def mx_of(self, name):
        """(state, secure, [(preference, name)]) as section 1 names them."""
        found = self.lookup(name, "MX")
        if found.what == "error":
            return "error", False, []
        if found.what == "nxdomain":
            return "nxdomain", found.secure, []
        if found.what == "nodata":
            return self.implicit(found)
        if all(target == "." for _, target in found.data):
            return "null", found.secure, []
        best = {}
        for preference, target in found.data:
            if target != ".":
                best[target] = min(preference, best.get(target, preference))
        return "ok", found.secure, sorted((p, target) for target, p in best.items())

    def implicit(self, nodata):
        addresses = [self.lookup(nodata.name, rtype) for rtype in FAMILIES]
        if any(a.what == "data" for a in addresses):
            return "implicit", nodata.secure, [(0, nodata.name)]
        failed = any(a.what == "error" for a in addresses)
        return ("error" if failed else "nodata-no-address"), nodata.secure, []

    # ---- section 3, at the first contact

    def sts_of(self, name):
        """(class at once, class in the end, policy) of a policy domain."""
        txt = self.lookup("_mta-sts." + name, "TXT")
        if txt.what == "error":
            return "S-TXTERR", "S0", None
        if not valid_record(txt.data):
            return "S0", "S0", None
        domain = next((d for d in self.table.domains if d.name == name), None)
        sts = domain.sts if domain else None
        if sts is None or self.policy_host_fails(name) or sts.https in NO_POLICY:
            return "S-FETCH", "S-FETCH", None
        if sts.https in NEVER_ENDS:
            return "S-PEND", "S-FETCH", None
        policy = parse_policy(sts.policy())
        if not policy:
            return "S-FETCH", "S-FETCH", None
        kind = {"enforce": "S-ENF", "testing": "S-TST", "none": "S-NON"}[policy["mode"]]
        return kind, kind, policy

    def policy_host_fails(self, name):
        answers = [self.lookup("mta-sts." + name, rtype) for rtype in FAMILIES]
        return not any(answer.what == "data" for answer in answers)


def unique(values):
    return list(dict.fromkeys(values))


def usable(records):
    """RFC 7671 9: of the digests of one usage and selector only the strongest count."""
    kept = [(kind, server) for kind, server in records if kind in USABLE]
    if any(kind.startswith("sha512") for kind, _ in kept):
        kept = [(kind, server) for kind, server in kept if kind not in ("good", "mismatch")]
    return kept


def valid_record(texts):
    """Exactly one candidate, and it obeys the grammar with a usable id (RFC 8461 3.1)."""
    candidates = [text for text in texts if re.match(r"v=STSv1[ \t]*;", text)]
    if len(candidates) != 1:
        return False
    value = r"[!-:<>-~]+"
    record = rf"v=STSv1(?:[ \t]*;[ \t]*[A-Za-z0-9][A-Za-z0-9_.-]{{0,31}}={value})+[ \t]*;?[ \t]*"
    if not re.fullmatch(record, candidates[0]):
        return False
    first = re.search(r";[ \t]*id=([^; \t]*)", candidates[0])
    return bool(first and re.fullmatch(r"[A-Za-z0-9]{1,32}", first[1]))


def parse_policy(body):
    """The policy, or nothing if the grammar of RFC 8461 3.2 (with our few liberties) is violated.

    Accepted beyond it, with a lint: empty lines, indented lines, a trailing dot in mx.
    """
    if len(body.encode()) > MAX_BODY or "\r" in body.replace("\r\n", "\n"):
        return None
    policy, mx, lines = {}, [], body.replace("\r\n", "\n").split("\n")
    for line in lines:
        line = line.strip(" \t")
        if not line:
            continue
        found = re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,31}):[ \t]*(\S(?:.*\S)?)", line)
        if not found:
            return None
        key, value = found.groups()
        if key == "mx":
            mx.append(value.removesuffix(".").lower())
        else:
            policy.setdefault(key, value)
    if policy.get("version") != "STSv1" or policy.get("mode") not in ("enforce", "testing", "none"):
        return None
    if not re.fullmatch(r"\d{1,10}", policy.get("max_age", "")):
        return None
    label = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
    if not all(re.fullmatch(rf"(?:\*\.)?{label}(?:\.{label})*", name) for name in mx):
        return None
    if policy["mode"] != "none" and not mx:
        return None
    return {"mode": policy["mode"], "mx": unique(mx), "max_age": int(policy["max_age"]),
            "lines": [line.strip(" \t") for line in lines if line.strip(" \t")]}
