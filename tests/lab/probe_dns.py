# SPDX-License-Identifier: Apache-2.0
"""What a validating resolver says about the table's names, compared with the table."""

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode

from table import RESOLVER

SECURE_KINDS = {"signed", "nsec3"}
BROKEN_KINDS = {"expired", "wrong-ds"}
PATIENCE = 5.0


class Reply:
    """rcode, AD and the answers of one type, in presentation form, sorted."""

    def __init__(self, name, rtype):
        query = dns.message.make_query(name, rtype, use_edns=0, payload=1232)
        query.flags |= dns.flags.AD
        reply, _ = dns.query.udp_with_fallback(query, RESOLVER, timeout=PATIENCE)
        self.rcode = dns.rcode.to_text(reply.rcode())
        self.secure = bool(reply.flags & dns.flags.AD)
        self.data = sorted(item.to_text() for rrset in reply.answer for item in rrset
                           if dns.rdatatype.to_text(rrset.rdtype) == rtype)


def expect(name, rtype, status, data=None):
    """A check that the answer has this status: secure, insecure, SERVFAIL; or the first two with
    "no " before them: a name that does not exist, proven or not."""
    def check():
        try:
            reply = Reply(name, rtype)
        except dns.exception.Timeout:  # a resolver that got no answer may take long to say so
            return None if status == "SERVFAIL" else f"{status} expected, no answer"
        got = ("insecure", "secure")[reply.secure]
        got = {"NOERROR": got, "NXDOMAIN": "no " + got}.get(reply.rcode, reply.rcode)
        if got != status:
            return f"{status} expected, {got} found"
        if data is not None and status in ("secure", "insecure") and reply.data != sorted(data):
            return f"{sorted(data)} expected, {reply.data} found"
        return None

    return f"{name} {rtype}", check


def broken(table, name, rtype):
    """Does the table make this lookup fail?"""
    fault = table.faults.get((name, rtype))
    return ((name, rtype) in table.spoils or fault in ("servfail", "refused", "drop")
            or table.zones[table.zone_of(name)] in BROKEN_KINDS)


def status(table, name, rtype):
    if broken(table, name, rtype):
        return "SERVFAIL"
    return "secure" if table.zones[table.zone_of(name)] in SECURE_KINDS else "insecure"


def absence(table, name, rtype):
    # A broken zone can't even prove that there is nothing.
    found = status(table, name, rtype)
    return found if found == "SERVFAIL" else "no " + found


def zone_checks(table):
    for name, kind in table.zones.items():
        if kind == "absent":
            yield expect(name, "SOA", "no secure")
        else:
            yield expect(name, "SOA", status(table, name, "SOA"))


def domain_checks(table):
    for domain in table.domains:
        if table.zones[domain.name] == "absent":
            continue
        mx = [f"{p} {'' if host == '.' else host}." for p, host in domain.mx]
        yield expect(domain.name, "MX", status(table, domain.name, "MX"), mx)
        yield from sts_checks(table, domain)


def sts_checks(table, domain):
    record = "_mta-sts." + domain.name
    if not domain.sts or domain.sts.txt == "none":
        yield expect(record, "TXT", absence(table, record, "TXT"))
        return
    count = {"duplicate": 2, "v10-beside": 2}.get(domain.sts.txt, 1)

    def check():
        return f"{count} records expected" if len(Reply(record, "TXT").data) != count else None

    yield expect(record, "TXT", status(table, record, "TXT"))
    if not broken(table, record, "TXT"):
        yield f"{record} TXT", check
    if domain.sts.https != "no-address":
        rtype = "AAAA" if domain.sts.addr == "v6" else "A"
        addresses = [ip for ip in (domain.sts.dead_ip, domain.sts.ip) if ip]
        policy_host = "mta-sts." + domain.name
        yield expect(policy_host, rtype, status(table, policy_host, rtype), addresses)


def host_checks(table):
    for host in table.hosts.values():
        rtype = "AAAA" if host.addr == "v6" else "A"
        tlsa = "_25._tcp." + host.name
        if host.cname:
            yield expect(host.name, "CNAME", status(table, host.name, "CNAME"),
                         [host.cname + "."])
        elif host.ip:
            yield expect(host.name, rtype, status(table, host.name, rtype), [host.ip])
        if host.tlsa:
            yield expect(tlsa, "TLSA", status(table, tlsa, "TLSA"))
        else:
            yield expect(tlsa, "TLSA", absence(table, tlsa, "TLSA"))
    for (name, rtype), action in table.faults.items():
        if action != "drop":
            yield expect(name, rtype, "no insecure" if action == "nxdomain" else "SERVFAIL")
