# SPDX-License-Identifier: Apache-2.0
"""decision.md a second time: simple, independent, and fed with the table's facts alone.

It says for every domain of the table the DANE class, the STS class, the row, and the answer in each
dialect at each default level.  What a mail must do under that answer: oracle_mail.py.
"""

import re
from dataclasses import dataclass, field

import table as tables
from oracle_world import MAX_TARGETS, World

SERVICES = {"smtp": 25, "smtps": 465, "submission": 587, "submissions": 465}
MATCHING_LEVELS = {"encrypt", "verify", "secure", "fingerprint"}
# Words that mean something else than a name in Postfix's match= list.
POSTFIX_WORDS = {"hostname", "nexthop", "dot-nexthop"}
PINNABLE = {"good", "mismatch", "cert", "full", "full-cert"}


@dataclass
class Situation:
    """All that an answer depends on; `sts` and `policy` are those of one moment."""
    key: str
    name: str
    dane: str
    sts: str
    policy: dict = None
    hosts: list = field(default_factory=list)   # live ones
    mx_secure: bool = False
    too_many: bool = False

    def matching(self, host):
        return any(mx_matches(pattern, host.name) for pattern in self.policy["mx"])


@dataclass
class Verdict:
    """What to say, before a dialect words it."""
    say: str            # NF, T, DO, D, STS, FIXED
    row: str
    only: list = None   # STS restricted to these hosts' names


def mx_matches(pattern, name):
    if pattern.startswith("*."):
        return name.partition(".")[2] == pattern[2:]
    return pattern == name


def dane_class(mx, secure, hosts):
    """Section 2."""
    if mx in ("null", "nxdomain", "nodata-no-address", "error"):
        return {"null": "D-NULL", "error": "D-FAIL"}.get(mx, "D-NX")
    states = [host.state for host in hosts]
    if not secure:
        return "D-INS" if {"DANE", "ENC"} & set(states) else "D0"
    if "ERR" in states:
        return "D-ERR"
    if states and set(states) == {"DANE"}:
        return "D-ALL"
    if "DANE" in states:
        return "D-MIX"
    return "D-ENC" if "ENC" in states else "D0"


class Oracle:
    def __init__(self, table=None):
        self.table = table or tables.load()
        self.world = World(self.table)

    # ---- from a key to a situation (section 6)

    def situation(self, key, final=False):
        """None: a key that is answered NOTFOUND without a lookup."""
        name, port, bracket = parse_key(key)
        if not name:
            return None
        if bracket:
            host = self.world.judge_host(name, 0, True, port)
            # A [host] that has no address, or whose lookup failed.
            mx, secure, hosts = ("error" if host.address_error else "host"), True, [host]
        else:
            mx, secure, targets = self.world.mx_of(name)
            hosts = [self.world.judge_host(target, p, secure, port) for p, target in targets]
            if mx == "implicit" and hosts[0].address_error:
                mx = "error"
        live = [host for host in hosts if host.state != "DEAD"]
        now, later, policy = ("S0", "S0", None) if port != 25 else self.world.sts_of(name)
        return Situation(key, name, dane_class(mx, secure, live), later if final else now, policy,
                         live, secure, len(hosts) > MAX_TARGETS)

    # ---- section 4

    def verdict(self, s, with_filter=False):
        unknown = s.sts in ("S-TXTERR", "S-PEND")
        open_row = {"S-TXTERR": "7", "S-PEND": "8"}.get(s.sts)
        if s.too_many:
            if not s.mx_secure and s.sts == "S-ENF":
                return Verdict("STS", "1.")
            return Verdict("T", "1.")
        if s.dane == "D-FAIL":
            return Verdict("T", "24")
        if s.dane == "D-NULL":  # no policy is fetched, and at first contact there is none
            return Verdict("NF", "25")
        if s.dane == "D-NX":
            return Verdict("STS", "26") if s.sts == "S-ENF" else Verdict("NF", "27")
        if s.dane == "D0":
            return self.without_dane(s, open_row)
        if s.dane == "D-ALL":
            conflict = s.sts == "S-ENF" and not all(s.matching(host) for host in s.hosts)
            return Verdict("DO", "10" if conflict else "9")
        if s.dane == "D-ERR":
            return self.with_errors(s, unknown, with_filter)
        if unknown:
            return Verdict("T", "13")
        if s.sts == "S-ENF":
            if s.dane == "D-MIX":
                return mixed(s, "12", with_filter)
            return Verdict("STS", {"D-ENC": "15", "D-INS": "23"}[s.dane])
        return Verdict("D", {"D-MIX": "11", "D-ENC": "14", "D-INS": "22"}[s.dane])

    @staticmethod
    def without_dane(s, open_row):
        if open_row:
            return Verdict("T", open_row)
        if s.sts == "S-ENF":
            known = [host for host in s.hosts if s.matching(host)]
            return Verdict("STS", "2" if known or not s.hosts else "3")
        if not s.hosts:
            return Verdict("NF", "28")
        return Verdict("NF", {"S0": "1", "S-TST": "4", "S-NON": "5", "S-FETCH": "6"}[s.sts])

    @staticmethod
    def with_errors(s, unknown, with_filter):
        rest = {host.state for host in s.hosts} - {"ERR"}
        if not rest:
            return Verdict("T", "21")
        if rest == {"DANE"}:
            if s.sts == "S-ENF":
                return Verdict("DO", "17")
            return Verdict("DO", "16a") if unknown else Verdict("D", "16")
        if unknown:
            return Verdict("T", "13")
        return mixed(s, "19", with_filter) if s.sts == "S-ENF" else Verdict("D", "18")

    # ---- section 7

    def answer(self, key, dialect="postfix", level="may", final=False):
        """The reply's text; TEMP stands for one with a reason."""
        if dialect == "requiretls":
            return self.requiretls(key, final)
        s = self.situation(key, final)
        if not s:
            return "NOTFOUND"
        if dialect == "postfix-pins":
            return self.pins(s, level)
        if dialect == "sts":
            if s.sts == "S-ENF" and s.dane not in ("D-NULL", "D-FAIL"):
                return secure(s.policy["mx"])
            return "TEMP" if self.verdict(s).say == "T" else "NOTFOUND"
        tlsrpt = dialect == "postfix-tlsrpt"
        verdict = self.verdict(s, with_filter=tlsrpt)
        return self.worded(s, verdict, level, tlsrpt)

    def worded(self, s, verdict, level, tlsrpt):
        if verdict.say == "D":
            verdict = at_level(s, verdict, level)
        if verdict.say == "STS":
            names = verdict.only or s.policy["mx"]
            return secure(names, attributes(s, names) if tlsrpt else "")
        if tlsrpt and verdict.row == "4" and level in ("may", "encrypt"):
            return f"OK {level}{attributes(s, [])}"
        return {"NF": "NOTFOUND", "T": "TEMP", "DO": "OK dane-only", "D": "OK dane"}[verdict.say]

    def requiretls(self, key, final):
        name = parse_key(key)[0]
        if not name:
            return "NOTFOUND"
        s = self.situation(name, final)
        verdict = self.verdict(s)
        if verdict.say == "T":
            return "TEMP"
        good = s.dane in ("D-ALL", "D-MIX", "D-ERR") or (s.sts == "S-ENF" and verdict.say == "STS")
        return "OK enforce" if good else "NOTFOUND"

    def pins(self, s, level):
        verdict = self.verdict(s)
        if s.too_many or verdict.row in ("1.", "21"):
            return self.worded(s, verdict, level, False)
        if s.dane == "D-ALL":
            return pinned(s)
        if s.dane in ("D-MIX", "D-ERR"):
            return pins_of_a_mixture(s)
        if verdict.say == "D":
            kept = at_level(s, verdict, level).say == "D" and s.dane == "D-ENC"
            return "OK encrypt" if kept else "NOTFOUND"
        return self.worded(s, verdict, level, False)

    # ---- Exim's line, without its ignore list and its reason

    def exim_level(self, key, final=False):
        s = self.situation(key, final)
        if not s:
            return "none"
        verdict = self.verdict(s)
        if verdict.say == "DO" and (s.dane == "D-ALL" or verdict.row == "16a"):
            return "dane"
        if verdict.row == "4":
            return "may mode=testing"
        if verdict.row in ("12", "17", "19"):  # Exim decides about DANE host by host
            return "secure"
        if verdict.say == "D":
            return "encrypt dane=no" if s.dane == "D-ENC" else "may"
        if verdict.say == "STS":
            return "secure dane=no" if s.dane == "D-ENC" else "secure"
        return {"NF": "none", "T": "temp", "DO": "may"}[verdict.say]


def parse_key(key):
    """(host name in lower-case A-labels or nothing, port, was it in brackets)."""
    found = re.fullmatch(r"(\[)?([^\[\]:]*)(\])?(?::(\w+))?", key)
    if not found or bool(found[1]) != bool(found[3]):
        return None, 25, False
    name = found[2]
    if not name.isascii():
        name = name.encode("idna").decode()
    name = name.lower().removesuffix(".")
    label = r"[a-z0-9_-]{1,63}"
    if not re.fullmatch(rf"{label}(?:\.{label})*", name) or len(name) > 253:
        return None, 25, False
    if re.fullmatch(r"\d+(\.\d+){3}", name):
        return None, 25, False
    port = found[4] or "25"
    return name, SERVICES.get(port) or int(port), bool(found[1])


def mixed(s, row, with_filter):
    """Section 5."""
    listed = [host for host in s.hosts if host.state in ("NONE", "ENC") and s.matching(host)]
    tiers = sorted({host.preference for host in s.hosts})
    for preference in tiers:
        best = [host for host in s.hosts if host.preference == preference]
        if any(host.state == "DANE" for host in best):
            return Verdict("DO", row)
        in_best = [host for host in best if host in listed]
        if in_best and with_filter:
            return Verdict("STS", row, [host.name for host in listed])
        if in_best:
            break
    if any(host.state == "DANE" for host in s.hosts):
        return Verdict("DO", row)
    if listed:
        return Verdict("STS", row, [host.name for host in listed])
    return Verdict("T", row)


def at_level(s, verdict, level):
    """What main.cf's level makes of a row that says D."""
    if level == "dane-only":
        return Verdict("NF", verdict.row)
    if level not in MATCHING_LEVELS:
        return verdict
    if s.dane in ("D-ENC", "D-INS"):
        return Verdict("NF", verdict.row)
    if any(host.state == "DANE" for host in s.hosts):
        return Verdict("DO", verdict.row)
    return Verdict("T", verdict.row)


def secure(names, extra=""):
    words = [name.removeprefix("*") for name in names if name not in POSTFIX_WORDS]
    return f"OK secure match={':'.join(words)} servername=hostname{extra}" if words else "TEMP"


def attributes(s, patterns):
    words = [f"policy_type=sts policy_domain={s.name}"]
    words += [f"mx_host_pattern={pattern}" for pattern in patterns if pattern not in POSTFIX_WORDS]
    words += [f"{{ policy_string = {line} }}" for line in s.policy["lines"]
              if not re.search(r"[{}\x00-\x1f\x7f]", line)]
    return " " + " ".join(words)


def pinned(s):
    records = [record for host in s.hosts for record in host.tlsa]
    if not all(kind in PINNABLE for kind, _ in records):
        return "TEMP"
    words = [f"{{pin {server} {kind}}}" for kind, server in records]
    return f"OK fingerprint match={'|'.join(dict.fromkeys(words))} servername=hostname"


def pins_of_a_mixture(s):
    if s.sts != "S-ENF":
        return "TEMP"
    listed = [host for host in s.hosts if host.state in ("NONE", "ENC") and s.matching(host)]
    for preference in sorted({host.preference for host in s.hosts}):
        best = [host for host in s.hosts if host.preference == preference]
        if all(host in listed for host in best):
            return secure([host.name for host in listed])
        if any(host in listed or host.state == "DANE" for host in best):
            break
    return "TEMP"
