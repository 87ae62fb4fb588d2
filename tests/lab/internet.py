# SPDX-License-Identifier: Apache-2.0
"""Brings the lab up inside a network namespace of its own: interfaces, resolv.conf, servers."""

import os
import signal
import subprocess
import sys
import time

import dns.exception
import dns.flags
import dns.message
import dns.query

import table as tables

PATIENCE = 30.0  # seconds until a server that does not come up is an error

NSD = """
server:
  server-count: 1
  username: ""
  chroot: ""
  ip-address: {root}
  ip-address: {tld}
  zonesdir: "{zones}"
  database: ""
  pidfile: "{state}/nsd.pid"
  xfrdfile: "{state}/nsd.xfrd"
  xfrdir: "{state}"
  zonelistfile: "{state}/nsd.zones"
  logfile: "{state}/nsd.log"
  rrl-ratelimit: 0
  hide-version: yes
remote-control:
  control-enable: no
"""

UNBOUND = """
server:
  interface: {resolver}
  access-control: 127.0.0.0/8 allow
  username: ""
  chroot: ""
  directory: "{state}"
  pidfile: "{state}/unbound.pid"
  logfile: "{state}/unbound.log"
  use-syslog: no
  num-threads: 1
  module-config: "validator iterator"
  do-not-query-localhost: no
  root-hints: "{zones}/root-hints"
  trust-anchor-file: "{zones}/trust-anchor"
  trust-anchor-signaling: no
  local-zone: "test." nodefault
  local-zone: "example." nodefault
  val-log-level: 2
  val-bogus-ttl: 5
  cache-max-negative-ttl: 60
  edns-buffer-size: 1232
remote-control:
  control-enable: yes
  control-interface: {state}/unbound.ctl
  control-use-cert: no
"""


def quiet(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def own_network(state):
    """Loopback, a default route that leads nowhere, and a resolv.conf only we see."""
    quiet("ip", "link", "set", "lo", "up")
    # Programs that ask "is there IPv4, IPv6?" look for a default route.
    quiet("ip", "route", "add", "default", "dev", "lo")
    if os.path.exists("/proc/net/if_inet6"):
        quiet("ip", "-6", "route", "add", "default", "dev", "lo")
    path = os.path.join(state, "resolv.conf")
    with open(path, "w", encoding="ascii") as file:
        file.write(f"nameserver {tables.RESOLVER}\noptions edns0 trust-ad\n")
    quiet("mount", "--bind", path, os.path.realpath("/etc/resolv.conf"))


def write_configuration(data, state, internet):
    places = {"state": state, "zones": os.path.join(data, "zones"), "root": tables.ROOT_NS,
              "tld": tables.TLD_NS, "resolver": tables.RESOLVER}
    zones = [z for z, kind in internet.zones.items() if kind != "absent"] + list(internet.tlds)
    nsd = NSD.format(**places) + 'zone:\n  name: "."\n  zonefile: "root"\n'
    nsd += "".join(f'zone:\n  name: "{zone}"\n  zonefile: "{zone}"\n' for zone in zones)
    for name, text in (("nsd.conf", nsd), ("unbound.conf", UNBOUND.format(**places))):
        with open(os.path.join(state, name), "w", encoding="ascii") as file:
            file.write(text)


def spawn(state, name, *command, **options):
    with open(os.path.join(state, name + ".stderr"), "ab") as errors:
        process = subprocess.Popen(  # pylint: disable=consider-using-with
            command, stdin=subprocess.DEVNULL, stderr=errors, **options)
    return process


def answers(server, name, flag):
    """Does this server answer with a flag that only a working one sets?"""
    query = dns.message.make_query(name, "SOA", want_dnssec=True)
    try:
        return bool(dns.query.udp(query, server, timeout=0.3).flags & flag)
    except (dns.exception.DNSException, OSError):
        return False


def wait_for_dns(server, name, flag, process):
    end = time.monotonic() + PATIENCE
    while not answers(server, name, flag):
        if process.poll() is not None or time.monotonic() > end:
            raise SystemExit(f"lab: {process.args[0]} does not answer; see its log")
        time.sleep(0.02)


def start_resolver(state):
    process = spawn(state, "unbound", "/usr/sbin/unbound", "-d", "-c",
                    os.path.join(state, "unbound.conf"))
    wait_for_dns(tables.RESOLVER, ".", dns.flags.AD, process)


def stop_resolver(state):
    """Ends Unbound, and returns when it has let go of its socket."""
    with open(os.path.join(state, "unbound.pid"), encoding="ascii") as file:
        pid = int(file.read())
    os.kill(pid, signal.SIGKILL)
    end = time.monotonic() + PATIENCE
    while bound(tables.RESOLVER, 53) and time.monotonic() < end:
        time.sleep(0.02)


def bound(address, port):
    """Is a UDP socket of this namespace bound to the address?"""
    octets = "".join(f"{int(octet):02X}" for octet in reversed(address.split(".")))
    with open("/proc/net/udp", encoding="ascii") as file:
        return f" {octets}:{port:04X} " in file.read()


def bring_up(data, state):
    internet = tables.load()
    own_network(state)
    write_configuration(data, state, internet)
    nsd = spawn(state, "nsd", "/usr/sbin/nsd", "-d", "-c", os.path.join(state, "nsd.conf"))
    servers = spawn(state, "servers", sys.executable, os.path.join(tables.HERE, "servers.py"),
                    data, state, stdout=subprocess.PIPE, text=True)
    wait_for_dns(tables.ROOT_NS, ".", dns.flags.AA, nsd)
    if servers.stdout.readline() != "ready\n":
        raise SystemExit(f"lab: the servers did not start; see {state}/servers.stderr")
    start_resolver(state)
