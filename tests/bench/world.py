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
# Other jobs of the machine should disturb little of what is measured.  What in the world would be
# on other machines (name server, policy hosts, the flood's clients) comes after it.
HERE_FIRST = -15
ELSEWHERE = 0
TTL = 3600  # nothing may run out during the bench

POLICY = "version: STSv1\nmode: enforce\nmx: *.sts.bench.test\nmax_age: 604800\n"

NSD = """
server:
  server-count: 1
  username: ""
  chroot: ""
  ip-address: {server}
  zonesdir: "{state}"
  database: ""
  pidfile: "{state}/nsd.pid"
  xfrdfile: "{state}/nsd.xfrd"
  xfrdir: "{state}"
  zonelistfile: "{state}/nsd.zones"
  logfile: "{state}/nsd.log"
  rrl-ratelimit: 0
remote-control:
  control-enable: no
"""
# With room for the flood: what is measured is Sealane, not when Unbound drops questions.  The root
# is the lab's.
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
  num-queries-per-thread: 4096
  outgoing-range: 8192
  msg-cache-size: 64m
  rrset-cache-size: 128m
  so-rcvbuf: 4m
  module-config: "validator iterator"
  do-not-query-localhost: no
  local-zone: "test." nodefault
  root-hints: "{lab}/root-hints"
  trust-anchor-file: "{lab}/trust-anchor"
  trust-anchor-file: "{state}/anchor"
  trust-anchor-signaling: no
  edns-buffer-size: 1232
"""
ZONE = """zone:
  name: "{zone}"
  zonefile: "{zone}"
"""
STUB = """stub-zone:
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


def take_priority(nice):
    """For this process, in a session of its own: Linux shares out time among sessions first."""
    os.setsid()
    try:
        os.setpriority(os.PRIO_PROCESS, 0, nice)
        with open("/proc/self/autogroup", "w", encoding="ascii") as file:
            file.write(str(nice))
    except OSError:  # not root, or a kernel without sessions in its scheduler
        pass


def instrument():
    """For what measures: runs as soon as it can, so that what it waits for is not itself."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        first()


def first():
    take_priority(HERE_FIRST)


def after():
    take_priority(ELSEWHERE)


class World:
    """All of it.  `counts`: how many domains of each kind there are; `more`: zones' other records."""

    def __init__(self, build, counts, more=None):
        self.build = build
        self.state = os.path.join(os.environ["LAB_STATE"], "bench")
        self.running = {}
        os.makedirs(self.state)
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        wanted = OPEN_FILES if limit == resource.RLIM_INFINITY else min(OPEN_FILES, limit)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, limit))
        self.write_zones(counts, more or {})
        self.start_name_server(counts)
        self.start_resolver()
        self.start_policy_host()

    def path(self, name):
        return os.path.join(self.state, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="ascii") as file:
            file.write(text)

    def program(self, name):
        where = ("tests/bench",) if name.startswith("bench-") else ("src", ".")
        for folder in where:
            path = os.path.join(self.build, folder, name)
            if os.path.exists(path):
                return path
        raise SystemExit(f"bench: no {name} in {self.build}")

    def spawn(self, name, priority, *command, **options):
        self.running[name] = internet.spawn(self.state, name, *command, preexec_fn=priority,
                                            **options)
        return self.running[name]

    def spawn_ready(self, name, priority, *command):
        """Starts a program that says "ready"."""
        process = self.spawn(name, priority, *command, stdout=subprocess.PIPE, text=True)
        if process.stdout.readline() != "ready\n":
            raise SystemExit(f"bench: {name} did not start; see {self.path(name)}.stderr")
        return process

    def end(self, name):
        process = self.running.pop(name)
        process.terminate()
        return process.wait(PATIENCE)

    # ---- DNS

    def write_zones(self, counts, more):
        signer = zones.Signer(self.state)
        for kind, count in counts.items():
            lines = [f"$ORIGIN {kind}.bench.test.", f"$TTL {TTL}",
                     f"@ IN SOA ns.bench.test. hostmaster.bench.test. 1 3600 600 864000 {TTL}",
                     "@ IN NS ns.bench.test."]
            lines += more.get(kind, [])
            for number in range(count):
                lines += RECORDS[kind](number)
            anchor = signer.sign(f"{kind}.bench.test", lines,
                                 "signed" if kind == "dane" else "unsigned")
            if anchor:
                signer.write("anchor", anchor)

    def start_name_server(self, counts):
        names = [f"{kind}.bench.test" for kind in counts]
        places = {"state": self.state, "server": ZONE_NS, "resolver": RESOLVER,
                  "lab": os.path.join(os.environ["LAB_DATA"], "zones")}
        text = NSD.format(**places) + "".join(ZONE.format(zone=name) for name in names)
        self.write("nsd.conf", text)
        text = UNBOUND.format(**places)
        text += "".join(f'  domain-insecure: "{name}"\n' for name in names
                        if not name.startswith("dane."))
        text += "".join(STUB.format(zone=name, **places) for name in names)
        self.write("unbound.conf", text)
        process = self.spawn("nsd", after, "/usr/sbin/nsd", "-d", "-c", self.path("nsd.conf"))
        internet.wait_for_dns(ZONE_NS, names[-1], dns.flags.AA, process)

    def start_resolver(self):
        process = self.spawn("unbound", first, "/usr/sbin/unbound", "-d", "-c",
                             self.path("unbound.conf"))
        internet.wait_for_dns(RESOLVER, "dane.bench.test", dns.flags.AD, process)

    def empty_resolver(self):
        self.end("unbound")
        self.start_resolver()

    # ---- servers

    def start_policy_host(self):
        self.write("policy.txt", POLICY)
        self.spawn_ready("policyhost", after, self.program("bench-policyhost"), 
                         self.path("ca.pem"), self.path("policy.txt"),
                         *[f"{a}:443" for a in POLICY_ADDRESSES])

    def start_echo(self):
        self.spawn_ready("echo", first, self.program("bench-echo"), *self.addresses("echo").values())

    def addresses(self, server):
        return {"unix": f"unix:{self.path(server)}.sock", "tcp": f"inet:{INET[server]}"}

    def start_daemon(self, name="daemon", keep=False):
        """A daemon that knows nothing, or what its store `keep`s; "daemon" is on TCP as well."""
        store = self.path("policies.db" if name == "daemon" else name + ".db")
        for path in (store, store + "-wal", store + "-shm"):
            if os.path.exists(path) and not keep:
                os.unlink(path)
        tcp = f"listen = {self.addresses('daemon')['tcp']}" if name == "daemon" else ""
        self.write(name + ".conf", f"""
[resolver]
upstream = {RESOLVER}
[sts]
ca-file = {self.path("ca.pem")}
allow-address = 127.0.0.0/8
[store]
url = sqlite:{store}
[socketmap]
listen = unix:{self.path(name)}.sock
{tcp}
[admin]
listen = unix:{self.path(name)}.admin
""")
        process = self.spawn(name, first, self.program("sealaned"), "--config",
                             self.path(name + ".conf"))
        end = time.monotonic() + PATIENCE
        while not os.path.exists(self.path(name + ".sock")):
            if process.poll() is not None or time.monotonic() > end:
                raise SystemExit("bench: the daemon does not start; it says:\n"
                                 + self.daemon_log(name))
            time.sleep(0.01)
        return process

    def stop_daemon(self, name="daemon"):
        if self.end(name) != 0:
            raise SystemExit("bench: the daemon failed; it says:\n" + self.daemon_log(name))

    def daemon_log(self, name="daemon", lines=20):
        with open(self.path(name + ".stderr"), encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-lines:])

    def pid(self, server):
        return self.running[server].pid

    def keys(self, name, domains):
        """Writes a file of keys and returns its path."""
        self.write(name, "".join(line + "\n" for line in domains))
        return self.path(name)
