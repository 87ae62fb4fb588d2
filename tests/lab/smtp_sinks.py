# SPDX-License-Identifier: Apache-2.0
"""The SMTP servers: accept any mail, offer STARTTLS as the table says, and note what they saw."""

import asyncio
import os
import ssl

import tls
from behaviour import Behaviour
from journal import Journal

IDLE = 60.0  # seconds until a silent client is dropped


class Session:
    """One connection.  Commands come as lines; every known one has a method."""

    def __init__(self, host, kind, context, journal, reader, writer):
        self.host, self.kind, self.context, self.journal = host, kind, context, journal
        self.reader, self.writer = reader, writer
        self.secure, self.sender, self.recipients = False, "", []

    def say(self, text):
        self.writer.write(text.replace("\n", "\r\n").encode() + b"\r\n")

    async def run(self):
        if self.kind == "busy":
            self.say(f"421 4.3.2 {self.host.name} is busy")
            return
        self.say(f"220 {self.host.name} ESMTP")
        while True:
            line = await asyncio.wait_for(self.reader.readline(), IDLE)
            if not line:
                return
            verb = line.split(None, 1)[0].upper() if line.strip() else b""
            if verb == b"QUIT":
                self.say("221 2.0.0 Bye")
                return
            method = getattr(self, "on_" + verb.decode("ascii", "replace").lower(), None)
            if method:
                await method(line.decode("utf-8", "replace").strip())
            else:
                self.say("502 5.5.1 Unknown command")

    async def on_ehlo(self, _):
        extensions = ["PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES"]
        if self.kind in ("starttls", "refuses", "broken") and not self.secure:
            extensions.append("STARTTLS")
        if self.secure:
            extensions.append("REQUIRETLS")
        lines = [self.host.name] + extensions
        self.say("\n".join(f"250-{line}" for line in lines) + "\n250 SMTPUTF8")

    async def on_helo(self, _):
        self.say(f"250 {self.host.name}")

    async def on_starttls(self, _):
        if self.kind == "refuses":
            self.say("454 4.7.0 TLS is not available")
            return
        if self.kind == "plain" or self.secure:
            self.say("502 5.5.1 No STARTTLS here")
            return
        self.say("220 2.0.0 Go ahead")
        await self.writer.drain()
        if self.kind == "broken":
            raise ConnectionError("as the table says")
        await self.writer.start_tls(self.context)
        self.secure = True
        self.journal.write(event="tls", host=self.host.name, sni=tls.sni_of(self.writer))

    async def on_mail(self, line):
        self.sender, self.recipients = line, []
        self.say("250 2.1.0 Ok")

    async def on_rcpt(self, line):
        self.recipients.append(line.partition(":")[2].partition(" ")[0].strip("<>"))
        self.say("250 2.1.5 Ok")

    async def on_data(self, _):
        self.say("354 End with a dot")
        while await asyncio.wait_for(self.reader.readline(), IDLE) not in (b".\r\n", b""):
            pass
        sni = tls.sni_of(self.writer) if self.secure else None
        self.journal.write(event="mail", host=self.host.name, tls=self.secure, sni=sni,
                           recipients=self.recipients)
        self.say("250 2.0.0 Swallowed")

    async def on_rset(self, _):
        self.say("250 2.0.0 Ok")

    async def on_noop(self, _):
        self.say("250 2.0.0 Ok")


class Sink:
    def __init__(self, host, context, journal, behaviour):
        self.host, self.context, self.journal = host, context, journal
        self.behaviour = behaviour

    async def serve(self, reader, writer):
        kind = self.behaviour.of("smtp", self.host.name, self.host.smtp)
        try:
            if kind != "down":
                await Session(self.host, kind, self.context, self.journal, reader, writer).run()
        except (ConnectionError, ssl.SSLError, asyncio.TimeoutError, ValueError) as error:
            self.journal.write(event="error", host=self.host.name, text=repr(error))
        writer.close()


async def start(table, data, state):
    journal = Journal(os.path.join(state, "smtp.log"))
    behaviour = Behaviour(state)
    contexts = tls.Contexts(data)
    for host in table.hosts.values():
        if host.addresses() and host.smtp != "down":
            sink = Sink(host, contexts.of(host.name), journal, behaviour)
            await asyncio.start_server(sink.serve, host.addresses(), 25, backlog=128)
