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
{addresses}
  zonesdir: "{zones}"
  database: ""
  pidfile: "{state}/{name}.pid"
  xfrdfile: "{state}/{name}.xfrd"
  xfrdir: "{state}"
  zonelistfile: "{state}/{name}.zones"
  logfile: "{state}/{name}.log"
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
  trust-anchor-signaling: no
  local-zone: "test." nodefault
  local-zone: "example." nodefault
  val-log-level: 2
  val-bogus-ttl: 5
  cache-max-negative-ttl: 60
  edns-buffer-size: 1232
  {mode}
remote-control:
  control-enable: yes
  control-interface: {state}/unbound.ctl
  control-use-cert: no
"""


# How the resolver treats DNSSEC; the last two ways are broken ones.
MODES = {
    "start": 'trust-anchor-file: "{zones}/trust-anchor"',
    "permissive": 'trust-anchor-file: "{zones}/trust-anchor"\n  val-permissive-mode: yes',
    "no-anchor": "",
}


def quiet(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def own_network(state, internet):
    """Loopback with all addresses, a default route that leads nowhere, and a resolv.conf only we see."""
    quiet("ip", "link", "set", "lo", "up")
    # Programs that ask "is there IPv4, IPv6?" look for a default route.
    quiet("ip", "route", "add", "default", "dev", "lo")
    if os.path.exists("/proc/net/if_inet6"):
        quiet("ip", "-6", "route", "add", "default", "dev", "lo")
        addresses = [host.ip6 for host in internet.hosts.values() if host.ip6]
        subprocess.run(["ip", "-6", "-batch", "-"], check=True, text=True, input="".join(
            f"address add {address}/128 dev lo nodad\n" for address in addresses))
    path = os.path.join(state, "resolv.conf")
    with open(path, "w", encoding="ascii") as file:
        file.write(f"nameserver {tables.RESOLVER}\noptions edns0 trust-ad\n")
    quiet("mount", "--bind", path, os.path.realpath("/etc/resolv.conf"))


def nsd_configuration(name, addresses, zones, places):
    lines = "\n".join(f"  ip-address: {address}" for address in addresses)
    text = NSD.format(name=name, addresses=lines, **places)
    for zone in zones:
        text += f'zone:\n  name: "{zone}"\n  zonefile: "{"root" if zone == "." else zone}"\n'
    return text


def write_configuration(data, state, internet):
    places = {"state": state, "zones": os.path.join(state, "zones")}
    # Links, so that a zone can be replaced for this run alone.
    os.mkdir(places["zones"])
    for name in os.listdir(os.path.join(data, "zones")):
        os.symlink(os.path.join(data, "zones", name), os.path.join(places["zones"], name))
    domains = [zone for zone, kind in internet.zones.items() if kind != "absent"]
    top = [".", *internet.tlds]
    # Two servers: one that held both a parent and its child would answer for the child at once,
    # and the front would never be asked.
    texts = {
        "nsd-top": nsd_configuration("nsd-top", [tables.ROOT_NS, tables.TLD_NS], top, places),
        "nsd-zones": nsd_configuration("nsd-zones", [tables.HIDDEN_NS], domains, places),
    }
    for name, text in texts.items():
        with open(os.path.join(state, name + ".conf"), "w", encoding="ascii") as file:
            file.write(text)


def write_resolver_configuration(state, mode):
    zones = os.path.join(state, "zones")
    with open(os.path.join(state, "unbound.conf"), "w", encoding="ascii") as file:
        file.write(UNBOUND.format(state=state, zones=zones, resolver=tables.RESOLVER,
                                  mode=MODES[mode].format(zones=zones)))


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


def start_resolver(state, mode="start"):
    write_resolver_configuration(state, mode)
    process = spawn(state, "unbound", "/usr/sbin/unbound", "-d", "-c",
                    os.path.join(state, "unbound.conf"))
    wait_for_dns(tables.RESOLVER, ".", dns.flags.RA if mode == "no-anchor" else dns.flags.AD,
                 process)


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
    own_network(state, internet)
    write_configuration(data, state, internet)
    nsds = [spawn(state, name, "/usr/sbin/nsd", "-d", "-c", os.path.join(state, name + ".conf"))
            for name in ("nsd-top", "nsd-zones")]
    servers = spawn(state, "servers", sys.executable, os.path.join(tables.HERE, "servers.py"),
                    data, state, stdout=subprocess.PIPE, text=True)
    wait_for_dns(tables.ROOT_NS, ".", dns.flags.AA, nsds[0])
    wait_for_dns(tables.HIDDEN_NS, next(iter(internet.zones)), dns.flags.AA, nsds[1])
    if servers.stdout.readline() != "ready\n":
        raise SystemExit(f"lab: the servers did not start; see {state}/servers.stderr")
    start_resolver(state)
