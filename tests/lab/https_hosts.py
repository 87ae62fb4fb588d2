# SPDX-License-Identifier: Apache-2.0
"""The policy hosts: one listener per domain with MTA-STS, misbehaving as the table says."""

import asyncio
import os

import tls
from journal import Journal

PATH = "/.well-known/mta-sts.txt"
SLOW = 3.0        # seconds before a slow host answers
HANG = 600.0      # longer than any client's patience
BIG = 65536       # RFC 8461 3.3 suggests 64 KiB as the limit: the body is one octet longer


def response(status, body, *headers, framing="good"):
    """One HTTP response; `framing` says how the body's end is told."""
    length = [] if framing in ("chunked", "until-eof") else [f"Content-Length: {len(body)}"]
    if framing == "chunked":
        length = ["Transfer-Encoding: chunked"]
        half = len(body) // 2
        parts = (body[:half], body[half:])
        body = "".join(f"{len(part):x}\r\n{part}\r\n" for part in parts) + "0\r\n\r\n"
    lines = [f"HTTP/1.1 {status}", *length, "Connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def answer(sts, path):
    """What this policy host says to a GET of `path`."""
    if path != PATH:
        # A client that follows the redirect is served, and so betrays itself.
        if not (sts.https == "redirect" and path == "/moved.txt"):
            return response("404 Not Found", "")
    elif sts.https == "404":
        return response("404 Not Found", sts.policy(), "Content-Type: text/plain")
    elif sts.https == "redirect":
        return response("301 Moved Permanently", sts.policy(), "Content-Type: text/plain",
                        "Location: /moved.txt")
    body = sts.policy()
    if sts.https == "big":
        body += "x" * (BIG + 1 - len(body) - 10) + ": padding\n"
    kind = "text/html" if sts.https == "html" else "text/plain; charset=utf-8"
    return response("200 OK", body, f"Content-Type: {kind}", framing=sts.https)


class PolicyHost:
    def __init__(self, domain, journal):
        self.domain, self.sts, self.journal = domain.name, domain.sts, journal

    async def serve(self, reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            method, path = head.split(b" ")[:2]
            self.journal.write(domain=self.domain, sni=tls.sni_of(writer), path=path.decode())
            await asyncio.sleep({"slow": SLOW, "hang": HANG}.get(self.sts.https, 0))
            if method == b"GET":
                writer.write(answer(self.sts, path.decode()))
                await writer.drain()
        except (ConnectionError, OSError, ValueError,
                asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        writer.close()


async def start(table, data, state):
    journal = Journal(os.path.join(state, "https.log"))
    contexts = tls.Contexts(data)
    for domain in table.domains:
        sts = domain.sts
        if sts and sts.https not in ("refused", "no-address"):
            await asyncio.start_server(
                PolicyHost(domain, journal).serve, sts.ip, 443,
                ssl=contexts.of("mta-sts." + domain.name), backlog=128)
