# SPDX-License-Identifier: Apache-2.0
"""What a validating resolver says about the table's names, compared with the intended world."""

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode

from oracle_world import World
from table import RESOLVER

PATIENCE = 25.0  # a resolver needs time to find out that a server is silent
COMPARED = {"A", "AAAA", "CNAME", "MX"}


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

    def what(self):
        if self.rcode == "NOERROR":
            return "data" if self.data else "nodata"
        return {"NXDOMAIN": "nxdomain"}.get(self.rcode, "error")


def presented(rtype, data):
    """The world's data as a zone file has it."""
    if rtype == "MX":
        return sorted(f"{p} {name if name == '.' else name + '.'}" for p, name in data)
    return sorted(name + "." if rtype == "CNAME" else name for name in data)


def expect(world, name, rtype):
    """A check that the resolver finds what the world holds."""
    # Asked for itself, an alias is no step on the way but the data.
    wanted = world.step(name, rtype) if rtype == "CNAME" else world.lookup(name, rtype)

    def check():
        try:
            reply = Reply(name, rtype)
        except dns.exception.Timeout:  # a resolver that got no answer may take long to say so
            return None if wanted.what == "error" else f"{wanted.what} expected, no answer"
        expected = wanted.what if wanted.what == "error" else (wanted.what, wanted.secure)
        got = reply.what() if reply.what() == "error" else (reply.what(), reply.secure)
        if got != expected:
            return f"{expected} expected, {got} found"
        if wanted.what == "data" and rtype in COMPARED and reply.data != presented(rtype, wanted.data):
            return f"{presented(rtype, wanted.data)} expected, {reply.data} found"
        if wanted.what == "data" and len(reply.data) != len(wanted.data):
            return f"{len(wanted.data)} records expected, {reply.data} found"
        return None

    return f"{name} {rtype}", check


def questions(table):
    """All that anybody asks who sends mail to the table's domains, each once."""
    for domain in table.domains:
        for name in dict.fromkeys((domain.name, domain.key or domain.name)):
            if name.isascii():
                yield from ((name, rtype) for rtype in ("MX", "A", "AAAA"))
                yield "_mta-sts." + name, "TXT"
        if domain.sts:
            yield "mta-sts." + domain.name, "A"
            yield "mta-sts." + domain.name, "AAAA"
    targets = [name for domain in table.domains for _, name in domain.mx if name != "."]
    for host in table.hosts.values():
        if host.cname:
            yield host.name, "CNAME"
    for name in [*table.hosts, *targets]:
        yield from ((name, rtype) for rtype in ("A", "AAAA"))
        yield "_25._tcp." + name, "TLSA"


def checks(table):
    world = World(table)
    for name, rtype in dict.fromkeys(questions(table)):
        yield expect(world, name, rtype)


def broken(table, name, rtype):
    return World(table).lookup(name, rtype).what != "data"
