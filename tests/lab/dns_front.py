# SPDX-License-Identifier: Apache-2.0
"""The name server of all domains: passes queries on to NSD, except those the table breaks.

More faults, or other ones, at run time: lines "NAME TYPE ACTION" in the state directory's file
"faults" (action "none" lifts a fault of the table).  The file is read when it changes.
"""

import asyncio
import os
import struct

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

from table import HIDDEN_NS, ZONE_NS

UPSTREAM = (HIDDEN_NS, 53)
PATIENCE = 5.0  # seconds to wait for NSD


class Faults:
    def __init__(self, table, path):
        self.table, self.path = table.faults, path
        self.stamp, self.rules = None, dict(table.faults)

    def action(self, name, rtype):
        self.refresh()
        return self.rules.get((name, rtype), "none")

    def refresh(self):
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            return
        stamp = (status.st_mtime_ns, status.st_size)
        if stamp == self.stamp:
            return
        self.stamp, self.rules = stamp, dict(self.table)
        with open(self.path, encoding="ascii") as file:
            for name, rtype, action in (line.split() for line in file if line.strip()):
                self.rules[(name, rtype)] = action

    def reply(self, wire):
        """None: pass the query on.  Else the answer; empty: none at all."""
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        action = self.action(name, dns.rdatatype.to_text(question.rdtype))
        if action == "none":
            return None
        if action == "drop":
            return b""
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.AA
        reply.set_rcode(dns.rcode.from_text(action))
        return reply.to_wire()


class Relay(asyncio.DatagramProtocol):
    """Sends one query to NSD and hands its answer to `deliver`."""

    def __init__(self, wire, deliver):
        self.wire, self.deliver = wire, deliver

    def connection_made(self, transport):
        self.transport = transport
        transport.sendto(self.wire)
        asyncio.get_running_loop().call_later(PATIENCE, transport.close)

    def datagram_received(self, data, _):
        self.deliver(data)
        self.transport.close()


class Front(asyncio.DatagramProtocol):
    def __init__(self, faults):
        self.faults = faults
        self.tasks = set()

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, wire, client):
        forged = self.faults.reply(wire)
        if forged is None:
            task = asyncio.ensure_future(self.relay(wire, client))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        elif forged:
            self.transport.sendto(forged, client)

    async def relay(self, wire, client):
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(
            lambda: Relay(wire, lambda data: self.transport.sendto(data, client)),
            remote_addr=UPSTREAM)

    async def serve_tcp(self, reader, writer):
        try:
            while True:
                wire = await read_message(reader)
                forged = self.faults.reply(wire)
                answer = await ask_tcp(wire) if forged is None else forged
                if answer:
                    writer.write(struct.pack("!H", len(answer)) + answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


async def read_message(reader):
    (length,) = struct.unpack("!H", await reader.readexactly(2))
    return await reader.readexactly(length)


async def ask_tcp(wire):
    reader, writer = await asyncio.open_connection(*UPSTREAM)
    writer.write(struct.pack("!H", len(wire)) + wire)
    answer = await read_message(reader)
    writer.close()
    return answer


async def start(table, state):
    front = Front(Faults(table, os.path.join(state, "faults")))
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(lambda: front, local_addr=(ZONE_NS, 53))
    await asyncio.start_server(front.serve_tcp, ZONE_NS, 53, backlog=512)
