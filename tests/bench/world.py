# SPDX-License-Identifier: Apache-2.0
"""What the bench adds to the lab: thousands of domains, their name server, a validating resolver
that can be made cold, the policy host of all, and the daemon."""

import os
import resource
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lab"))

import dns.flags  # noqa: E402

import internet  # noqa: E402
import zones  # noqa: E402

ZONE_NS = "127.0.0.11"
RESOLVER = "127.0.0.12"
# The daemon fetches from one address eight at a time, whatever its name: as in the wild, the
# policies are at many.
POLICY_ADDRESSES = [f"127.200.0.{n}" for n in range(1, 33)]
MX_ADDRESS = "127.3.0.1"  # nobody connects
INET = {"daemon": "127.0.0.1:8461", "echo": "127.0.0.1:8462"}
PATIENCE = 30.0  # seconds until a program that does not come up is an error
OPEN_FILES = 65_536  # the daemon wants 8,192; a flood has sockets on both sides
TTL = 3600  # nothing may run out during the bench

POLICY = "version: STSv1\nmode: enforce\nmx: *.sts.bench.test\nmax_age: 604800\n"

# A resolver with room for the flood: what is measured is Sealane, not when Unbound drops questions.
ROOM = """
server:
  num-queries-per-thread: 4096
  outgoing-range: 8192
  msg-cache-size: 64m
  rrset-cache-size: 128m
  so-rcvbuf: 4m
  trust-anchor-file: "{zones}/anchor"
"""
STUB = """
stub-zone:
  name: "{zone}"
  stub-addr: {server}
"""


def domain(kind, number):
    return f"d{number:05}.{kind}.bench.test"


def tlsa(number):
    return f"TLSA 3 1 1 {number:064x}"


RECORDS = {
    "dane": lambda n: [f"d{n:05} IN MX 10 mx.d{n:05}", f"mx.d{n:05} IN A {MX_ADDRESS}",
                       f"_25._tcp.mx.d{n:05} IN {tlsa(n)}"],
    "sts": lambda n: [f"d{n:05} IN MX 10 mx.d{n:05}", f"mx.d{n:05} IN A {MX_ADDRESS}",
                      f'_mta-sts.d{n:05} IN TXT "v=STSv1; id={n + 1};"',
                      f"mta-sts.d{n:05} IN A {POLICY_ADDRESSES[n % len(POLICY_ADDRESSES)]}"],
    "none": lambda n: [f"d{n:05} IN MX 10 mx.d{n:05}", f"mx.d{n:05} IN A {MX_ADDRESS}"],
}


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class World:
    """All of it.  `counts`: how many domains of each kind there are."""

    def __init__(self, build, counts):
        self.build = build
        self.state = os.path.join(os.environ["LAB_STATE"], "bench")
        self.running = {}
        os.makedirs(self.state)
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        wanted = OPEN_FILES if limit == resource.RLIM_INFINITY else min(OPEN_FILES, limit)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, limit))
        self.write_zones(counts)
        self.start_name_server(counts)
        self.start_resolver()
        self.start_policy_host()

    def path(self, name):
        return os.path.join(self.state, name)

    def program(self, name):
        where = ("tests/bench",) if name.startswith("bench-") else ("src", ".")
        for folder in where:
            path = os.path.join(self.build, folder, name)
            if os.path.exists(path):
                return path
        raise SystemExit(f"bench: no {name} in {self.build}")

    def spawn(self, name, *command, **options):
        self.running[name] = internet.spawn(self.state, name, *command, **options)
        return self.running[name]

    def spawn_ready(self, name, *command):
        """Starts a program that says "ready"."""
        process = self.spawn(name, *command, stdout=subprocess.PIPE, text=True)
        if process.stdout.readline() != "ready\n":
            raise SystemExit(f"bench: {name} did not start; see {self.path(name)}.stderr")
        return process

    def end(self, name):
        process = self.running.pop(name)
        process.terminate()
        return process.wait(PATIENCE)

    # ---- DNS

    def write_zones(self, counts):
        signer = zones.Signer(self.state)
        for kind, count in counts.items():
            lines = [line.replace("$TTL 60", f"$TTL {TTL}")
                     for line in zones.head(f"{kind}.bench.test", "ns.bench.test.")]
            for number in range(count):
                lines += RECORDS[kind](number)
            anchor = signer.sign(f"{kind}.bench.test", lines,
                                 "signed" if kind == "dane" else "unsigned")
            if anchor:
                signer.write("anchor", anchor)

    def start_name_server(self, counts):
        names = [f"{kind}.bench.test" for kind in counts]
        text = internet.nsd_configuration("nsd", [ZONE_NS], names,
                                          {"state": self.state, "zones": self.state})
        with open(self.path("nsd.conf"), "w", encoding="ascii") as file:
            file.write(text)
        process = self.spawn("nsd", "/usr/sbin/nsd", "-d", "-c", self.path("nsd.conf"))
        internet.wait_for_dns(ZONE_NS, names[-1], dns.flags.AA, process)
        lab_zones = os.path.join(os.environ["LAB_DATA"], "zones")
        text = internet.UNBOUND.format(resolver=RESOLVER, state=self.state, zones=lab_zones)
        text += ROOM.format(zones=self.state)
        for name in names:
            if not name.startswith("dane."):
                text += f'  domain-insecure: "{name}"\n'
        text += "".join(STUB.format(zone=name, server=ZONE_NS) for name in names)
        with open(self.path("unbound.conf"), "w", encoding="ascii") as file:
            file.write(text)

    def start_resolver(self):
        process = self.spawn("unbound", "/usr/sbin/unbound", "-d", "-c", self.path("unbound.conf"))
        internet.wait_for_dns(RESOLVER, "dane.bench.test", dns.flags.AD, process)

    def empty_resolver(self):
        self.end("unbound")
        self.start_resolver()

    # ---- servers

    def start_policy_host(self):
        with open(self.path("policy.txt"), "w", encoding="ascii") as file:
            file.write(POLICY)
        self.spawn_ready("policyhost", self.program("bench-policyhost"), self.path("ca.pem"),
                         self.path("policy.txt"), *[f"{a}:443" for a in POLICY_ADDRESSES])

    def start_echo(self):
        self.spawn_ready("echo", self.program("bench-echo"), *self.addresses("echo").values())

    def addresses(self, server):
        return {"unix": f"unix:{self.path(server)}.sock", "tcp": f"inet:{INET[server]}"}

    def start_daemon(self):
        """A daemon that knows nothing."""
        for name in ("policies.db", "policies.db-wal", "policies.db-shm"):
            if os.path.exists(self.path(name)):
                os.unlink(self.path(name))
        with open(self.path("sealane.conf"), "w", encoding="ascii") as file:
            file.write(f"""
[resolver]
upstream = {RESOLVER}
[sts]
ca-file = {self.path("ca.pem")}
allow-address = 127.0.0.0/8
[store]
url = sqlite:{self.path("policies.db")}
[socketmap]
listen = {self.addresses("daemon")["unix"]}
listen = {self.addresses("daemon")["tcp"]}
[admin]
listen = unix:{self.path("admin.sock")}
[log]
level = warning
""")
        process = self.spawn("daemon", self.program("sealaned"), "--config",
                             self.path("sealane.conf"))
        end = time.monotonic() + PATIENCE
        while not os.path.exists(self.path("daemon.sock")):
            if process.poll() is not None or time.monotonic() > end:
                raise SystemExit("bench: the daemon does not start; it says:\n"
                                 + self.daemon_log())
            time.sleep(0.02)
        return process

    def stop_daemon(self):
        if self.end("daemon") != 0:
            raise SystemExit("bench: the daemon failed; it says:\n" + self.daemon_log())

    def daemon_log(self, lines=20):
        with open(self.path("daemon.stderr"), encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-lines:])

    def pid(self, server):
        return self.running[server].pid

    def keys(self, name, domains):
        """Writes a file of keys and returns its path."""
        with open(self.path(name), "w", encoding="ascii") as file:
            file.writelines(line + "\n" for line in domains)
        return self.path(name)
