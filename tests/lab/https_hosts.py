# SPDX-License-Identifier: Apache-2.0
"""The policy hosts: one listener per domain with MTA-STS, misbehaving as the table says."""

import asyncio
import os
import socket
import ssl
import warnings

import tls
from behaviour import Behaviour
from journal import Journal

PATH = "/.well-known/mta-sts.txt"
SLOW = 3.0        # seconds before a slow host answers
HANG = 600.0      # longer than any client's patience
DRIP = 5.0        # seconds between two octets of a host that drips: minutes for a policy
BIG = 65536       # RFC 8461 3.3 suggests 64 KiB as the limit: the body is one octet longer
HUGE = 1 << 24    # octets that a client must not wait for
MANY_HEADERS = 64 * 1024  # octets of header fields
# Kinds that never come to an answer; a client sees them only by its own patience.
HANGING = {"hang", "hang-connect", "hang-tls", "hang-body", "drip"}
SILENT = {"refused", "no-address"}


def response(status, body, *headers, framing="good"):
    """One HTTP response; `framing` says how the body's end is told."""
    octets = len(body.encode())
    length = [] if framing in ("chunked", "until-eof") else [f"Content-Length: {octets}"]
    if framing == "chunked":
        length = ["Transfer-Encoding: chunked"]
        half = len(body) // 2
        parts = (body[:half], body[half:])
        body = "".join(f"{len(part.encode()):x}\r\n{part}\r\n" for part in parts) + "0\r\n\r\n"
    lines = [f"HTTP/1.1 {status}", *length, "Connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def answer(kind, policy, path):
    """What a policy host of this kind says to a GET of `path`."""
    text = "Content-Type: text/plain; charset=utf-8"
    if path != PATH:
        # A client that follows the redirect is served, and so betrays itself.
        followed = kind == "redirect" and path == "/moved.txt"
        return response("200 OK", policy, text) if followed else response("404 Not Found", "")
    if kind in ("404", "500"):
        return response(f"{kind} As You See", policy, text)
    if kind == "redirect":
        return response("301 Moved Permanently", policy, text, "Location: /moved.txt")
    if kind == "big":
        policy += "x" * (BIG + 1 - len(policy) - 10) + ": padding\n"
    headers = {"html": ["Content-Type: text/html"], "no-type": [],
               "big-headers": [text, "X-Padding: " + "x" * MANY_HEADERS]}.get(kind, [text])
    return response("200 OK", policy, *headers, framing=kind)


class PolicyHost:
    def __init__(self, domain, journal, behaviour):
        self.domain, self.sts, self.journal = domain.name, domain.sts, journal
        self.behaviour = behaviour

    def kind(self):
        return self.behaviour.of("https", self.domain, self.sts.https)

    def policy(self):
        body = self.behaviour.of("body", self.domain, None)
        return body.encode().decode("unicode_escape") if body else self.sts.policy()

    async def serve(self, reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            method, path = head.split(b" ")[:2]
            self.journal.write(domain=self.domain, sni=tls.sni_of(writer), path=path.decode())
            kind = self.kind()
            if kind != "close" and method == b"GET":
                await self.reply(writer, kind, path.decode())
        except (ConnectionError, OSError, ValueError,
                asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        writer.close()

    async def reply(self, writer, kind, path):
        await asyncio.sleep({"slow": SLOW, "hang": HANG}.get(kind, 0))
        if kind == "huge":
            await self.flood(writer)
            return
        message = answer(kind, self.policy(), path)
        if kind == "drip":
            for octet in message:
                writer.write(bytes([octet]))
                await writer.drain()
                await asyncio.sleep(DRIP)
        if kind in ("short", "hang-body"):  # ten octets less than Content-Length says
            message = message[:-10]
        writer.write(message)
        await writer.drain()
        await asyncio.sleep(HANG if kind == "hang-body" else 0)

    async def flood(self, writer):
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {HUGE}\r\n"
                     "\r\n".encode() + self.policy().encode())
        for _ in range(HUGE // BIG):
            writer.write(b"padding: " + b"x" * (BIG - 10) + b"\n")
            await writer.drain()

    async def say_nothing(self, reader, _):
        await asyncio.sleep(HANG)


def unanswered(address):
    """A socket whose queue is full: the kernel drops further SYNs.  Kept open by its references."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family)
    listener.bind((address, 443))
    listener.listen(0)
    fillers = []
    for _ in range(3):
        filler = socket.socket(family)
        filler.setblocking(False)
        filler.connect_ex((address, 443))
        fillers.append(filler)
    return [listener, *fillers]


def old_tls(context):
    """No client that asks for TLS 1.2 gets through."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


async def listen(host, contexts, domain):
    sts = domain.sts
    if sts.https == "hang-connect":
        return unanswered(sts.ip)
    if sts.https == "hang-tls":
        return await asyncio.start_server(host.say_nothing, sts.ip, 443)
    context = contexts.of("mta-sts." + domain.name)
    if sts.https == "old-tls":
        old_tls(context)
    return await asyncio.start_server(host.serve, sts.ip, 443, ssl=context, backlog=128)


async def start(table, data, state):
    """Returns what must be kept for the listeners to live."""
    journal = Journal(os.path.join(state, "https.log"))
    behaviour = Behaviour(state)
    contexts = tls.Contexts(data)
    return [await listen(PolicyHost(domain, journal, behaviour), contexts, domain)
            for domain in table.domains if domain.sts and domain.sts.https not in SILENT]
