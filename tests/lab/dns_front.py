# SPDX-License-Identifier: Apache-2.0
"""The name server of all domains: passes queries on to NSD, except those the table breaks.

More faults, or other ones, at run time: lines "NAME TYPE ACTION" in the state directory's file
"faults"; it is read when it changes, and the last line of a question wins.  Actions:

  servfail refused formerr nxdomain   this rcode and nothing else
  empty                 no error, no answer, and no proof of that
  drop                  no reply
  delay SECONDS         the true reply, later
  forge DATA [| DATA]   unsigned records with this data (as a zone file writes it), TTL 5
  strip                 the true reply without its signatures and proofs
  bogus                 the true reply with signatures that are wrong
  none                  lifts a fault, of the table as well
"""

import asyncio
import functools
import os
import struct

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from behaviour import Rereader
from table import HIDDEN_NS, ZONE_NS

UPSTREAM = (HIDDEN_NS, 53)
HEADER, NUMBER = 12, 2  # octets: the header, and the query's number at its start
PATIENCE = 5.0  # seconds to wait for NSD
FORGED_TTL = 5
SIGNATURES = {dns.rdatatype.RRSIG, dns.rdatatype.NSEC, dns.rdatatype.NSEC3}
RCODES = {"servfail", "refused", "formerr", "nxdomain"}
type_text = functools.lru_cache(dns.rdatatype.to_text)


class Faults:
    def __init__(self, table, path):
        self.table, self.file = table.faults, Rereader(path)
        self.rules = dict(table.faults)

    def action(self, wire):
        """The fault of this query's question, as words."""
        if self.file.changed():
            self.rules = dict(self.table)
            for line in self.file.lines:
                name, rtype, action = line.split(" ", 2)
                self.rules[name, rtype] = action
        return self.rules.get(question_of(wire), "none").split(" ", 1)


def question_of(wire):
    """Name and type, as the rules write them.

    By hand, for speed: when its queue is longer than Unbound's patience (376 ms at first), a front
    is asked everything again, and falls behind further.
    """
    labels, at = [], HEADER
    while wire[at]:
        labels.append(wire[at + 1:at + 1 + wire[at]])
        at += 1 + wire[at]
    name = b".".join(labels).decode("ascii", "replace").lower()
    return name, type_text(struct.unpack_from("!H", wire, at + 1)[0])


def made_up(query, verb, words):
    """A reply that NSD has no part in."""
    reply = dns.message.make_response(query)
    reply.flags |= dns.flags.AA
    if verb in RCODES:
        reply.set_rcode(dns.rcode.from_text(verb))
    if verb == "forge":
        question = query.question[0]
        data = [text.strip() for text in words.split("|")]
        reply.answer.append(dns.rrset.from_text(question.name, FORGED_TTL, "IN",
                                                dns.rdatatype.to_text(question.rdtype), *data))
    return reply.to_wire()


def tampered(wire, verb):
    """NSD's reply with its signatures taken away or broken."""
    reply = dns.message.from_wire(wire)
    for section in (reply.answer, reply.authority):
        if verb == "strip":
            section[:] = [rrset for rrset in section if rrset.rdtype not in SIGNATURES]
            continue
        for rrset in section:
            broken = [item.replace(signature=item.signature[::-1]) for item in rrset
                      if rrset.rdtype == dns.rdatatype.RRSIG]
            if broken:
                rrset.clear()
                rrset.update(broken)
    return reply.to_wire()


async def answer(faults, wire, ask):
    """The reply to one query, or nothing; `ask` brings NSD's."""
    verb, *words = faults.action(wire)
    if verb == "drop":
        return None
    if verb in RCODES or verb in ("empty", "forge"):
        return made_up(dns.message.from_wire(wire), verb, "".join(words))
    if verb == "delay":
        await asyncio.sleep(float(words[0]))
    reply = await ask(wire)
    return tampered(reply, verb) if reply and verb in ("strip", "bogus") else reply


class Relay(asyncio.DatagramProtocol):
    """The socket on which NSD is asked; queries get numbers of ours, so that no two are the same."""

    def __init__(self):
        self.replies = {}
        self.number = 0

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, _):
        reply = self.replies.pop(data[:NUMBER], None)
        if reply and not reply.done():
            reply.set_result(data)

    async def ask(self, wire):
        self.number = (self.number + 1) % 0x10000
        number = struct.pack("!H", self.number)
        reply = self.replies[number] = asyncio.get_running_loop().create_future()
        self.transport.sendto(number + wire[NUMBER:])
        try:
            return wire[:NUMBER] + (await asyncio.wait_for(reply, PATIENCE))[NUMBER:]
        except asyncio.TimeoutError:
            self.replies.pop(number, None)
            return None


class Front(asyncio.DatagramProtocol):
    def __init__(self, faults, relay):
        self.faults, self.relay = faults, relay
        self.tasks = set()

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, wire, client):
        task = asyncio.ensure_future(self.serve(wire, client))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def serve(self, wire, client):
        reply = await answer(self.faults, wire, self.relay.ask)
        if reply:
            self.transport.sendto(reply, client)

    async def serve_tcp(self, reader, writer):
        try:
            while True:
                reply = await answer(self.faults, await read_message(reader), ask_tcp)
                if reply:
                    writer.write(struct.pack("!H", len(reply)) + reply)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


async def read_message(reader):
    (length,) = struct.unpack("!H", await reader.readexactly(2))
    return await reader.readexactly(length)


async def ask_tcp(wire):
    reader, writer = await asyncio.open_connection(*UPSTREAM)
    writer.write(struct.pack("!H", len(wire)) + wire)
    reply = await read_message(reader)
    writer.close()
    return reply


async def start(table, state):
    loop = asyncio.get_running_loop()
    _, relay = await loop.create_datagram_endpoint(Relay, remote_addr=UPSTREAM)
    front = Front(Faults(table, os.path.join(state, "faults")), relay)
    await loop.create_datagram_endpoint(lambda: front, local_addr=(ZONE_NS, 53))
    await asyncio.start_server(front.serve_tcp, ZONE_NS, 53, backlog=512)
