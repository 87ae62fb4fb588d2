# SPDX-License-Identifier: Apache-2.0
"""Runs the name server front, the policy hosts and the SMTP servers: servers.py DATA STATE.

Prints "ready" when every socket listens, and runs until it is killed.
"""

import asyncio
import sys

import dns_front
import https_hosts
import smtp_sinks
import table


async def main(data, state):
    internet = table.load()
    await dns_front.start(internet, state)
    listeners = await https_hosts.start(internet, data, state)
    await smtp_sinks.start(internet, data, state)
    print("ready", flush=True)
    await asyncio.Event().wait()
    del listeners


asyncio.run(main(*sys.argv[1:]))
